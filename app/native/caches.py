"""Caches: `cachedContents`, each recorded with its owner when it is made."""

from datetime import datetime

from starlette.types import Receive, Scope, Send

from app.gemini.answer import count
from app.native.bodies import Body, take
from app.native.deferred import check_deferred
from app.native.heads import PAGING, encoded, json_headers, query_of, upstream_headers
from app.native.json_values import mapping, text
from app.native.listing import list_owned
from app.native.owning import owned
from app.native.relay import Outgoing, WholeAnswer, fetch, send_document
from app.native.scanning.policy import CACHE
from app.native.services import NativeCall
from app.store.resources import Resource, ResourceKind

_JSON = {"alt", "$alt", "prettyPrint", "$prettyPrint"}
_LIST_TAKES = PAGING | _JSON
_PATCH_TAKES = frozenset(_JSON | {"updateMask", "update_mask"})


async def create(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/cachedContents`, closed to clients with budgets: a cache costs money by the hour."""
    check_deferred(call, "Caches")
    query = query_of(scope)
    async with take(scope, receive, call, CACHE) as body:
        document = await _ask(scope, call, "POST", f"cachedContents{encoded(query)}", body)
    if document.status == 200:
        await _record(call, document)
    await send_document(send, document)


async def list_(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/cachedContents`: the client's caches only."""
    query = query_of(scope, _LIST_TAKES)
    page = await list_owned(
        scope, call, query, kind=ResourceKind.CACHE, collection="cachedContents", items="cachedContents"
    )
    await send_document(send, WholeAnswer.of_json(page))


async def get(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/cachedContents/ID`."""
    await owned(call, ResourceKind.CACHE)
    query = query_of(scope)
    await send_document(send, await _ask(scope, call, "GET", f"cachedContents/{call.route.name}{encoded(query)}"))


async def patch(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `PATCH {version}/cachedContents/ID`, which changes the lifetime of a cache."""
    cache = await owned(call, ResourceKind.CACHE)
    query = query_of(scope, _PATCH_TAKES)
    async with take(scope, receive, call, CACHE) as body:
        document = await _ask(scope, call, "PATCH", f"cachedContents/{cache.name}{encoded(query)}", body)
    if document.status == 200 and (expires_at := _expiry(document)) is not None:
        await call.services.resources.set_expiry(cache.key, expires_at)
    await send_document(send, document)


async def delete(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `DELETE {version}/cachedContents/ID`."""
    cache = await owned(call, ResourceKind.CACHE)
    document = await _ask(scope, call, "DELETE", f"cachedContents/{cache.name}{encoded(query_of(scope))}")
    if document.status in {200, 403, 404}:
        await call.services.resources.remove(cache.key)
    await send_document(send, document)


async def _ask(scope: Scope, call: NativeCall, method: str, path: str, body: Body | None = None) -> WholeAnswer:
    upstream = call.services.upstream
    headers = upstream_headers(scope) if body is None else json_headers(scope, body.length)
    url = upstream.url(f"/{call.route.version}/{path}")
    return await fetch(upstream, Outgoing(method, url, headers, None if body is None else body.content))


async def _record(call: NativeCall, document: WholeAnswer) -> None:
    cache = document.members
    name = text(cache.get("name"))
    if name is None:
        return
    now = call.services.upstream.clock.now()
    tokens = count(mapping(cache.get("usageMetadata")).get("totalTokenCount"))
    await call.services.resources.add(
        Resource(
            ResourceKind.CACHE,
            name.removeprefix("cachedContents/"),
            call.client.id,
            created_at=now,
            expires_at=_expiry(document) or now + 3600,
            model=(text(cache.get("model")) or "").removeprefix("models/") or None,
            tokens=tokens,
        )
    )


def _expiry(document: WholeAnswer) -> float | None:
    written = text(document.members.get("expireTime"))
    if written is None:
        return None
    try:
        # Google writes nanoseconds, but Python reads microseconds at most.
        seconds, _, rest = written.removesuffix("Z").partition(".")
        return datetime.fromisoformat(f"{seconds}+00:00").timestamp() + float(f"0.{rest or 0}")
    except ValueError:
        return None
