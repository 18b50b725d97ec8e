"""The emulator's journal of calls: the latest calls, the number of each kind, and the clients that left too early."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

_REMEMBERED = 200


@dataclass(slots=True)
class Record:
    """One call. `status` is 0 until an answer began; `body_sha256` is that of JSON bodies, None for uploaded bytes.

    `document` is the JSON body with its media replaced by their hashes, None when it was large or no JSON. `usage` is
    the last that was told in a message that was sent whole.
    """

    operation: str
    method: str
    path: str
    status: int = 0
    body_bytes: int = 0
    body_sha256: str | None = None
    key_seen: bool = False
    aborted: bool = False
    document: bytes | None = None
    usage: Mapping[str, object] | None = None

    def note_usage(self, message: bytes) -> None:
        """Remember the usage in a message that was sent: a JSON document, or a frame of a stream that holds one."""
        start = message.find(b"{")
        try:
            found = orjson.loads(message[start:].strip()) if start >= 0 else None
        except orjson.JSONDecodeError:
            return
        found = found.get("interaction", found) if isinstance(found, dict) else {}
        usage = found.get("usageMetadata") or found.get("usage")
        self.usage = usage if isinstance(usage, dict) else self.usage

    def resource(self) -> dict[str, object]:
        """Render for the inspection call."""
        return {
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "body_bytes": self.body_bytes,
            "body_sha256": self.body_sha256,
            "key_seen": self.key_seen,
            "aborted": self.aborted,
            "usage": self.usage,
            "json": None if self.document is None else orjson.Fragment(self.document),
        }


class Journal:
    """The calls since the last reset."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=_REMEMBERED)
        self._counters: Counter[str] = Counter()
        self._in_flight = 0
        self._aborted = 0

    def begin(self, record: Record) -> None:
        """Note a call that has come in."""
        self._records.append(record)
        self._in_flight += 1

    def count(self, operation: str) -> None:
        """Count a call under its operation."""
        self._counters[operation] += 1

    def end(self) -> None:
        """Note that a call is over, however it ended."""
        self._in_flight -= 1

    def abort(self) -> None:
        """Note that a client left while it was being answered."""
        self._aborted += 1

    def reset(self) -> None:
        """Forget all calls except the running ones."""
        self._records.clear()
        self._counters.clear()
        self._aborted = 0

    def summary(self) -> dict[str, object]:
        """Render the counts."""
        return {"counters": dict(self._counters), "in_flight": self._in_flight, "aborted": self._aborted}

    def resources(self) -> list[dict[str, object]]:
        """Render the last calls, oldest first."""
        return [record.resource() for record in self._records]
