"""Batches: made with the model in the path, recorded with their owner, settled when their results are seen.

create ──> reservation stays ──> get ... get: done ──> usage of all results is booked, once
                                           └── a file of results becomes the client's to download
"""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from app.accounting.outcome import DEFERRED, Outcome
from app.gemini.models import BATCH as BATCH_TIER
from app.native.bodies import take
from app.native.deferred import check_deferred
from app.native.heads import PAGING, encoded, json_headers, query_of, upstream_headers
from app.native.json_values import items, mapping, text
from app.native.listing import list_owned
from app.native.owning import owned
from app.native.reading import read_generation
from app.native.relay import Outgoing, WholeAnswer, fetch, send_document
from app.native.scanning.policy import BATCH
from app.native.services import NativeCall
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
        model_call = await call.services.metering.reserve(call.usage, model, body.estimate, may_be_deferred=True)
        try:
            document = await fetch(upstream, outgoing)
        except BaseException as error:
            model_call.settle(Outcome.broken(error, None))
            raise
        model_call.settle(DEFERRED if document.status == 200 else Outcome.refused_by_status(document.status))
        if document.status == 200:
            await _record(call, document, model, model_call.reservation_id)
    await send_document(send, document)


async def list_(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/batches`: the client's batches only."""
    query = query_of(scope, _LIST_TAKES)
    page = await list_owned(scope, call, query, kind=ResourceKind.BATCH, collection="batches", items="operations")
    await send_document(send, WholeAnswer.of_json(page))


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


async def _ask(scope: Scope, call: NativeCall, method: str, path: str) -> WholeAnswer:
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/{path}{encoded(query_of(scope))}")
    headers = upstream_headers(scope)
    if method == "POST":
        headers["Content-Length"] = "0"
    return await fetch(upstream, Outgoing(method, url, headers))


async def _record(call: NativeCall, document: WholeAnswer, model: str, reservation: str) -> None:
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


async def _look(call: NativeCall, batch: Resource, document: WholeAnswer) -> None:
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
    if reservation is None:
        return
    model = batch.model or ""
    if file is None:
        services.metering.settle_later(call.usage, reservation, model, _outcomes_of(output))
    else:
        # The usage stands in a file, which the gateway does not read.
        await services.metering.settle_at_estimate(call.usage, reservation, model)


def _outcomes_of(output: Mapping[str, object]) -> list[Outcome]:
    responses = items(mapping(output.get("inlinedResponses")).get("inlinedResponses"))
    found = [read_generation(dict(mapping(mapping(item).get("response")))) for item in responses]
    return [Outcome.whole(each.usage, each.finish_reason, tier=BATCH_TIER) for each in found if each.usage is not None]
