"""Running a task: the kept part of a cut answer, its continuation, and the errors for Gemini's refusals."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from app.errors import BadModelAnswerError, BlockedByModelError, UpstreamUnavailableError
from app.gemini.answer import Answer, Usage
from app.gemini.request import FilePart, Options, TextPart, Turn
from app.tasks.lenient_json import UnreadableAnswerError, read_json
from app.tasks.running import TaskResult, run_long, run_once
from app.tasks.task import Progress, Question

MEDIA = [FilePart("audio/mpeg", "files/x")]
QUESTION = Question("Write it down.", {"type": "object"}, thinking_level="minimal")
GO_ON = Question("Go on.", {"type": "array"})


def answered(text: str, finish_reason: str = "stop", **more: str) -> Answer:
    return Answer(
        text=text,
        thoughts=None,
        finish_reason=finish_reason,
        finish_message=more.get("finish_message"),
        block_reason=more.get("block_reason"),
        model="gemini-x",
        usage=Usage(output_tokens=len(text)),
    )


@dataclass
class Model:
    """Answers in the order given; an error among the answers is raised."""

    answers: list[Answer | Exception]
    asked: list[tuple[Sequence[Turn], Options]] = field(default_factory=list)

    async def __call__(self, turns: Sequence[Turn], options: Options) -> Answer:
        self.asked.append((turns, options))
        answer = self.answers[len(self.asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class Read:
    """A result with the texts that were read."""

    value: object
    is_whole: bool


async def read(text: str) -> Read:
    found = read_json(text)
    return Read(found.value, found.is_whole)


@dataclass
class Numbers:
    """Gathers the numbers of lists."""

    found: list[object] = field(default_factory=list)

    def take(self, text: str) -> Progress:
        read_now = read_json(text)
        assert isinstance(read_now.value, list)
        new = [one for one in read_now.value if one not in self.found]
        self.found += new
        return Progress(read_now.is_whole, has_new=bool(new))

    def last_items(self) -> str:
        return str(self.found[-1:]) if self.found else ""

    def continuation(self) -> Question:
        return GO_ON


async def once(*answers: Answer | Exception) -> TaskResult[Read]:
    return await run_once(Model(list(answers)), MEDIA, QUESTION, read)


async def test_the_media_come_first_then_the_instruction_with_its_schema() -> None:
    model = Model([answered('{"a": 1}')])

    outcome = await run_once(model, MEDIA, QUESTION, read)

    assert outcome.result == Read({"a": 1}, is_whole=True)
    assert outcome.run.is_complete
    turns, options = model.asked[0]
    assert list(turns) == [Turn("user", [*MEDIA, TextPart("Write it down.")])]
    assert options == Options(response_schema={"type": "object"}, thinking_level="minimal")


async def test_of_a_cut_answer_the_whole_is_kept_and_the_cut_is_said() -> None:
    outcome = await once(answered('{"a": 1, "b": "half', "max_tokens"))

    assert outcome.result.value == {"a": 1}
    assert not outcome.run.is_complete
    assert outcome.run.finish_reason == "max_tokens"


async def test_an_answer_cut_before_its_first_item_is_empty() -> None:
    outcome = await once(answered("", "max_tokens"))

    assert outcome.result.value == {}
    assert not outcome.run.is_complete


async def test_cut_json_is_incomplete_for_every_finish_reason() -> None:
    outcome = await once(answered('{"a": 1, "b": "half'))

    assert not outcome.run.is_complete


async def test_an_unknown_finish_reason_is_reported_as_incomplete() -> None:
    outcome = await once(answered('{"a": 1}', "too_wise"))

    assert outcome.result.value == {"a": 1}
    assert outcome.run.finish_reason == "too_wise"
    assert not outcome.run.is_complete


@pytest.mark.parametrize("reason", ["safety", "recitation", "prohibited_content", "spii", "blocklist"])
async def test_a_withheld_answer_is_a_problem_that_says_why(reason: str) -> None:
    with pytest.raises(BlockedByModelError, match=reason) as caught:
        await once(answered("", reason, finish_message="Look away."))

    assert caught.value.upstream is not None
    assert (caught.value.upstream.code, caught.value.upstream.message) == (reason.upper(), "Look away.")


async def test_a_refused_prompt_is_a_problem_with_its_block_reason() -> None:
    with pytest.raises(BlockedByModelError, match="prohibited_content"):
        await once(answered("", "blocked", block_reason="prohibited_content"))


@pytest.mark.parametrize("reason", ["stop", "other", "malformed_response"])
async def test_an_answer_without_json_is_a_problem_with_the_finish_reason(reason: str) -> None:
    with pytest.raises(BadModelAnswerError, match=f"finish reason is {reason}") as caught:
        await once(answered("I cannot see anything.", reason))

    assert "cannot see" not in caught.value.detail


async def test_a_cut_answer_is_continued_until_its_end() -> None:
    model = Model([answered("[1, 2, ", "max_tokens"), answered("[3, ", "max_tokens"), answered("[4]")])
    numbers = Numbers()

    run = await run_long(model, MEDIA, QUESTION, numbers, max_continuations=8)

    assert numbers.found == [1, 2, 3, 4]
    assert run.is_complete
    assert run.finish_reason == "stop"
    assert [usage.output_tokens for usage in run.usages] == [7, 4, 3]
    turns, options = model.asked[1]
    assert [turn.role for turn in turns] == ["user", "model", "user"]
    assert turns[0] == Turn("user", [*MEDIA, TextPart("Write it down.")])
    assert turns[1] == Turn("model", [TextPart("[2]")])
    assert turns[2] == Turn("user", [TextPart("Go on.")])
    assert options.response_schema == {"type": "array"}


async def test_continuing_stops_without_new_items() -> None:
    model = Model([answered("[1, ", "max_tokens"), answered("[1, ", "max_tokens")])
    numbers = Numbers()

    run = await run_long(model, MEDIA, QUESTION, numbers, max_continuations=8)

    assert len(model.asked) == 2
    assert not run.is_complete
    assert run.finish_reason == "max_tokens"


@pytest.mark.parametrize(("allowed", "found"), [(0, [1]), (1, [1, 2]), (2, [1, 2, 3])])
async def test_going_on_ends_at_the_limit(allowed: int, found: list[int]) -> None:
    model = Model([answered(f"[{number}, ", "max_tokens") for number in (1, 2, 3, 4)])
    numbers = Numbers()

    run = await run_long(model, MEDIA, QUESTION, numbers, max_continuations=allowed)

    assert numbers.found == found
    assert len(model.asked) == allowed + 1
    assert not run.is_complete


async def test_an_answer_that_ends_at_the_last_continuation_is_complete() -> None:
    model = Model([answered("[1, ", "max_tokens"), answered("[2]")])

    run = await run_long(model, MEDIA, QUESTION, Numbers(), max_continuations=1)

    assert run.is_complete


async def test_items_survive_a_failed_continuation() -> None:
    model = Model([answered("[1, ", "max_tokens"), UpstreamUnavailableError("Gemini is overloaded.")])
    numbers = Numbers()

    run = await run_long(model, MEDIA, QUESTION, numbers, max_continuations=8)

    assert numbers.found == [1]
    assert not run.is_complete
    assert [warning.code for warning in run.warnings] == ["continuation-failed"]


async def test_a_failure_of_the_first_call_is_raised() -> None:
    with pytest.raises(UpstreamUnavailableError):
        await run_long(Model([UpstreamUnavailableError("away")]), MEDIA, QUESTION, Numbers(), max_continuations=8)


async def test_items_survive_a_blocked_continuation() -> None:
    model = Model([answered("[1, ", "max_tokens"), answered("", "recitation")])
    numbers = Numbers()

    run = await run_long(model, MEDIA, QUESTION, numbers, max_continuations=8)

    assert numbers.found == [1]
    assert run.finish_reason == "recitation"
    assert not run.is_complete


@pytest.mark.parametrize("text", ["", "[]", "no"])
async def test_a_long_task_blocked_at_once_is_a_problem(text: str) -> None:
    with pytest.raises(BlockedByModelError):
        await run_long(Model([answered(text, "safety")]), MEDIA, QUESTION, Numbers(), max_continuations=8)


async def test_a_long_task_with_a_first_answer_without_json_is_a_problem() -> None:
    with pytest.raises(BadModelAnswerError):
        await run_long(Model([answered("no")]), MEDIA, QUESTION, Numbers(), max_continuations=8)


def test_the_errors_of_reading_never_repeat_the_answer() -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read_json("secret words")

    assert "secret" not in str(caught.value)
