"""Create, get, list, patch and delete cached contents (surfaces reference).

How small a content may be is not checked. One without `ttl` and `expireTime` lives an hour.
"""

from datetime import datetime

from gemini_emulator.caches.cache_store import CacheStore
from gemini_emulator.catalogue import find_model
from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid
from gemini_emulator.generation.responder import Responder
from gemini_emulator.paging import page_of, slice_of
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.parser import parse
from gemini_emulator.proto.stored import CACHED_CONTENT
from gemini_emulator.routing import Route

_LIFETIME_S = 3600.0
_DEFAULT_PAGE = 50
_LARGEST_PAGE = 1000
_KEPT = ("contents", "systemInstruction", "tools", "toolConfig")


class CacheCalls:
    """Handlers of the calls on `/{v}/cachedContents`."""

    def __init__(self, config: EmulatorConfig, clock: Clock, cache_store: CacheStore, responder: Responder) -> None:
        self._config = config
        self._clock = clock
        self._cache_store = cache_store
        self._responder = responder

    async def create(self, exchange: Exchange, route: Route) -> None:
        """Keep a prompt."""
        values = parse(CACHED_CONTENT, await exchange.document(self._config.request_limit_bytes))
        request = Fields(values)
        model = find_model(request.text("model"), route.version, "createCachedContent")
        expires_at = self._expiry(request, _LIFETIME_S)
        kept = {name: values[name] for name in _KEPT if name in values}
        # What is kept may be a system instruction alone, which is no prompt yet.
        asked = kept if "contents" in kept else {**kept, "contents": [{"parts": [{"text": ""}]}]}
        understood = await exchange.unless_gone(self._responder.understand(Fields(asked), model))
        cache = self._cache_store.add(
            model=model.name,
            display_name=request.text("displayName"),
            kept=kept,
            tokens=understood.identity.prompt_tokens,
            expires_at=expires_at,
        )
        await exchange.answer_json(cache.resource())

    async def get(self, exchange: Exchange, route: Route) -> None:
        """Answer with a cached content's description, without its contents."""
        await exchange.answer_json(self._cache_store.get(route.name).resource())

    async def list(self, exchange: Exchange, _: Route) -> None:
        """Answer with a page, newest first."""
        size, token = page_of(exchange.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
        page, next_token = slice_of(self._cache_store.everything(), size, token, number=lambda cache: cache.number)
        answer: dict[str, object] = {"cachedContents": [cache.resource() for cache in page]} if page else {}
        if next_token:
            answer["nextPageToken"] = next_token
        await exchange.answer_json(answer)

    async def patch(self, exchange: Exchange, route: Route) -> None:
        """Let a cached content expire at another time; nothing else can be changed."""
        request = Fields(parse(CACHED_CONTENT, await exchange.document(self._config.request_limit_bytes)))
        cache = self._cache_store.get(route.name)
        if set(request) - {"ttl", "expireTime", "name"} or not ({"ttl", "expireTime"} & set(request)):
            raise invalid("* UpdateCachedContentRequest.cached_content: only ttl or expire_time can be updated.\n")
        cache.expires_at = self._expiry(request, _LIFETIME_S)
        cache.updated_at = self._clock.now()
        await exchange.answer_json(cache.resource())

    async def delete(self, exchange: Exchange, route: Route) -> None:
        """Delete a cached content."""
        self._cache_store.delete(route.name)
        await exchange.answer_json({})

    def _expiry(self, request: Fields, default_s: float) -> float:
        now = self._clock.now()
        if "expireTime" in request:
            try:
                moment = datetime.fromisoformat(request.text("expireTime")).timestamp()
            except ValueError as error:
                raise invalid("Invalid value at 'cached_content.expire_time' (Timestamp).") from error
        else:
            ttl = request.number("ttl")
            moment = now + (default_s if ttl is None else ttl)
        if moment <= now:
            raise invalid("* CachedContent.expire_time: must be in the future.\n")
        return moment
