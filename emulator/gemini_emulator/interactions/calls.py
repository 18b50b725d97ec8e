"""Create, get, cancel and delete interactions, whole or as a stream (surfaces reference).

    document ── parse ──> turns before + input ── Responder ──> Interaction ──> JSON, or events

The answer is made at once; one in the background is shown later. Agents and continuation tokens are not there.
"""

import asyncio
import secrets
from collections.abc import Mapping

from gemini_emulator.catalogue import find_model
from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.faults import FaultKind
from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.responder import Responder
from gemini_emulator.interactions.answers import outcome_of, steps_of_answer, turn_of_answer, usage_of
from gemini_emulator.interactions.asking import request_of
from gemini_emulator.interactions.events import DONE, answering, error_frame, frame, opening, position_after
from gemini_emulator.interactions.memory import Interaction, Memory
from gemini_emulator.interactions.turns import steps_of, turns_of
from gemini_emulator.proto.blobs import as_base64
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.parser import parse
from gemini_emulator.proto.stored import CREATE_INTERACTION
from gemini_emulator.rate import Rate
from gemini_emulator.routing import Route

_LOOK_EVERY_S = 0.02
_SSE_TYPE = b"text/event-stream"


class InteractionCalls:
    """Handlers of the calls on `/{v}/interactions`."""

    def __init__(self, config: EmulatorConfig, clock: Clock, memory: Memory, responder: Responder, rate: Rate) -> None:
        self._config = config
        self._clock = clock
        self._memory = memory
        self._responder = responder
        self._rate = rate

    async def create(self, exchange: Exchange, route: Route) -> None:
        """Answer an input, and remember it unless told otherwise."""
        document = await exchange.document(self._config.request_limit_bytes, has_contents=True)
        asked = Fields(parse(CREATE_INTERACTION, document))
        await exchange.unless_gone(self._create(exchange, route, asked))

    async def get(self, exchange: Exchange, route: Route) -> None:
        """Answer with an interaction, or with its events from any of them on."""
        interaction = self._memory.get(route.name)
        if exchange.query.get("stream", "").lower() == "true":
            after = position_after(exchange.query.get("last_event_id", ""))
            await exchange.drain()
            await exchange.unless_gone(self._stream(exchange, interaction, after))
            return
        shown = interaction.resource(self._clock.now())
        if exchange.query.get("include_input", "").lower() == "true":
            shown["input"] = as_base64(list(interaction.asked))
        await exchange.answer_json(shown)

    async def cancel(self, exchange: Exchange, route: Route) -> None:
        """Cancel an interaction that is still being worked on."""
        interaction, now = self._memory.get(route.name), self._clock.now()
        if interaction.is_over(now):
            raise invalid(f"The interaction is {interaction.status_at(now)}, and can't be cancelled.")
        interaction.cancelled_at = now
        await exchange.answer_json(interaction.resource(now))

    async def delete(self, exchange: Exchange, route: Route) -> None:
        """Forget an interaction; those that go on from it keep its turns."""
        self._memory.delete(route.name)
        await exchange.answer_json({})

    async def _create(self, exchange: Exchange, route: Route, asked: Fields) -> None:
        is_stored = "store" not in asked or asked.flag("store")
        if asked.flag("background") and not is_stored:
            raise invalid("background: needs store.")
        interaction = await self._answer(exchange, route, asked)
        if is_stored:
            self._memory.add(interaction)
        if asked.flag("stream"):
            await self._stream(exchange, interaction, 0)
        else:
            await exchange.answer_json(interaction.resource(self._clock.now()))

    async def _answer(self, exchange: Exchange, route: Route, asked: Fields) -> Interaction:
        if "agent" in asked:
            raise ApiFailureError(404, f"Agent {asked.text('agent')} was not found.")
        if "continuationToken" in asked:
            raise invalid("continuation_token: the token is not valid.")
        model = find_model(asked.text("model"), route.version, "generateContent")
        self._rate.admit(model.name)
        before = self._turns_before(asked.text("previousInteractionId"))
        steps = steps_of(asked.value("input"))
        turns = [*before, *turns_of(steps, before)]
        understood = await self._responder.understand(request_of(asked, turns), model)
        if exchange.faults.get(FaultKind.BLOCK):
            answer = Answer("", finish_reason="SAFETY")
        else:
            answer = await self._responder.answer(understood, exchange.faults)
        now = self._clock.now()
        return Interaction(
            interaction_id=f"v1_{secrets.token_urlsafe(24)}",
            model=model.name,
            previous_id=asked.text("previousInteractionId"),
            asked=steps,
            turns=[*turns, turn_of_answer(answer)],
            steps=steps_of_answer(answer),
            outcome=outcome_of(answer),
            usage=usage_of(answer, understood.identity),
            created_at=now,
            ready_at=now + (self._config.background_delay_s if asked.flag("background") else 0.0),
        )

    def _turns_before(self, previous_id: str) -> list[Mapping[str, object]]:
        if not previous_id:
            return []
        previous = self._memory.get(previous_id)
        if not previous.is_over(self._clock.now()):
            raise invalid(f"previous_interaction_id: the interaction {previous_id} is not done.")
        return list(previous.turns)

    async def _stream(self, exchange: Exchange, interaction: Interaction, after: int) -> None:
        broken = exchange.faults.get(FaultKind.STREAM_ERROR)
        if broken is not None and not broken.after_chunks:
            raise broken.failure()
        drip = exchange.faults.get(FaultKind.DRIP)
        pause_s = drip.delay_s if drip else self._config.stream_chunk_delay_s
        await exchange.begin(content_type=_SSE_TYPE)
        position = sent = 0
        for make in (opening, answering):
            # The clock can be advanced, which wakes nobody.
            while make is answering and not interaction.is_over(self._clock.now()):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_EVERY_S)
            for event in make(interaction):
                if broken is not None and sent == broken.after_chunks:
                    await exchange.write(error_frame(broken.failure()) + DONE)
                    await exchange.end()
                    return
                if position >= after:
                    if sent and pause_s:
                        await asyncio.sleep(pause_s)
                    await exchange.write(frame(event, position))
                    sent += 1
                position += 1
        await exchange.write(DONE)
        await exchange.end()
