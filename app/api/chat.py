"""`POST /chat`: a conversation of many turns, as JSON."""

import asyncio
from contextlib import AsyncExitStack

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from app.api.answering import EventStream, wants_stream, whole
from app.api.bounds import check_values
from app.api.call import Call, CallOptions
from app.api.conformance import Conformance
from app.api.document import STREAMED, answers, json_body
from app.api.forms import invalid
from app.api.options import ChatRequest, options_of
from app.api.prompt import THREAD_BYTES, read_messages
from app.api.schemas import Generation
from app.api.services import Services, services_of
from app.edge.body import body_of, content_length
from app.edge.hangup import until_hangup
from app.errors import BodyTooLargeError, InvalidFieldError, MalformedRequestError, UnsupportedMediaTypeError
from app.gemini.request import GenerateRequest

router = APIRouter(prefix="/api/v1")


@router.post(
    "/chat",
    operation_id="chat",
    summary="Go on with a conversation",
    response_model=None,
    responses=answers(Generation, streamed=STREAMED),
    openapi_extra=json_body(ChatRequest),
)
async def chat(request: Request) -> Response:
    """Read the conversation, ask the model, and answer as JSON, text or events."""
    services = services_of(request)
    async with AsyncExitStack() as stack:
        async with until_hangup(request.scope):
            chat_request = await _read(request, services, stack)
            call = await _call(services, chat_request)
            if not wants_stream(request, chat_request.stream):
                return await whole(request, call)
        return EventStream(call, stack.pop_all())


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The body may have at most {limit} bytes. Upload large media to /api/v1/files and name it by file_id."
    )


async def _read(request: Request, services: Services, stack: AsyncExitStack) -> ChatRequest:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaTypeError(f"This operation takes application/json, not {kind[:80] or 'an unnamed type'}.")
    settings = services.settings
    limit = settings.inline_limit_bytes
    if (content_length(request.scope) or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    pieces = body_of(
        request.scope, request.receive, idle_timeout_s=settings.idle_timeout_s, min_body_rate=settings.min_body_rate
    )
    async for piece in pieces:
        if len(body) + len(piece) > limit:
            raise _too_large(limit)
        services.held_bytes.reserve(len(piece))
        stack.callback(services.held_bytes.release, len(piece))
        body += piece
    if len(body) < THREAD_BYTES:
        return _parse(body)
    return await asyncio.to_thread(_parse, body)


def _parse(body: bytearray) -> ChatRequest:
    try:
        check_values(body)
    except ValueError as error:
        raise InvalidFieldError(f"The body {error}.") from None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequestError(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from None
    try:
        return ChatRequest.model_validate(parsed)
    except ValidationError as error:
        raise invalid(error, "", None) from None


async def _call(services: Services, chat_request: ChatRequest) -> Call:
    turns, items = await read_messages(services, chat_request.messages)
    options = options_of(lambda name: getattr(chat_request, name))
    request = GenerateRequest(turns, options.json())
    if request.size_bytes > services.settings.inline_limit_bytes:
        raise _too_large(services.settings.inline_limit_bytes)
    schema = chat_request.response_schema
    return Call(
        services,
        items,
        lambda: request,
        options,
        CallOptions(
            requested_model=chat_request.model,
            keep_file=False,
            timeout_s=chat_request.timeout_s,
            metadata=chat_request.metadata,
            conformance=None if schema is None else Conformance(schema),
        ),
    )
