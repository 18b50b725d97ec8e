"""Interactions: the model is in the JSON, and each interaction stored at Gemini is recorded with its owner.

create ──> scan, splice the model's name ──> Gemini ──> id is recorded ──> the answer goes to the client
"""

import orjson
from starlette.types import Message, Receive, Scope, Send

from app.accounting.outcome import DEFERRED, Outcome, OutcomeKind
from app.errors import UpstreamFailedError
from app.native.bodies import Body, take
from app.native.deferred import check_deferred
from app.native.heads import encoded, json_headers, query_of, upstream_headers
from app.native.json_values import mapping, text
from app.native.model_calls import outcome_of
from app.native.owning import owned
from app.native.reading import read_interaction
from app.native.relay import Outgoing, RelayResult, Streaming, fetch, relay, send_document
from app.native.scanning.policy import INTERACTIONS
from app.native.services import NativeCall
from app.native.usage_reader import Reading
from app.store.resources import Resource, ResourceKind

LIFETIME_S = 60 * 86_400.0
"""Seconds for which an interaction is remembered: longer than Gemini keeps an interaction."""
MAX_HELD_BYTES = 64 << 20
READING = Reading(read_interaction, b"usage")
_GET_TAKES = frozenset({"stream", "include_input", "last_event_id", "alt", "$alt"})
_RUNNING = frozenset({"in_progress", "queued"})


async def create(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/interactions`."""
    query = query_of(scope)
    async with take(scope, receive, call, INTERACTIONS) as body:
        if body.facts.is_background:
            check_deferred(call, "Background interactions")
        model = body.model or call.services.models.default
        outgoing = _outgoing(scope, call, f"interactions{encoded(query)}", body)
        creating = _Creating(call, model, send)
        # The id of an interaction that is not stored has no use afterwards, so nothing must be recorded first.
        creating.is_done = body.facts.store is False
        result, is_background = RelayResult(), body.facts.is_background

        def ended(error: BaseException | None) -> Outcome:
            outcome = outcome_of(result, error)
            return DEFERRED if is_background and outcome.kind is not OutcomeKind.REFUSED else outcome

        metering = call.services.metering
        async with metering.model_call(
            call.usage, model, body.estimate, ended, may_be_deferred=is_background
        ) as model_call:
            creating.reservation = model_call.reservation_id if is_background else None
            await relay(call.services.upstream, creating.send, outgoing, reading=READING, result=result)


async def get(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/interactions/ID`, whole or as a stream that continues after an event."""
    interaction = await owned(call, ResourceKind.INTERACTION)
    query = query_of(scope, _GET_TAKES)
    path = f"interactions/{interaction.name}{encoded(query)}"
    result = RelayResult()
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/{path}")
    # Events only for `stream=true`: the SDKs always send `stream`, also with the value false.
    streaming = Streaming.EVENTS if query.get("stream", "").lower() == "true" else Streaming.NO
    outgoing = Outgoing("GET", url, upstream_headers(scope, is_stream=True), streaming=streaming)
    await relay(upstream, send, outgoing, reading=READING, result=result)
    found = result.relayed
    if interaction.call is not None and found.usage is not None and found.finish_reason not in _RUNNING:
        reservation = await call.services.resources.take_call(interaction.key)
        if reservation is not None:
            outcome = Outcome.whole(found.usage, found.finish_reason, tier=result.tier)
            call.services.metering.settle_later(call.usage, reservation, interaction.model or "", [outcome])


async def cancel(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/interactions/ID/cancel`."""
    interaction = await owned(call, ResourceKind.INTERACTION)
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/interactions/{interaction.name}/cancel{encoded(query_of(scope))}")
    headers = {**upstream_headers(scope), "Content-Length": "0"}
    await relay(upstream, send, Outgoing("POST", url, headers))


async def delete(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `DELETE {version}/interactions/ID`."""
    interaction = await owned(call, ResourceKind.INTERACTION)
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/interactions/{interaction.name}{encoded(query_of(scope))}")
    document = await fetch(upstream, Outgoing("DELETE", url, upstream_headers(scope)))
    if document.status in {200, 403, 404}:
        await call.services.resources.remove(interaction.key)
    await send_document(send, document)


def _outgoing(scope: Scope, call: NativeCall, path: str, body: Body) -> Outgoing:
    upstream = call.services.upstream
    # The gateway reads the id before it passes the answer on, so even a whole answer must come uncompressed.
    headers = json_headers(scope, body.length, is_stream=True)
    streaming = Streaming.EVENTS if body.facts.stream is True else Streaming.NO
    return Outgoing("POST", upstream.url(f"/{call.route.version}/{path}"), headers, body.content, streaming)


# A client may use an id as soon as it has read it, perhaps at another replica.
class _Creating:
    """Holds an answer back until its interaction is recorded: no byte of the id leaves before."""

    def __init__(self, call: NativeCall, model: str, send: Send) -> None:
        self._call = call
        self._model = model
        self._send = send
        self._held: list[Message] = []
        self._text = bytearray()
        self._is_stream = False
        self.is_done = False
        self.reservation: str | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on, at once or as soon as the id is recorded."""
        if not self.is_done:
            self._held.append(message)
            if not await self._is_settled(message):
                return
            self.is_done = True
            for held in self._held[:-1]:
                await self._send(held)
            self._held.clear()
        await self._send(message)

    async def _is_settled(self, message: Message) -> bool:
        if message["type"] == "http.response.start":
            kinds = [value for name, value in message["headers"] if name == b"content-type"]
            self._is_stream = bool(kinds) and kinds[0].startswith(b"text/event-stream")
            return bool(message["status"] != 200)
        self._text += message.get("body", b"")
        if len(self._text) > MAX_HELD_BYTES:
            raise UpstreamFailedError(f"Gemini's answer is larger than {MAX_HELD_BYTES} bytes.")
        is_last = not message.get("more_body", False)
        name = _first_id(self._text) if self._is_stream else _id(bytes(self._text)) if is_last else None
        if name is not None:
            await self._record(name)
        return name is not None or is_last

    async def _record(self, name: str) -> None:
        now = self._call.services.upstream.clock.now()
        await self._call.services.resources.add(
            Resource(
                ResourceKind.INTERACTION,
                name,
                self._call.client.id,
                created_at=now,
                expires_at=now + LIFETIME_S,
                model=self._model,
                call=self.reservation,
            )
        )


def _first_id(stream: bytearray) -> str | None:
    """Return the first id in the complete lines of a stream; None if there is no id yet."""
    for line in bytes(stream[: stream.rfind(b"\n") + 1]).splitlines():
        if line.startswith(b"data:") and (name := _id(line[5:].strip())) is not None:
            return name
    return None


def _id(document: bytes) -> str | None:
    try:
        message = mapping(orjson.loads(document))
    except orjson.JSONDecodeError:
        return None
    return (
        text(mapping(message.get("interaction")).get("id"))
        or text(message.get("interaction_id"))
        or text(message.get("id"))
    )
