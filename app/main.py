"""The wiring: `create_app` builds everything inside one exit stack, in the required order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from google import genai
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.authentication import Authentication
from app.access.request_rates import RequestRates
from app.accounting.fair_shares import FairShares
from app.accounting.ledger_entry import record
from app.accounting.metering import Metering
from app.api import auth, chat, files, generate, health, usage
from app.api import models as models_api
from app.api.access import RestOperations
from app.api.auth import TokenRequest
from app.api.direct import RestRoutes
from app.api.docs import add_docs
from app.api.field_errors import field_error
from app.api.files import UploadForm
from app.api.forms import invalid_fields, shown
from app.api.openapi import build_document
from app.api.options import ChatRequest, GenerateForm
from app.clients.admission import open_admission
from app.clients.authenticator import Authenticator, open_authenticator
from app.clients.fetching import fetcher
from app.clients.ledger import Ledger
from app.clients.rate_headers import rate_fields
from app.edge.access_log import AccessLog
from app.edge.cors import origin_rule, with_cors
from app.edge.guard import Guard
from app.edge.handshake import HandshakeTimeout
from app.edge.hosts import allowed_hosts
from app.edge.reply import error_response
from app.errors import (
    ClientGoneError,
    GatewayError,
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
)
from app.gemini.clock import GeminiClock
from app.gemini.control import open_control
from app.gemini.credentials import ApiKey
from app.gemini.generation import GenerationClient
from app.gemini.models import Models
from app.gemini.remote_files import RemoteFiles
from app.gemini.uploads import ResumableUploads, UnknownLengths
from app.gemini.upstream import Upstream, open_upstream
from app.media.background_tasks import BackgroundTasks, sweeping, when_agreed
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.media.file_sweep import FileSweep
from app.media.workers import Workers
from app.native.app import NativeRoutes
from app.native.handlers import HANDLERS
from app.native.routes import target_of
from app.native.services import NativeServices
from app.native.turns import ScanTurns
from app.native.uploads.address import client_by_address
from app.native.uploads.leases import WriterLeases
from app.native.writers import Writers
from app.request.context import context_of
from app.settings import Settings
from app.store.budgets import BudgetBook
from app.store.database import Database, open_database
from app.store.file_retention import FileRetention
from app.store.file_room import FileRoom
from app.store.files import FileRegistry
from app.store.ledger import LedgerTable
from app.store.resources import ResourceRegistry
from app.store.secrets import open_vault
from app.store.upload_sessions import UploadSessions
from app.tasks.registry import TASKS

DESCRIPTION = "A prompt and any media in one call, answered by Gemini. Media in, text or JSON out."
LINGER_S = 10.0
ROUTERS = tuple(module.router for module in (generate, chat, files, models_api, auth, usage, health, *TASKS))


async def _open(stack: AsyncExitStack, settings: Settings, key: ApiKey, clock: GeminiClock | None) -> NativeServices:
    database = await stack.enter_async_context(open_database(settings.database_url))
    ledger = Ledger(LedgerTable(database), flush_s=settings.ledger_flush_s, keep_days=settings.ledger_days)
    await stack.enter_async_context(ledger)
    upstream = await stack.enter_async_context(open_upstream(settings, key, clock))
    control = await stack.enter_async_context(open_control(upstream))
    background = BackgroundTasks()
    stack.push_async_callback(background.drain, LINGER_S)
    file_service = await _open_files(stack, settings, database, upstream, control, background)
    authenticator = await _open_authenticator(stack, settings, database)
    models = Models(upstream, control, settings)
    admission = await stack.enter_async_context(open_admission(settings, database))
    workers = Workers(settings.decoders, settings.decode_timeout_s, settings.decode_memory_bytes)
    await stack.enter_async_context(workers)
    leases = WriterLeases(UploadSessions(database))
    stack.push_async_callback(leases.aclose)
    services = NativeServices(
        settings=settings,
        upstream=upstream,
        generation=GenerationClient(upstream),
        models=models,
        files=file_service,
        workers=workers,
        held_bytes=HeldBytes(settings.max_buffered_bytes, max_uploads=settings.max_uploads),
        database=database,
        authenticator=authenticator,
        ledger=ledger,
        metering=Metering(
            admission, models, reserved_output_tokens=settings.reserved_output_tokens, is_on=_is_metered(settings)
        ),
        resources=ResourceRegistry(database),
        upload_sessions=UploadSessions(database),
        leases=leases,
        writers=Writers(),
        scan_turns=ScanTurns(),
    )
    await _start_sweeps(stack, services)
    return services


async def _start_sweeps(stack: AsyncExitStack, services: NativeServices) -> None:
    agreed, forgettable = services.upstream.clock.agreed, services.upstream.clock.forgettable
    for sweep in (
        services.models.probe,
        services.metering.admission.sweep,
        when_agreed(agreed, services.ledger.forget_old),
        when_agreed(forgettable, BudgetBook(services.database).forget_ended),
        when_agreed(forgettable, services.authenticator.forget_expired_tokens),
        when_agreed(forgettable, services.resources.forget_expired),
    ):
        await stack.enter_async_context(sweeping(sweep))


async def _open_files(
    stack: AsyncExitStack,
    settings: Settings,
    database: Database,
    upstream: Upstream,
    control: genai.Client,
    background: BackgroundTasks,
) -> FileService:
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    registry, remote = FileRegistry(database), RemoteFiles(control)
    files = FileService(
        registry=registry,
        room=FileRoom(database),
        uploads=_uploads(upstream, settings),
        remote=remote,
        clock=upstream.clock,
        vault=open_vault(secret, settings.database_url),
        background=background,
        settings=settings,
    )
    sweep = FileSweep(files, registry=registry, retention=FileRetention(database), remote=remote, clock=upstream.clock)
    await stack.enter_async_context(sweeping(sweep.run))
    return files


def _is_metered(settings: Settings) -> bool:
    limits = settings.gateway_limits
    return not settings.is_open or (limits is not None and limits.model_dump(exclude_none=True) != {})


async def _open_authenticator(stack: AsyncExitStack, settings: Settings, database: Database) -> Authenticator:
    # Identity providers are asked rarely and never with Gemini's key, so they have a session of their own.
    session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
    return open_authenticator(settings, database, fetcher(session))


def _uploads(upstream: Upstream, settings: Settings) -> ResumableUploads:
    return ResumableUploads(
        upstream,
        unknown_lengths=UnknownLengths(settings.upstream_unknown_length),
        chunk_timeout_s=settings.chunk_timeout_s,
        max_granularity=settings.chunk_bytes,
    )


class Api(FastAPI):
    """The REST surface, and the services opened by its lifespan."""

    services: NativeServices


def create_api(settings: Settings, key: ApiKey, clock: GeminiClock | None = None) -> Api:
    """Return the REST surface without the edge around it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            api.services = await _open(stack, settings, key, clock)
            yield

    api = Api(
        title="Gemini gateway",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        api.include_router(router)
    add_docs(api)
    task_forms = [form for task in TASKS for form in task.forms]
    bodies: list[type[BaseModel]] = [GenerateForm, ChatRequest, TokenRequest, UploadForm, *task_forms]
    api.openapi = lambda: build_document(api, bodies)  # type: ignore[method-assign]  # the way FastAPI documents
    api.add_exception_handler(GatewayError, _refused)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _invalid)
    return api


