"""Google's OpenAI-compatible path: the model's name in the JSON is replaced if needed; the rest is relayed."""

from starlette.types import Receive, Scope, Send

from app.native.bodies import take
from app.native.heads import json_headers, query_of, upstream_headers
from app.native.model_calls import relayed_call
from app.native.reading import read_openai
from app.native.relay import Outgoing, Streaming, relay
from app.native.scanning.policy import OPENAI_CHAT, OPENAI_EMBEDDINGS
from app.native.services import NativeCall
from app.native.usage_reader import Reading

READING = Reading(read_openai, b"usage", text_keyword=b"content")
_NOTHING: frozenset[str] = frozenset()


async def ask(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `POST {version}/openai/chat/completions` and `/embeddings`."""
    query_of(scope, _NOTHING)
    policy = OPENAI_CHAT if call.route.operation.operation_id == "openai.chat.completions" else OPENAI_EMBEDDINGS
    async with take(scope, receive, call, policy) as body:
        path = call.route.operation.path.replace("{version}", call.route.version)
        is_stream = body.facts.stream is True
        headers = json_headers(scope, body.length, is_stream=is_stream)
        upstream = call.services.upstream
        streaming = Streaming.EVENTS if is_stream else Streaming.NO
        outgoing = Outgoing("POST", upstream.url(path), headers, body.content, streaming)
        model = body.model or call.services.models.default
        generates = call.route.operation.verb == "chat.completions"
        async with relayed_call(call, model, body, generates=generates) as result:
            hides_usage = body.adds_usage_option
            await relay(upstream, send, outgoing, reading=READING, result=result, hides_usage=hides_usage)


async def list_models(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/openai/models`."""
    await _relay(scope, send, call, "models")


async def get_model(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/openai/models/M`; for an alias, return the model behind the alias."""
    await _relay(scope, send, call, f"models/{call.services.models.resolve(call.route.name)}")


async def _relay(scope: Scope, send: Send, call: NativeCall, path: str) -> None:
    query_of(scope, _NOTHING)
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/openai/{path}")
    await relay(upstream, send, Outgoing("GET", url, upstream_headers(scope)))
