"""Lists a client's resources: their names from the registry, page by page, each object as Gemini has it now.

    registry page ──> GET each, some at a time ──> {"<collection>": [object, object, ...], "nextPageToken"?}

Gemini's own lists show the resources of all clients, and filtering their pages would reveal how many others there are.
A resource that Gemini no longer has is removed from the registry on the way.
"""

import asyncio
from collections.abc import Mapping

import orjson
from starlette.types import Scope

from app.errors import GatewayError, MalformedRequestError
from app.native.heads import upstream_headers
from app.native.relay import Outgoing, WholeAnswer, fetch
from app.native.services import NativeCall
from app.store.resources import Resource, ResourceKind, ResourcePage

DEFAULT_PAGE = 10
LARGEST_PAGE = 100
AT_ONCE = 8
_GONE = frozenset({403, 404})


def page_size(query: Mapping[str, str], *, default: int = DEFAULT_PAGE, largest: int = LARGEST_PAGE) -> int:
    """Return `pageSize`: the default for 0 or no value, at most `largest`. Raises MalformedRequestError."""
    text = query.get("pageSize", query.get("page_size", ""))
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise MalformedRequestError(f"pageSize is {text[:20]!r}; it must be a whole number of at least 0.")
    return min(int(text), largest) or default


def page_token(query: Mapping[str, str]) -> str | None:
    """Return `pageToken`, the name after which the page begins; None for the first page."""
    return query.get("pageToken", query.get("page_token", "")) or None


async def list_owned(
    scope: Scope, call: NativeCall, query: Mapping[str, str], *, kind: ResourceKind, collection: str, items: str
) -> bytes:
    """Return one page of the client's resources of a kind, in the JSON of Gemini's lists.

    `collection` is the kind's name in the path, `items` its name in the answer. Each resource on the page counts
    against the client's request rate. Raises RateLimitedError and the errors of `fetch`.
    """
    services = call.services
    page: ResourcePage = await services.resources.page(
        call.client.id, kind, limit=page_size(query), after=page_token(query), now=services.upstream.clock.expiry_time()
    )
    await services.metering.enter_listing(call.usage, len(page.resources))
    headers = {**upstream_headers(scope), "Accept-Encoding": "identity"}
    slots = asyncio.Semaphore(AT_ONCE)

    async def get(resource: Resource) -> WholeAnswer:
        async with slots:
            url = services.upstream.url(f"/{call.route.version}/{collection}/{resource.name}")
            return await fetch(services.upstream, Outgoing("GET", url, headers))

    failure: GatewayError | None = None
    fetching: list[tuple[Resource, asyncio.Task[WholeAnswer]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            fetching += [(resource, group.create_task(get(resource))) for resource in page.resources]
    except* GatewayError as failed:
        failure = next(error for error in failed.exceptions if isinstance(error, GatewayError))
    if failure is not None:
        raise failure
    found = []
    for resource, task in fetching:
        document = task.result()
        if document.status == 200:
            found.append(document.text.strip())
        elif document.status in _GONE:
            await services.resources.remove(resource.key)
    return page_of(items, found, page.resources[-1].name if page.has_more else None)


def page_of(items: str, found: list[bytes], token: str | None) -> bytes:
    """Return a page as JSON; like Gemini, leave empty members out."""
    members = []
    if found:
        members.append(b'"%b": [%b]' % (items.encode(), b",".join(found)))
    if token is not None:
        members.append(b'"nextPageToken": %b' % orjson.dumps(token))
    return b"{%b}" % b",".join(members)