def rest_operations(api: FastAPI) -> RestOperations:
    """Return the operations of the REST surface. Raises TypeError for a route that declares no access rule."""
    own = [route for route in api.routes if isinstance(route, Route | Mount)]
    return RestOperations([*(route for router in ROUTERS for route in router.routes), *own])


def create_app(
    settings: Settings,
    key: ApiKey,
    *,
    bind_host: str = "127.0.0.1",
    is_dev: bool = False,
    clock: GeminiClock | None = None,
) -> ASGIApp:
    """Return the gateway for these settings.

    `bind_host` is the listening address, which is allowed as a Host; `is_dev` allows every loopback origin; without
    `clock`, the gateway creates a GeminiClock of this machine.
    """
    api = create_api(settings, key, clock)
    app: ASGIApp = NativeRoutes(RestRoutes(api, ROUTERS), lambda: api.services, HANDLERS)
    if _is_metered(settings):
        app = RequestRates(app, lambda: api.services.metering)
    app = FairShares(ResponseHeaders(api, app))
    rest = rest_operations(api)
    app = Authentication(
        app,
        lambda scope: rest.find(scope) or target_of(scope, settings.native_resources),
        lambda: api.services.authenticator,
        lambda scope: client_by_address(scope, api.services.upload_sessions, api.services.authenticator),
    )
    guard = Guard(
        app,
        allowed_hosts=allowed_hosts(settings, bind_host),
        is_open=settings.is_open,
        allows_origin=origin_rule(settings.cors_origins, allow_loopback=is_dev),
    )
    logged = AccessLog(
        HandshakeTimeout(guard),
        public_url=settings.public_url,
        on_end=(lambda scope, ended: record(api.services.ledger, scope, ended)) if _is_metered(settings) else None,
    )
    return with_cors(logged, settings.cors_origins, allow_loopback=is_dev)


class ResponseHeaders:
    """Marks every answer of the emulator, and adds the headers of the client's limits."""

    def __init__(self, api: Api, app: ASGIApp) -> None:
        self._api = api
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the headers."""
        """Serve with the headers."""

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                usage = context_of(scope).usage
                if usage is not None:
                    message["headers"] = [*message["headers"], *rate_fields(usage.quotas)]
                if self._api.services.upstream.is_emulated:
                    message["headers"] = [*message["headers"], (b"x-gateway-emulator", b"1")]
            await send(message)

        await self._app(scope, receive, send if scope["type"] != "http" else mark)


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, GatewayError) and not isinstance(error, ClientGoneError):
        return error_response(request.scope, error)
    raise error


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    ours: GatewayError
    if status == 405:
        ours = MethodNotAllowedError(f"{request.method} is not allowed here; see the Allow header.", headers=headers)
    elif status == 404:
        ours = NotFoundError("This path does not exist; see /docs.")
    else:
        ours = MalformedRequestError("The request cannot be read.")
    return error_response(request.scope, ours)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [
        # The first piece of the location is only "query" or "path".
        field_error({**item, "loc": tuple(item["loc"][1:])}, received=shown("", str(item.get("input"))))
        for item in error.errors()
    ]
    return error_response(request.scope, invalid_fields(fields))
