"""generateContent, streamGenerateContent, countTokens: from the body to the answer.

document ── parse ──> message ── Responder ──> Answer ──> response, or chunks
"""

from gemini_emulator.catalogue import Model, model_for
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid
from gemini_emulator.faults import FaultKind
from gemini_emulator.generation.hops import STREAMED_TOKENS, WHOLE_TOKENS, hop_of
from gemini_emulator.generation.responder import Responder
from gemini_emulator.generation.responses import blocked, chunks, details, whole
from gemini_emulator.generation.streaming import stream
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.messages import COUNT_TOKENS, GENERATE_CONTENT
from gemini_emulator.proto.parser import parse
from gemini_emulator.rate import Rate
from gemini_emulator.routing import Route


class GenerationCalls:
    """Handlers of the calls that a model answers."""

    def __init__(self, config: EmulatorConfig, responder: Responder, rate: Rate) -> None:
        self._config = config
        self._responder = responder
        self._rate = rate

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
        request = parse(GENERATE_CONTENT, document)
        understood = await self._responder.understand(Fields(request), model)
        identity = understood.identity
        block = exchange.faults.get(FaultKind.BLOCK)
        is_stream = exchange.record.operation == "streamGenerateContent"
        pause_s = self._config.stream_chunk_delay_s
        if block is not None:
            refusal = blocked(block, identity)
            await (stream(exchange, [refusal], pause_s=pause_s) if is_stream else exchange.answer_json(refusal))
            return
        answer = await self._responder.answer(understood, exchange.faults)
        hop = hop_of(request, model, self._config.hop_tokens or (STREAMED_TOKENS if is_stream else WHOLE_TOKENS))
        if hop is not None:
            identity = hop.identity(identity, answer)
            answer = hop.part_of(answer)
        if is_stream:
            await stream(exchange, chunks(answer, identity), pause_s=pause_s)
        else:
            await exchange.answer_json(whole(answer, identity))

    async def _count(self, exchange: Exchange, model: Model, document: object) -> None:
        request = Fields(parse(COUNT_TOKENS, document))
        if ("contents" in request) == ("generateContentRequest" in request):
            raise invalid("* CountTokensRequest: exactly one of contents and generate_content_request must be set.\n")
        inner = request.fields("generateContentRequest") if "generateContentRequest" in request else request
        identity = (await self._responder.understand(inner, model)).identity
        tokens, cached = identity.prompt_tokens, identity.cached_tokens
        answer: dict[str, object] = {"totalTokens": sum(tokens.values()), "promptTokensDetails": details(tokens)}
        if cached:
            answer["cachedContentTokenCount"] = sum(cached.values())
        await exchange.answer_json(answer)
