"""A program's results without the values that differ at each run, so that two runs can be compared."""

import re
from typing import Any

_RANDOM = (
    (re.compile(r"\b(files|cachedContents|batches|interactions|operations)/[A-Za-z0-9_-]+"), r"\1/ID"),
    (re.compile(r"\bInteraction v1_[A-Za-z0-9_-]+"), "Interaction ID"),
    (re.compile(r"\bthe File [a-z0-9-]{12,}"), "the File ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "TIME"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "HOST"),
)
_IDS = frozenset({"id", "response_id", "responseId", "turn_token", "turnToken", "sdk_http_response", "sdkHttpResponse"})


def same(seen: Any) -> Any:
    """Return the results without ids and times, and without the heads of answers."""
    if isinstance(seen, dict):
        return {key: same(value) for key, value in seen.items() if key not in _IDS}
    if isinstance(seen, list | tuple):
        return [same(value) for value in seen]
    if isinstance(seen, str):
        for pattern, told in _RANDOM:
            seen = pattern.sub(told, seen)
    return seen
