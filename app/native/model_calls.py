"""A relayed model call within its client's limits: reserved before it is sent, settled by the relayed answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from app.accounting.outcome import Outcome
from app.gemini.refusals import GeminiFailedError
from app.native.bodies import Body
from app.native.relay import RelayResult
from app.native.services import NativeCall


@asynccontextmanager
async def relayed_call(
    call: NativeCall, model: str, body: Body, *, generates: bool = True
) -> AsyncIterator[RelayResult]:
    """Run a block that sends a body and relays the model's answer, and settle the call on every ending.

    `model` is Gemini's name. A call that does not generate reserves no output. Raises the errors of `Metering.reserve`.
    """
    result = RelayResult()
    estimate = body.estimate if generates else replace(body.estimate, max_output_tokens=0)
    outcome = partial(outcome_of, result)
    async with call.services.metering.model_call(call.usage, model, estimate, outcome) as model_call:
        try:
            yield result
        finally:
            model_call.estimate = body.latest_estimate


def outcome_of(result: RelayResult, error: BaseException | None) -> Outcome:
    """Return the outcome of a relayed call that ended in `error`, None for no error."""
    if result.status >= 400:
        return Outcome.refused_by_status(result.status)
    found = result.relayed
    if result.is_whole and not found.is_error:
        return Outcome.whole(found.usage, found.finish_reason, text_chars=found.text_chars, tier=result.tier)
    if found.is_error:
        error = GeminiFailedError("Gemini reported an error in its answer.")
    return Outcome.broken(error, found.usage, found.text_chars, tier=result.tier)
