"""The Gemini API, offline: one ASGI application, wired here.

    call ── route ── faults ── key ──> handler ──> answer
              └── journal: calls, answers, clients that left

Every answer carries `X-Gateway-Emulator: 1`. The emulator imports nothing of the gateway.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gemini_emulator.catalogue import get_model, list_models, list_tuned_models
from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.embeddings import EmbeddingCalls
from gemini_emulator.exchange import ClientGoneError, CutError, Exchange
from gemini_emulator.failures import ApiFailureError, bad_request, no_key, wrong_key
from gemini_emulator.faults import FaultKind, FaultPlan
from gemini_emulator.files.calls import FileCalls
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.ranges import RangedUploads
from gemini_emulator.files.resumable import ResumableUploads
from gemini_emulator.files.sessions import Sessions
from gemini_emulator.files.single import SingleUploads
from gemini_emulator.generation.calls import GenerationCalls
from gemini_emulator.inspection import Inspection
from gemini_emulator.journal import Journal
from gemini_emulator.live.socket import LiveSocket
from gemini_emulator.openai.calls import OpenAiCalls
from gemini_emulator.rate import Rate
from gemini_emulator.routing import MODEL_METHODS, Route, route_of
from gemini_emulator.splitting import SplitMode, Splitting
from gemini_emulator.stored import Stored

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Exchange, Route], Awaitable[None]]
_WRONG_KEY = "invalid"
_PARAMETERS = frozenset(
    {
        "key",
        "alt",
        "$alt",
        "prettyPrint",
        "$prettyPrint",
        "fields",
        "$fields",
        "quotaUser",
        "pageSize",
        "page_size",
        "pageToken",
        "page_token",
        "updateMask",
        "update_mask",
        "stream",
        "include_input",
        "last_event_id",
        "uploadType",
        "upload_id",
        "upload_protocol",
    }
)


def create_emulator(config: EmulatorConfig) -> "ASGIApp":
    """Make the application, with nothing stored and no faults planned."""
    clock = Clock()
    file_store = FileStore(config, clock)
    sessions = Sessions(file_store, clock)
    rate = Rate(config.requests_per_minute, clock)
    plan, journal = FaultPlan(), Journal()
    resumable = ResumableUploads(config, clock, file_store, sessions)
    ranged = RangedUploads(config, clock, file_store, sessions, resumable)
    stored = Stored(config, clock, file_store)
    live = LiveSocket(stored.responder, plan, journal)
    inspection = Inspection(
        clock=clock, file_store=file_store, sessions=sessions, plan=plan, journal=journal, rate=rate, stored=stored
    )
    handlers = {
        **_file_handlers(
            FileCalls(clock, file_store, stored.batch_queue), SingleUploads(clock, file_store), resumable, ranged
        ),
        **_model_handlers(GenerationCalls(config, stored.responder, rate), EmbeddingCalls(config, rate)),
        **stored.handlers(rate),
        **_openai_handlers(OpenAiCalls(config, stored.responder, rate)),
    }
    return _Emulator(config, clock, handlers, inspection, plan, journal, live)


def _file_handlers(
    files: FileCalls, single: SingleUploads, resumable: ResumableUploads, ranged: RangedUploads
) -> dict[str, Handler]:
    async def start(exchange: Exchange, route: Route) -> None:
        is_old = exchange.query.get("uploadType") == "resumable"
        await (ranged.start(exchange, route) if is_old else resumable.start(exchange, route))

    async def go_on(exchange: Exchange, route: Route) -> None:
        is_old = exchange.method == "PUT"
        await (ranged.put(exchange, route) if is_old else resumable.command(exchange, route))

    return {
        "files.start": start,
        "files.upload": go_on,
        "files.finalize": go_on,
        "files.query": go_on,
        "files.cancel": go_on,
        "files.create": single.create,
        "files.get": files.get,
        "files.list": files.list,
        "files.delete": files.delete,
        "files.download": files.download,
        "files.register": files.register,
    }


def _model_handlers(generation: GenerationCalls, embeddings: EmbeddingCalls) -> dict[str, Handler]:
    return {
        "generateContent": generation.generate,
        "streamGenerateContent": generation.generate,
        "countTokens": generation.count_tokens,
        "embedContent": embeddings.embed,
        "batchEmbedContents": embeddings.embed_batch,
        "models.list": list_models,
        "models.get": get_model,
        "tunedModels.list": list_tuned_models,
    }


def _openai_handlers(calls: OpenAiCalls) -> dict[str, Handler]:
    return {
        "openai.chat": calls.chat,
        "openai.embeddings": calls.embed,
        "openai.models.list": calls.list_models,
        "openai.models.get": calls.get_model,
    }


class _Emulator:
    """The application: finds the handler of a call, and sees to it that the call is answered and remembered."""

    def __init__(
        self,
        config: EmulatorConfig,
        clock: Clock,
        handlers: dict[str, Handler],
        inspection: Inspection,
        plan: FaultPlan,
        journal: Journal,
        live: LiveSocket,
    ) -> None:
        self._live = live
        self._config = config
        self._clock = clock
        self._splitting = Splitting(SplitMode(config.split_answers))
        self._handlers = handlers
        self._inspection = inspection
        self._plan = plan
        self._journal = journal

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await self._live.serve(scope, receive, send)
        else:
            await self._serve(Exchange(scope, receive, send, clock=self._clock))

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.path.startswith("/emulator/"):
            await self._answer(exchange, self._inspection.serve(exchange))
            return
        exchange.splitting = self._splitting
        self._journal.begin(exchange.record)
        try:
            await self._answer(exchange, self._call(exchange))
        finally:
            self._journal.end()

    async def _answer(self, exchange: Exchange, work: Awaitable[None]) -> None:
        """See a call to its end: every failure is answered, unless there is nobody left to answer."""
        try:
            try:
                await work
            except ApiFailureError as failure:
                await exchange.fail(failure)
        except ClientGoneError:
            exchange.record.aborted = True
            if exchange.is_body_read:
                self._journal.abort()
        except CutError:
            return

    async def _call(self, exchange: Exchange) -> None:
        try:
            route = route_of(exchange.method, exchange.path, exchange.query, exchange.headers)
            exchange.record.operation = route.operation
        finally:
            self._journal.count(exchange.record.operation)
        exchange.faults = self._plan.take(route.operation, exchange.headers.get("x-emulator-fault", ""))
        _check_key(exchange)
        _check_parameters(exchange)
        planned = exchange.faults.get(FaultKind.STATUS)
        if planned is not None:
            # What is refused has come all the same, and is to be seen among the requests.
            takes_json = route.operation in {
                *MODEL_METHODS,
                "files.start",
                "caches.create",
                "caches.patch",
                "interactions.create",
                "openai.chat",
                "openai.embeddings",
            }
            await (exchange.document(self._config.request_limit_bytes) if takes_json else exchange.drain())
            raise planned.failure()
        await self._handlers[route.operation](exchange, route)


def _check_key(exchange: Exchange) -> None:
    bearer = exchange.headers.get("authorization", "").removeprefix("Bearer ")
    key = exchange.headers.get("x-goog-api-key") or exchange.query.get("key", "") or bearer
    exchange.record.key_seen = bool(key)
    if "upload_id" in exchange.query:
        # The address of a session is its credential.
        return
    if not key:
        raise no_key()
    if key == _WRONG_KEY:
        raise wrong_key()


def _check_parameters(exchange: Exchange) -> None:
    unknown = [name for name in exchange.query if name not in _PARAMETERS]
    if unknown:
        raise bad_request(
            [
                (
                    "",
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. Field '
                    f"'{name}' could not be found in request message.",
                )
                for name in unknown
            ]
        )


async def _live(receive: "Receive", send: "Send") -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
