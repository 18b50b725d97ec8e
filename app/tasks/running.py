"""Running a task: ask the question, read the answer, and continue a long answer that was cut.

    media + instruction ──> ask ──> read ───────────────────────────────> result
                             ^        └──(cut, and some items were new)──┐
                             └── media + instruction, last items, continue

This module awaits the model through a function passed to it. It knows finish reasons, but no forms, files or surfaces.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NoReturn, Protocol, TypeVar

from app.errors import BadModelAnswerError, BlockedByModelError, GatewayError, UpstreamSaid
from app.gemini.answer import ENDED, Answer, Usage
from app.gemini.finish_reasons import BLOCKED, TRUNCATED
from app.gemini.request import Options, Part, TextPart, Turn
from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.task import Accumulator, Question, TaskWarning

# Asks the model with these turns and options. Raises the error for Gemini's refusal.
Ask = Callable[[Sequence[Turn], Options], Awaitable[Answer]]

NOTHING = "{}"
# A generous estimate of the bytes that a continuation adds to a request, so that its length is known beforehand.
CONTINUATION_BYTES = 65_536


class Ending(Protocol):
    """A result that knows whether its JSON was complete."""

    @property
    def is_whole(self) -> bool:
        """Whether the JSON was complete."""


R = TypeVar("R", bound=Ending)


@dataclass(frozen=True, slots=True)
class Run:
    """The course of a task: Gemini's last finish reason, completeness, and the usage of each call."""

    finish_reason: str
    is_complete: bool
    model: str | None
    usages: tuple[Usage, ...]
    warnings: tuple[TaskWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[R]):
    """A result, and the course of its task."""

    result: R
    run: Run


def options_of(question: Question) -> Options:
    """Return the options of a question."""
    return Options(
        response_schema=question.schema, thinking_level=question.thinking_level, temperature=question.temperature
    )


async def run_once(
    ask: Ask, media: Sequence[Part], question: Question, read: Callable[[str], Awaitable[R]]
) -> TaskResult[R]:
    """Ask once and return the reading of the answer; of a cut answer, the whole items are kept.

    Raises BlockedByModelError, BadModelAnswerError, and the errors of `ask`.
    """
    answer = await ask([_first_turn(media, question)], options_of(question))
    if answer.finish_reason in BLOCKED:
        _refuse_blocked(answer)
    try:
        result = await read(answer.text)
    except UnreadableAnswerError as error:
        if answer.finish_reason not in TRUNCATED:
            _refuse_unreadable(answer, error)
        result = await read(NOTHING)
    is_complete = answer.finish_reason in ENDED and result.is_whole
    return TaskResult(result, Run(answer.finish_reason, is_complete, answer.model, (answer.usage,)))


async def run_long(
    ask: Ask, media: Sequence[Part], question: Question, accumulator: Accumulator, *, max_continuations: int
) -> Run:
    """Ask, and continue while the answer is cut and has new items, at most `max_continuations` times.

    The items are in `accumulator` afterwards. Raises as `run_once`; but if a continuation fails, the task ends with the
    items so far, incomplete and with a warning.
    """
    first = _first_turn(media, question)
    answer = await ask([first], options_of(question))
    usages = [answer.usage]
    for _ in range(max_continuations):
        is_cut, has_new = await _take(accumulator, answer)
        if not is_cut or not has_new:
            break
        # The same temperature as in the first question, so that the style does not change.
        following = replace(accumulator.continuation(), temperature=question.temperature)
        turns = [
            first,
            Turn("model", [TextPart(accumulator.last_items())]),
            Turn("user", [TextPart(following.instruction)]),
        ]
        try:
            answer = await ask(turns, options_of(following))
        except GatewayError as error:
            warning = TaskWarning(
                "continuation-failed", None, f"The answer was cut, and its continuation failed: {error.detail}"
            )
            return Run(answer.finish_reason, False, answer.model, tuple(usages), (warning,))
        usages.append(answer.usage)
    else:
        is_cut, _ = await _take(accumulator, answer)
    return Run(answer.finish_reason, answer.finish_reason in ENDED and not is_cut, answer.model, tuple(usages))


async def _take(accumulator: Accumulator, answer: Answer) -> tuple[bool, bool]:
    """Add one answer; return whether it was cut, and whether any item was new."""
    is_cut = answer.finish_reason in TRUNCATED
    is_continuation = bool(accumulator.last_items())
    if answer.finish_reason in BLOCKED and not is_continuation and not answer.text:
        _refuse_blocked(answer)
    try:
        # In a thread: reading a long answer takes longer than the event loop may be blocked.
        taken = await asyncio.to_thread(accumulator.take, answer.text)
    except UnreadableAnswerError as error:
        # A cut answer may end before its first item, and a bad continuation must not spoil the items so far.
        if is_cut or is_continuation:
            return True, False
        if answer.finish_reason in BLOCKED:
            _refuse_blocked(answer)
        _refuse_unreadable(answer, error)
    if answer.finish_reason in BLOCKED and not taken.has_new and not is_continuation:
        _refuse_blocked(answer)
    return is_cut or not taken.is_whole, taken.has_new


def _first_turn(media: Sequence[Part], question: Question) -> Turn:
    return Turn("user", [*media, TextPart(question.instruction)])


def _refuse_blocked(answer: Answer) -> NoReturn:
    reason = answer.block_reason or answer.finish_reason
    raise BlockedByModelError(f"Gemini blocked the answer: {reason}.", upstream=_said_upstream(answer, reason))


def _refuse_unreadable(answer: Answer, error: UnreadableAnswerError) -> NoReturn:
    reason = answer.finish_reason
    raise BadModelAnswerError(
        f"The model's answer cannot be understood: {error}. Its finish reason is {reason}.",
        upstream=_said_upstream(answer, reason),
    )


def _said_upstream(answer: Answer, reason: str) -> UpstreamSaid:
    return UpstreamSaid(200, reason.upper(), answer.finish_message or "")
