"""The cached contents of the project: found by id, listed newest first, gone when they expire.

It knows the emulator's clock, and nothing of HTTP.
"""

import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from gemini_emulator.clock import Clock, rfc3339
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.proto.fields import Fields

_ALPHABET = string.ascii_lowercase + string.digits
_ID_CHARS = 24
_NAME = re.compile(r"cachedContents/[A-Za-z0-9_-]+", re.ASCII)
_MAX_CACHES = 1_000
_FORBIDDEN_BESIDE = ("systemInstruction", "tools", "toolConfig")


@dataclass(slots=True, eq=False)
class Cache:
    """A cached content. Times are seconds since the epoch; `tokens` by modality."""

    number: int
    cache_id: str
    model: str
    display_name: str
    kept: Mapping[str, object]
    tokens: Mapping[str, int]
    created_at: float
    expires_at: float
    updated_at: float = field(default=0.0)

    def resource(self) -> dict[str, object]:
        """Render as the API does."""
        shown: dict[str, object] = {"name": f"cachedContents/{self.cache_id}", "model": f"models/{self.model}"}
        if self.display_name:
            shown["displayName"] = self.display_name
        return shown | {
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(self.updated_at),
            "expireTime": rfc3339(self.expires_at),
            "usageMetadata": {"totalTokenCount": sum(self.tokens.values())},
        }


class CacheStore:
    """All cached contents, by id, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._caches: dict[str, Cache] = {}
        self._last_number = 0

    def add(
        self, *, model: str, display_name: str, kept: Mapping[str, object], tokens: Mapping[str, int], expires_at: float
    ) -> Cache:
        """Keep a content until a moment; raises ApiFailureError (429) when there are too many."""
        if len(self.everything()) >= _MAX_CACHES:
            raise ApiFailureError(429, "Too many cached contents. Delete some or wait until they expire.")
        self._last_number += 1
        cache_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
        now = self._clock.now()
        cache = Cache(self._last_number, cache_id, model, display_name, kept, tokens, now, expires_at, now)
        self._caches[cache_id] = cache
        return cache

    def get(self, cache_id: str) -> Cache:
        """Find a cached content; raises ApiFailureError (404) when there is none."""
        self._purge()
        cache = self._caches.get(cache_id)
        if cache is None:
            raise ApiFailureError(404, "CachedContent not found (or permission denied)")
        return cache

    def delete(self, cache_id: str) -> None:
        """Delete a cached content; raises ApiFailureError (404) when there is none."""
        del self._caches[self.get(cache_id).cache_id]

    def everything(self) -> list[Cache]:
        """Return all cached contents, oldest first."""
        self._purge()
        return list(self._caches.values())

    def clear(self) -> None:
        """Drop all."""
        self._caches.clear()

    def unfold(self, request: Fields, model: str) -> tuple[Fields, Mapping[str, int]]:
        """Put the cached content that a request names before it; gives also the tokens that are cached.

        Raises ApiFailureError when it is not there (403), is not named by its resource name, or does not go with the
        request (400).
        """
        if "cachedContent" not in request:
            return request, {}
        name = request.text("cachedContent")
        if not _NAME.fullmatch(name):
            raise invalid(f"Invalid cached content name: {name[:100]}; the format is cachedContents/{{cachedContent}}.")
        try:
            cache = self.get(name.removeprefix("cachedContents/"))
        except ApiFailureError as failure:
            raise ApiFailureError(403, failure.message) from failure
        if cache.model != model:
            raise invalid(
                f"Model used by GenerateContent request (models/{model}) and CachedContent (models/{cache.model}) has "
                "to be the same."
            )
        if any(name in request for name in _FORBIDDEN_BESIDE):
            raise invalid(
                "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
                "tool_config."
            )
        return request.behind(cache.kept), cache.tokens

    def _purge(self) -> None:
        now = self._clock.now()
        for cache in [cache for cache in self._caches.values() if cache.expires_at <= now]:
            del self._caches[cache.cache_id]
