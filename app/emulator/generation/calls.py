"""generateContent, streamGenerateContent, countTokens: from the body to the answer.

document ── parse ──> message ── read_prompt ──> Prompt ── thread: look ──> compose ──> response, or chunks
"""

import asyncio
import secrets

from app.emulator.catalogue import Model, model_for
from app.emulator.clock import Clock
from app.emulator.config import EmulatorConfig
from app.emulator.exchange import Exchange
from app.emulator.failures import invalid
from app.emulator.faults import FaultKind
from app.emulator.files.shelf import Shelf
from app.emulator.generation.answering import compose
from app.emulator.generation.eyes import Eyes, Seen
from app.emulator.generation.media import MediaReader
from app.emulator.generation.prompt import Prompt, read_prompt
from app.emulator.generation.responses import Identity, blocked, chunks, details, prompt_tokens, whole
from app.emulator.generation.streaming import stream
from app.emulator.proto.fields import Fields
from app.emulator.proto.messages import COUNT_TOKENS, GENERATE_CONTENT
from app.emulator.proto.parser import parse
from app.emulator.rate import Rate
from app.emulator.routing import Route


class GenerationCalls:
    """Handlers of the calls that a model answers."""

    def __init__(self, config: EmulatorConfig, clock: Clock, shelf: Shelf, rate: Rate) -> None:
        self._config = config
        self._reader = MediaReader(shelf, clock)
        self._rate = rate
        self._eyes = Eyes()

    async def generate(self, exchange: Exchange, route: Route) -> None:
        """Answer in one piece, or in a stream."""
        document = await exchange.document(self._config.request_limit_bytes)
        model = model_for(route)
        self._rate.admit(model.name)
        await exchange.unless_gone(self._answer(exchange, model, document))

    async def count_tokens(self, exchange: Exchange, route: Route) -> None:
        """Count the tokens of a prompt, in either form of the request."""
        document = await exchange.document(self._config.request_limit_bytes)
        model = model_for(route)
        await exchange.unless_gone(self._count(exchange, model, document))

    async def _answer(self, exchange: Exchange, model: Model, document: object) -> None:
        prompt, seen = await self._understand(Fields(parse(GENERATE_CONTENT, document)), model)
        identity = Identity(model.name, secrets.token_urlsafe(16), prompt_tokens(prompt, seen))
        block = exchange.faults.get(FaultKind.BLOCK)
        is_stream = exchange.record.operation == "streamGenerateContent"
        pause_s = self._config.stream_chunk_delay_s
        if block is not None:
            refusal = blocked(block, identity)
            await (stream(exchange, [refusal], pause_s=pause_s) if is_stream else exchange.answer_json(refusal))
            return
        if prompt.options.schema is None:
            answer = compose(prompt, seen, exchange.faults)
        else:
            answer = await asyncio.to_thread(compose, prompt, seen, exchange.faults)
        if is_stream:
            await stream(exchange, chunks(answer, identity), pause_s=pause_s)
        else:
            await exchange.answer_json(whole(answer, identity))

    async def _count(self, exchange: Exchange, model: Model, document: object) -> None:
        request = Fields(parse(COUNT_TOKENS, document))
        if ("contents" in request) == ("generateContentRequest" in request):
            raise invalid("* CountTokensRequest: exactly one of contents and generate_content_request must be set.\n")
        inner = request.fields("generateContentRequest") if "generateContentRequest" in request else request
        prompt, seen = await self._understand(inner, model)
        tokens = prompt_tokens(prompt, seen)
        await exchange.answer_json({"totalTokens": sum(tokens.values()), "promptTokensDetails": details(tokens)})

    async def _understand(self, request: Fields, model: Model) -> tuple[Prompt, list[Seen]]:
        prompt = read_prompt(request, model, self._reader)
        if not prompt.media:
            return prompt, []
        resolution = prompt.options.media_resolution
        return prompt, await asyncio.to_thread(self._eyes.look, prompt.media, model.name, resolution)
