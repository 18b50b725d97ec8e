"""A relayed model call within its client's limits: what is reserved for it, and what is booked when it has ended."""

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import NamedTuple

from app.accounting.metering import Asked
from app.gemini.answer import Usage
from app.native.relay import RelayResult
from app.native.services import NativeCall


class Estimated(NamedTuple):
    """What a request may use: tokens in, its own cap on tokens out (None: it sets none), its service tier."""

    input_tokens: int
    max_output_tokens: int | None = None
    tier: str = "standard"


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


class Metered(NamedTuple):
    """One model call of a client's, asked of a model by the name that Gemini has for it."""

    call: NativeCall
    model: str
    estimate: Estimated

    def admitted(self) -> AbstractAsyncContextManager[Asked]:
        """Run a block that asks the model. Raises what `Metering.admitted` raises."""
        metering = self.call.services.metering
        if not metering.is_on:
            return nullcontext(Asked())
        estimate = self.estimate
        return metering.admitted(
            self.call.usage,
            self.model,
            estimate.input_tokens,
            estimate.max_output_tokens,
            tier=estimate.tier,
        )

    def watched(self) -> "Watched":
        """Run a block that relays the model's answer, and book what the answer said, whatever way the block ends."""
        return Watched(self.admitted())


class Watched:
    """A block that relays a model's answer. A plain class for the sake of its cost."""

    __slots__ = ("_admitted", "_asked", "_watch")

    def __init__(self, admitted: AbstractAsyncContextManager[Asked]) -> None:
        self._admitted = admitted

    async def __aenter__(self) -> RelayResult:
        self._asked = await self._admitted.__aenter__()
        self._watch = RelayResult()
        return self._watch

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            settle(self._asked, self._watch)
        finally:
            await self._admitted.__aexit__(kind, error, trace)


def settle(asked: Asked, result: RelayResult) -> None:
    """Say what came of a relayed call: refused, its usage, a whole answer without a word on it, or a cut one."""
    if result.status >= 400:
        asked.is_refused = True
        return
    said = result.said
    if said.usage is not None and (result.is_whole or said.usage.output_tokens):
        asked.usage, asked.outcome = said.usage, said.finish_reason or "other"
    elif result.is_whole:
        asked.is_unmetered = True
    else:
        asked.streamed_chars = result.text_bytes
