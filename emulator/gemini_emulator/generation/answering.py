"""The answer to a prompt, computed from it: the emulator reports the received prompt, and pretends nothing.

    This is the Gemini API emulator, not a model.
    system instruction: <text>                                                     (when there is one)
    earlier turns: <number>                                                        (when there are any)
    prompt: <texts of the last turn, one below the other>                          (when there are any)
    function <name> returned: <JSON>                                               (for each function response)
    part <n>: <type> <size> bytes sha256=<hex> <inline or files/ID>[ <options>]: <content>
    part <n>: <type> <https uri>[ <options>]: not seen, the emulator fetches nothing

`n` counts all parts of all turns from 1; the options are `start=`, `end=` (seconds), `fps=` and `resolution=`, those
that were given, separated by spaces. Media lines are the last lines, in the order of the prompt. A text of more than
100,000 characters is repeated up to there.

For a response schema, the answer is a value that satisfies it: the true value for a task's schema, else an invented
value. If a function is to be called, the answer is the call instead.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import orjson

from gemini_emulator.conforming import UnsupportedSchemaError, conforming_value, json_schema_of
from gemini_emulator.failures import invalid
from gemini_emulator.faults import FaultKind, Faults
from gemini_emulator.generation.extras import Extra, extras_of, gives_text
from gemini_emulator.generation.functions import FunctionCall
from gemini_emulator.generation.media_analyzer import Seen
from gemini_emulator.generation.prompt import Prompt
from gemini_emulator.generation.tasks.performing import perform
from gemini_emulator.tokens import text_tokens

_FIRST_LINE = "This is the Gemini API emulator, not a model."
_MAX_REPEATED_CHARS = 100_000
_MAX_THOUGHT_CHARS = 200
_CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text, the thoughts before it ("" for none), how it ended in Google's words, and what it calls.

    `finish_reason` is "" for an answer that does not name one; the answer is given `candidates` times.
    `extras` are parts after the text; `token_at` makes the token that continues after so many characters.
    """

    text: str
    thoughts: str = ""
    finish_reason: str = "STOP"
    finish_message: str = ""
    call: FunctionCall | None = None
    candidates: int = 1
    extras: tuple[Extra, ...] = ()
    token_at: Callable[[int], str] | None = None

    @property
    def text_tokens(self) -> int:
        """How many tokens the text or the call has."""
        if self.call is not None:
            return text_tokens(self.text) + text_tokens(self.call.name + orjson.dumps(self.call.args).decode())
        return text_tokens(self.text)

    @property
    def tokens(self) -> Mapping[str, int]:
        """How many tokens each candidate has, by modality."""
        counted = Counter(TEXT=self.text_tokens)
        for extra in self.extras:
            counted[extra.modality] += extra.tokens
        return {modality: count for modality, count in counted.items() if count}

    @property
    def thought_tokens(self) -> int:
        """How many tokens the thoughts have."""
        return text_tokens(self.thoughts)


def compose(prompt: Prompt, seen: list[Seen], faults: Faults) -> Answer:
    """Compose the answer, as long and as wrong as options and faults want it.

    With a schema it is slow, and to be called in a thread: a task looks at the media. Raises ApiFailureError when the
    schema cannot be met.
    """
    told = faults.get(FaultKind.ANSWER)
    call = None if told or prompt.results else prompt.functions.choose("\n".join(prompt.texts))
    if call is not None:
        answer = Answer("", call=call)
    else:
        text = _text_of(prompt, seen) if gives_text(prompt) else ""
        answer = Answer(told.text) if told else replace(_limit(text, prompt), extras=extras_of(prompt))
    answer = replace(answer, candidates=prompt.options.candidates)
    if prompt.options.includes_thoughts:
        wondered = " ".join(prompt.texts)[:_MAX_THOUGHT_CHARS]
        thoughts = f"The emulator does not think; it was asked: {wondered}"
        answer = replace(answer, thoughts=thoughts)
    finish = faults.get(FaultKind.FINISH)
    if finish is not None:
        text = answer.text if finish.chars is None else answer.text[: finish.chars]
        answer = replace(answer, text=text, finish_reason=finish.reason, finish_message=finish.message)
    return answer


def _text_of(prompt: Prompt, seen: list[Seen]) -> str:
    options = prompt.options
    text = _plain_text(prompt, seen)
    if options.schema is None:
        return text if options.mime_type == "text/plain" else orjson.dumps({"answer": text}).decode()
    try:
        value = perform(json_schema_of(options.schema, options.dialect), prompt.media, prompt.said)
        if value is None:
            value = conforming_value(options.schema, dialect=options.dialect, text=text)
    except UnsupportedSchemaError as error:
        raise invalid(f"* GenerateContentRequest.generation_config.response_schema: {error}\n") from error
    if options.mime_type == "text/x.enum":
        if not isinstance(value, str):
            raise invalid("* GenerateContentRequest.generation_config.response_schema: text/x.enum needs an enum.\n")
        return value
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _plain_text(prompt: Prompt, seen: list[Seen]) -> str:
    lines = [_FIRST_LINE]
    if prompt.system:
        lines.append(f"system instruction: {_shortened(prompt.system)}")
    if prompt.earlier_turns:
        lines.append(f"earlier turns: {prompt.earlier_turns}")
    if prompt.texts:
        lines.append("prompt: " + _shortened("\n".join(prompt.texts)))
    lines += [f"function {name} returned: {_shortened(result)}" for name, result in prompt.results]
    lines += map(media_line, seen)
    return "\n".join(lines)


def media_line(seen: Seen) -> str:
    """Return the line of one medium, in the format above."""
    part = seen.part
    if part.uri:
        what = part.uri
    else:
        where = f"files/{part.file.file_id}" if part.file else "inline"
        what = f"{seen.size_bytes} bytes sha256={seen.sha256} {where}"
    given = {"start": part.start, "end": part.end, "fps": part.fps}
    options = [f"{name}={value:g}" for name, value in given.items() if value is not None]
    if part.resolution:
        options.append(f"resolution={part.resolution}")
    return f"part {part.position}: {' '.join([part.mime_type, what, *options])}: {seen.description}"


def _shortened(text: str) -> str:
    if len(text) <= _MAX_REPEATED_CHARS:
        return text
    return f"{text[:_MAX_REPEATED_CHARS]} ... ({len(text)} characters)"


def _limit(text: str, prompt: Prompt) -> Answer:
    stops = [position for stop in prompt.options.stop_sequences if (position := text.find(stop)) >= 0]
    text = text[: min(stops)] if stops else text
    limit = prompt.options.max_tokens * _CHARS_PER_TOKEN
    return Answer(text) if len(text) <= limit else Answer(text[:limit], finish_reason="MAX_TOKENS")
