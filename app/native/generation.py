"""The model calls: generateContent, streamGenerateContent, countTokens and the embeddings, relayed.

The model is in the path. A long body is sent while it is scanned, and its last byte once the whole body is scanned.
"""

from starlette.types import Receive, Scope, Send

from app.native.bodies import Body, take
from app.native.heads import alt_of, encoded, json_headers, query_of
from app.native.model_calls import relayed_call
from app.native.reading import read_generation
from app.native.relay import Outgoing, Streaming, relay
from app.native.scanning.policy import BATCH_EMBED, COUNT_TOKENS, EMBED, GENERATE
from app.native.services import NativeCall
from app.native.usage_reader import Reading

READING = Reading(read_generation, b"usageMetadata")


async def generate(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/models/M:generateContent` and `:streamGenerateContent`."""
    query = query_of(scope, may_number_enums=True)
    alt_of(query, is_stream=call.route.operation.verb == "streamGenerateContent")
    model = call.model(call.route.name)
    async with take(scope, receive, call, GENERATE, path_model=model, may_stream=True) as body:
        outgoing = _outgoing(scope, call, model, query, body)
        async with relayed_call(call, model, body) as result, body.checked():
            await relay(call.services.upstream, send, outgoing, reading=READING, result=result)


async def embed(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/models/M:batchEmbedContents` and `:embedContent`, whose answers hold no usage."""
    query = query_of(scope)
    alt_of(query, is_stream=False)
    model = call.model(call.route.name)
    policy = BATCH_EMBED if call.route.operation.verb == "batchEmbedContents" else EMBED
    async with take(scope, receive, call, policy, path_model=model) as body:
        outgoing = _outgoing(scope, call, model, query, body)
        async with relayed_call(call, model, body, generates=False) as result:
            await relay(call.services.upstream, send, outgoing, reading=READING, result=result)


async def count_tokens(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/models/M:countTokens`, which is free and so never metered."""
    query = query_of(scope)
    alt_of(query, is_stream=False)
    model = call.model(call.route.name)
    async with take(scope, receive, call, COUNT_TOKENS, path_model=model) as body:
        outgoing = _outgoing(scope, call, model, query, body)
        await relay(call.services.upstream, send, outgoing)


def _outgoing(scope: Scope, call: NativeCall, model: str, query: dict[str, str], body: Body) -> Outgoing:
    upstream = call.services.upstream
    verb = call.route.operation.verb
    is_stream = verb == "streamGenerateContent"
    url = upstream.url(f"/{call.route.version}/models/{model}:{verb}{encoded(query)}")
    headers = json_headers(scope, body.length, is_stream=is_stream)
    streaming = Streaming.NO
    if is_stream:
        streaming = Streaming.EVENTS if alt_of(query, is_stream=True) == "sse" else Streaming.ARRAY
    return Outgoing("POST", url, headers, body.content, streaming)
