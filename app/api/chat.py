"""`POST /chat`: a conversation of many turns, as JSON."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.answer_call import AnswerCall, CallOptions
from app.api.caller import RestCaller, caller_of
from app.api.conformance import Conformance
from app.api.json_body import body_too_large, parse_json_body, read_json_body
from app.api.openapi import STREAMED, answers, json_body
from app.api.options import ChatRequest, options_of
from app.api.prompt import THREAD_BYTES, read_messages
from app.api.responses import EventStream, wants_stream, whole
from app.api.schemas import Generation
from app.clients.identity import Scope
from app.edge.hangup import until_hangup
from app.gemini.request import GenerateRequest

router = APIRouter(prefix="/api/v1")


@router.post(
    "/chat",
    operation_id="chat",
    summary="Continue a conversation",
    response_model=None,
    responses=answers(Generation, streamed=STREAMED),
    openapi_extra=json_body(ChatRequest),
)
@needs(Scope.GENERATE, asks_model=True)
async def chat(request: Request) -> Response:
    """Read the conversation, ask the model, and answer as JSON, text or events."""
    caller = caller_of(request)
    async with AsyncExitStack() as stack:
        async with until_hangup(request.scope):
            chat_request = await _read(request, caller, stack)
            call = await _call(caller, chat_request)
            if not wants_stream(request, chat_request.stream):
                return await whole(request, call)
        # The stream now owns the reserved memory and releases it at its end.
        return EventStream(call, stack.pop_all())


async def _read(request: Request, caller: RestCaller, stack: AsyncExitStack) -> ChatRequest:
    body = await read_json_body(request, caller, stack, limit=caller.services.settings.inline_limit_bytes)
    if len(body) < THREAD_BYTES:
        return _parse(body)
    # Parsing a body with inline media takes longer than the event loop may be blocked.
    return await asyncio.to_thread(_parse, body)


def _parse(body: bytearray) -> ChatRequest:
    return parse_json_body(body, ChatRequest)


async def _call(caller: RestCaller, chat_request: ChatRequest) -> AnswerCall:
    turns, items = await read_messages(caller, chat_request.turns, first=int(chat_request.has_system_message))
    options = options_of(chat_request)
    request = GenerateRequest(turns, options.json())
    if request.size_bytes > caller.services.settings.inline_limit_bytes:
        raise body_too_large(caller.services.settings.inline_limit_bytes)
    schema = chat_request.response_schema
    return AnswerCall(
        caller,
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
