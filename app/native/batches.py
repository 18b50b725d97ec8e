"""Batches: made with the model in the path, recorded with their owner, settled when their results are seen.

create ──> reservation stays ──> get ... get: done ──> usage of all results is booked, once
                                           └── a file of results becomes the client's to download
"""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from app.gemini.answer import Usage
from app.native.bodies import take
from app.native.deferred import check_deferred
from app.native.heads import PAGING, encoded, json_headers, query_of, upstream_headers
from app.native.listing import list_owned
from app.native.metered import Metered, merged
from app.native.owning import owned
from app.native.reading import read_generation
from app.native.relay import Document, Outgoing, fetch, send_document
from app.native.scanning.policy import BATCH
from app.native.services import NativeCall
from app.native.used import Json, mapping, text
from app.store.resources import Resource, ResourceKind

LIFETIME_S = 60 * 86_400.0
"""Seconds for which a batch is remembered: longer than Gemini keeps a batch."""
OUTPUT_LIFETIME_S = 48 * 3600.0
_LIST_TAKES = PAGING | {"alt", "$alt", "prettyPrint", "$prettyPrint"}
_ENDED = frozenset({"BATCH_STATE_SUCCEEDED", "BATCH_STATE_FAILED", "BATCH_STATE_CANCELLED", "BATCH_STATE_EXPIRED"})


async def create(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/models/M:batchGenerateContent` and `:asyncBatchEmbedContent`."""
    check_deferred(call, "Batches")
    query = query_of(scope)
    model = call.model(call.route.name)
    async with take(scope, receive, call, BATCH, path_model=model) as body:
        upstream = call.services.upstream
        path = f"/{call.route.version}/models/{model}:{call.route.operation.verb}{encoded(query)}"
        outgoing = Outgoing("POST", upstream.url(path), json_headers(scope, body.length), body.content)
        async with Metered(call, model, body.estimate).admitted() as asked:
            document = await fetch(upstream, outgoing)
            asked.is_refused = document.status != 200
            if document.status == 200:
                asked.is_deferred = True
                await _record(call, document, model, asked.call)
    await send_document(send, document)


async def list_(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/batches`: the client's batches only."""
    query = query_of(scope, _LIST_TAKES)
    page = await list_owned(scope, call, query, kind=ResourceKind.BATCH, collection="batches", items="operations")
    await send_document(send, Document.of_json(page))


async def get(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/batches/ID`."""
    batch = await owned(call, ResourceKind.BATCH)
    document = await _ask(scope, call, "GET", f"batches/{batch.name}")
    if document.status == 200:
        await _look(call, batch, document)
    await send_document(send, document)


async def cancel(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/batches/ID:cancel`."""
    batch = await owned(call, ResourceKind.BATCH)
    await send_document(send, await _ask(scope, call, "POST", f"batches/{batch.name}:cancel"))


async def delete(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `DELETE {version}/batches/ID`. If its results were never read, the reservation stays booked."""
    batch = await owned(call, ResourceKind.BATCH)
    document = await _ask(scope, call, "DELETE", f"batches/{batch.name}")
    if document.status in {200, 403, 404}:
        await call.services.resources.remove(batch.key)
    await send_document(send, document)


async def _ask(scope: Scope, call: NativeCall, method: str, path: str) -> Document:
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/{path}{encoded(query_of(scope))}")
    headers = upstream_headers(scope)
    if method == "POST":
        headers["Content-Length"] = "0"
    return await fetch(upstream, Outgoing(method, url, headers))


async def _record(call: NativeCall, document: Document, model: str, reservation: str) -> None:
    name = text(document.members.get("name"))
    if name is not None:
        now = call.services.upstream.clock.now()
        resource = Resource(
            ResourceKind.BATCH,
            name.removeprefix("batches/"),
            call.client.id,
            created_at=now,
            expires_at=now + LIFETIME_S,
            model=model,
            call=reservation,
        )
        await call.services.resources.add(resource)


async def _look(call: NativeCall, batch: Resource, document: Document) -> None:
    """Record the results of an ended batch: the owner of its file, and the usage of all its answers."""
    found = document.members
    metadata = mapping(found.get("metadata"))
    if text(metadata.get("state")) not in _ENDED:
        return
    output = mapping(metadata.get("output") or found.get("response"))
    file = text(output.get("responsesFile"))
    services = call.services
    if file is not None:
        now = services.upstream.clock.now()
        name = file.removeprefix("files/")
        expires_at = now + OUTPUT_LIFETIME_S
        await services.resources.add(
            Resource(ResourceKind.OUTPUT, name, call.client.id, created_at=now, expires_at=expires_at)
        )
    reservation = await services.resources.take_call(batch.key)
    # The usage of answers in a file is unknown, since the file is not read here: the reservation stays booked.
    if reservation is not None and file is None:
        model = batch.model or ""
        services.metering.settle_later(call.usage, reservation, model, _usage_of(output), "batch_ended")


def _usage_of(output: Mapping[str, object]) -> Usage:
    listed = mapping(output.get("inlinedResponses")).get("inlinedResponses")
    responses: list[Json] = (
        [dict(mapping(mapping(item).get("response"))) for item in listed] if isinstance(listed, list) else []
    )
    return merged(said.usage for said in map(read_generation, responses) if said.usage is not None)
