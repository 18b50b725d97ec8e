"""`{version}/openai/...`: chat completions whole and as a stream, embeddings, models.

document ── translate ──> message ── Responder ──> Answer ──> chat.completion, or its chunks and [DONE]
"""

import asyncio
from collections.abc import Callable

import numpy as np
import orjson
import pybase64

from gemini_emulator.catalogue import find_model, listed_models
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.embeddings import vector_of
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid
from gemini_emulator.faults import FaultKind
from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.responder import Responder, Understood
from gemini_emulator.openai.translating import Json, generate_request
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.messages import EMBED_CONTENT, GENERATE_CONTENT
from gemini_emulator.proto.parser import parse
from gemini_emulator.rate import Rate
from gemini_emulator.routing import Route

_MADE_AT = 1_790_000_000
_CHUNK_CHARS = 40
_FINISHED = {"STOP": "stop", "": "stop", "MAX_TOKENS": "length"}


class OpenAiCalls:
    """Handlers of Google's OpenAI-compatible path."""

    def __init__(self, config: EmulatorConfig, responder: Responder, rate: Rate) -> None:
        self._config = config
        self._responder = responder
        self._rate = rate

    async def chat(self, exchange: Exchange, route: Route) -> None:
        """Answer a chat, in one piece or as a stream."""
        chat = await self._document(exchange)
        model = find_model(_model_name(chat), route.version, "generateContent")
        self._rate.admit(model.name)
        understood = await self._responder.understand(Fields(parse(GENERATE_CONTENT, generate_request(chat))), model)
        answer = await self._responder.answer(understood, exchange.faults)
        if chat.get("stream") is True:
            options = chat.get("stream_options")
            tells_usage = isinstance(options, dict) and options.get("include_usage") is True
            await self._stream(exchange, understood, answer, tells_usage=tells_usage)
            return
        await exchange.answer_json(
            {
                "id": understood.identity.response_id,
                "object": "chat.completion",
                "created": _MADE_AT,
                "model": model.name,
                "choices": [
                    {"index": index, "message": _message(answer), "finish_reason": _finished(answer)}
                    for index in range(answer.candidates)
                ],
                "usage": _usage(understood, answer),
            }
        )

    async def _stream(self, exchange: Exchange, understood: Understood, answer: Answer, *, tells_usage: bool) -> None:
        await exchange.begin(content_type=b"text/event-stream")
        broken = exchange.faults.get(FaultKind.STREAM_ERROR)
        drip = exchange.faults.get(FaultKind.DRIP)
        pieces: list[Json] = [
            {"role": "assistant", "content": answer.text[start : start + _CHUNK_CHARS]}
            for start in range(0, max(1, len(answer.text)), _CHUNK_CHARS)
        ]
        if answer.call is not None:
            pieces = [{"role": "assistant", "tool_calls": _message(answer)["tool_calls"]}]
        for index, piece in enumerate(pieces):
            if broken is not None and index == broken.after_chunks:
                await exchange.write(b"data: %b\n\n" % orjson.dumps(broken.failure().body()))
                break
            if index and drip is not None:
                await asyncio.sleep(drip.delay_s)
            ends = index == len(pieces) - 1
            reason = _finished(answer) if ends else None
            choices: list[Json] = [
                {"index": number, "delta": piece, "finish_reason": reason} for number in range(answer.candidates)
            ]
            await self._write(exchange, understood, choices, None)
        if tells_usage:
            await self._write(exchange, understood, [], _usage(understood, answer))
        await exchange.write(b"data: [DONE]\n\n")
        await exchange.end()

    async def _write(self, exchange: Exchange, understood: Understood, choices: list[Json], usage: Json | None) -> None:
        chunk: Json = {
            "id": understood.identity.response_id,
            "object": "chat.completion.chunk",
            "created": _MADE_AT,
            "model": understood.identity.model,
            "choices": choices,
        }
        if usage is not None:
            chunk["usage"] = usage
        await exchange.write(b"data: %b\n\n" % orjson.dumps(chunk))

    async def embed(self, exchange: Exchange, route: Route) -> None:
        """Answer with one vector a text."""
        document = await self._document(exchange)
        model = find_model(_model_name(document), route.version, "embedContent")
        self._rate.admit(model.name)
        given = document.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
            raise invalid("input: must be a text, or a list of texts.")
        encode = _encoder(document.get("encoding_format"))
        size = document.get("dimensions")
        requests: list[Json] = [
            {"content": {"parts": [{"text": text}]}, "outputDimensionality": size} for text in texts
        ]
        vectors = [encode(vector_of(Fields(parse(EMBED_CONTENT, request)))) for request in requests]
        await exchange.answer_json(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
                ],
                "model": model.name,
            }
        )

    async def list_models(self, exchange: Exchange, _: Route) -> None:
        """List the models."""
        await exchange.answer_json({"object": "list", "data": [_resource(model.name) for model in listed_models()]})

    async def get_model(self, exchange: Exchange, route: Route) -> None:
        """Get one model."""
        await exchange.answer_json(_resource(find_model(route.name, route.version, None).name))

    async def _document(self, exchange: Exchange) -> Json:
        document = await exchange.document(self._config.request_limit_bytes)
        if not isinstance(document, dict):
            raise invalid("The body must be a JSON object.")
        return document


def _model_name(document: Json) -> str:
    name = document.get("model")
    if not isinstance(name, str):
        raise invalid("model: must be a text.")
    return name


def _encoder(encoding: object) -> Callable[[list[float]], object]:
    """Return the function that writes a vector; base64 is of 32-bit floats, little-endian, as OpenAI's clients read."""
    match encoding:
        case None | "float":
            return list
        case "base64":
            return lambda vector: pybase64.b64encode(np.array(vector, dtype="<f4").tobytes()).decode()
        case _:
            raise invalid("encoding_format: must be float or base64.")


def _resource(name: str) -> Json:
    return {"id": f"models/{name}", "object": "model", "owned_by": "google"}


def _finished(answer: Answer) -> str:
    return "tool_calls" if answer.call is not None else _FINISHED.get(answer.finish_reason, "content_filter")


def _message(answer: Answer) -> Json:
    if answer.call is None:
        return {"role": "assistant", "content": answer.text}
    call = answer.call
    function = {"name": call.name, "arguments": orjson.dumps(dict(call.args)).decode()}
    return {"role": "assistant", "tool_calls": [{"id": call.call_id, "type": "function", "function": function}]}


def _usage(understood: Understood, answer: Answer) -> Json:
    prompt = sum(understood.identity.prompt_tokens.values())
    completion = answer.text_tokens * answer.candidates
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + answer.thought_tokens,
    }
