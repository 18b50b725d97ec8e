"""Running a task: the question is asked, the answer read, and a long answer that was cut is gone on with.

    media + instruction ──> ask ──> read ──────────────────────────────────> result
                             ^        └──(cut, and something was new)──┐
                             └── media + instruction, what was said, go on

The one module of the tasks that is not pure: it awaits the model through a function that it is given. It knows finish
reasons, and nothing of forms, files and how an answer is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NoReturn, Protocol, TypeVar

from app.errors import BadModelAnswerError, BlockedByModelError, GatewayError, UpstreamSaid
from app.gemini.answer import Answer, Usage
from app.gemini.request import Options, Part, TextPart, Turn
from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.task import Gathering, Question, TaskWarning

Ask = Callable[[Sequence[Turn], Options], Awaitable[Answer]]
"""Asks the model with these turns and options. Raises what Gemini's refusal means."""

CUT = frozenset({"max_tokens", "continuation"})
"""Finish reasons of an answer that would go on."""
BLOCKED = frozenset(
    {
        "blocked",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "image_safety",
        "image_prohibited_content",
        "image_recitation",
    }
)
"""Finish reasons of an answer that Gemini withholds."""
NOTHING = "{}"
GOING_ON_BYTES = 65_536
"""What going on adds to a request, at a generous estimate, so that its length is known beforehand."""


class Ending(Protocol):
    """A result that knows whether the JSON it was read from came to its end."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was cut."""


R = TypeVar("R", bound=Ending)


@dataclass(frozen=True, slots=True)
class Run:
    """How a task went: Gemini's last finish reason, whether nothing is missing, the usage of each call."""

    finish_reason: str
    is_complete: bool
    model: str | None
    usages: tuple[Usage, ...]
    warnings: tuple[TaskWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """A result, and how the task went."""

    result: R
    run: Run


def options_of(question: Question) -> Options:
    """Give a question's options, as the request's assembly takes them."""
    return Options(
        response_schema=question.schema, thinking_level=question.thinking_level, temperature=question.temperature
    )


async def run_once(
    ask: Ask, media: Sequence[Part], question: Question, read: Callable[[str], Awaitable[R]]
) -> Outcome[R]:
    """Ask once, and read the answer; what is whole of one that was cut is kept.

    Raises BlockedByModelError, BadModelAnswerError, and what asking raises.
    """
    answer = await ask([_first_turn(media, question)], options_of(question))
    if answer.finish_reason in BLOCKED:
        _refuse_blocked(answer)
    try:
        result = await read(answer.text)
    except UnreadableAnswerError as error:
        if answer.finish_reason not in CUT:
            _refuse_unreadable(answer, error)
        result = await read(NOTHING)
    is_complete = answer.finish_reason == "stop" and result.is_whole
    return Outcome(result, Run(answer.finish_reason, is_complete, answer.model, (answer.usage,)))


async def run_long(
    ask: Ask, media: Sequence[Part], question: Question, gathering: Gathering, *, max_continuations: int
) -> Run:
    """Ask, and go on as long as the answer is cut and brings anything new, at most `max_continuations` times.

    What comes is in `gathering` afterwards. Raises as `run_once`, but once something was gathered, a later call that
    fails ends the task with what is there, incomplete and with a warning.
    """
    first = _first_turn(media, question)
    answer = await ask([first], options_of(question))
    usages = [answer.usage]
    for _ in range(max_continuations):
        is_cut, has_new = await _take(gathering, answer)
        if not is_cut or not has_new:
            break
        following = replace(gathering.go_on(), temperature=question.temperature)
        turns = [first, Turn("model", [TextPart(gathering.said())]), Turn("user", [TextPart(following.instruction)])]
        try:
            answer = await ask(turns, options_of(following))
        except GatewayError as error:
            warning = TaskWarning("continuation-failed", None, f"The answer was cut; going on failed: {error.detail}")
            return Run(answer.finish_reason, False, answer.model, tuple(usages), (warning,))
        usages.append(answer.usage)
    else:
        is_cut, _ = await _take(gathering, answer)
    return Run(answer.finish_reason, answer.finish_reason == "stop" and not is_cut, answer.model, tuple(usages))


async def _take(gathering: Gathering, answer: Answer) -> tuple[bool, bool]:
    """Take one answer in; gives whether it was cut, and whether it brought anything new."""
    is_cut = answer.finish_reason in CUT
    is_going_on = bool(gathering.said())
    if answer.finish_reason in BLOCKED and not is_going_on and not answer.text:
        _refuse_blocked(answer)
    try:
        taken = await asyncio.to_thread(gathering.take, answer.text)
    except UnreadableAnswerError as error:
        if is_cut or is_going_on:
            return True, False
        if answer.finish_reason in BLOCKED:
            _refuse_blocked(answer)
        _refuse_unreadable(answer, error)
    if answer.finish_reason in BLOCKED and not taken.has_new and not is_going_on:
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
