"""A relayed model call within its client's limits: what is reserved for it, and what is booked when it has ended."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from app.accounting.metering import Asked
from app.gemini.answer import Answer, Usage
from app.native.relay import Watch
from app.native.services import Call


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a request may use: tokens in, its own cap on tokens out (None: it sets none), its service tier."""

    input_tokens: int
    max_output_tokens: int | None = None
    tier: str = "standard"


def answered(usage: Usage, finish_reason: str) -> Answer:
    """Give an answer of which only its usage matters."""
    return Answer(
        text="",
        thoughts=None,
        finish_reason=finish_reason,
        finish_message=None,
        block_reason=None,
        model=None,
        usage=usage,
    )


def merged(usages: Iterable[Usage]) -> Usage:
    """Add up usages."""
    totals: Counter[str] = Counter()
    modalities: Counter[str] = Counter()
    for usage in usages:
        totals.update(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            thinking_tokens=usage.thinking_tokens,
            cached_tokens=usage.cached_tokens,
            total_tokens=usage.total_tokens,
        )
        modalities.update(usage.input_by_modality)
    return Usage(**totals, input_by_modality=dict(modalities))


@dataclass(frozen=True, slots=True)
class Metered:
    """One model call of a client's, asked of a model by the name that Gemini has for it."""

    call: Call
    model: str
    estimate: Estimated

    def admitted(self) -> AbstractAsyncContextManager[Asked]:
        """Run a block that asks the model. Raises what `Metering.admitted` raises."""
        metering = self.call.services.metering
        if not metering.is_on:
            return nullcontext(Asked())
        estimate = self.estimate
        return metering.admitted(
            self.call.meter, self.model, estimate.input_tokens, estimate.max_output_tokens, tier=estimate.tier
        )

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watch]:
        """Run a block that relays the model's answer, and book what the answer said, whatever way the block ends."""
        async with self.admitted() as asked:
            watch = Watch()
            try:
                yield watch
            finally:
                settle(asked, watch)


def settle(asked: Asked, watch: Watch) -> None:
    """Say what came of a relayed call: refused, its usage, a whole answer without a word on it, or a cut one."""
    if watch.status >= 400:
        asked.is_refused = True
        return
    said = watch.said
    if said.usage is not None and (watch.is_whole or said.usage.output_tokens):
        asked.answer = answered(said.usage, said.finish_reason or "other")
    elif watch.is_whole:
        asked.is_unmetered = True
    else:
        asked.streamed_chars = watch.text_bytes
