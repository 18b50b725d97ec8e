"""A request's prompt: texts and media in order, and the options that an answer must honour.

    message ── check against model and files ──> Prompt

This module decodes no media, and refuses the requests that Gemini would refuse.
"""

from dataclasses import dataclass

import orjson

from gemini_emulator.catalogue import Model
from gemini_emulator.failures import invalid
from gemini_emulator.generation.functions import Functions, read_functions
from gemini_emulator.generation.media import MediaPart, MediaReader
from gemini_emulator.generation.options import Options, read_options
from gemini_emulator.proto.fields import Fields

_ROLES = frozenset({"user", "model", "function", "tool", ""})
_PART_DATA = frozenset(
    {
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
        "audioTranscription",
    }
)

_THOUGHT = frozenset({"thought", "thoughtSignature"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request that has been understood.

    `texts` are those of the last turn, `other_texts` all others, the system instruction included; `media` are those of
    all turns, in order. `said` is the text of the model's last turn before the last, thoughts left out. `results` are
    the function responses of the last turn, as pairs of name and JSON.
    """

    texts: tuple[str, ...]
    other_texts: tuple[str, ...]
    system: str
    earlier_turns: int
    said: str
    media: tuple[MediaPart, ...]
    options: Options
    functions: Functions
    results: tuple[tuple[str, str], ...] = ()


def read_prompt(request: Fields, model: Model, reader: MediaReader) -> Prompt:
    """Return the prompt of a request. Raises ApiFailureError for a request that Gemini refuses."""
    options = read_options(request.fields("generationConfig"), model)
    turns = request.many("contents")
    _check_turns(turns, model)
    system = [part.text("text") for part in request.fields("systemInstruction").many("parts")]
    texts: list[tuple[str, ...]] = []
    media: list[MediaPart] = []
    position = 0
    for turn in turns:
        parts = turn.many("parts")
        texts.append(tuple(part.text("text") for part in parts if "text" in part))
        for part in parts:
            position += 1
            media += reader.read(part, position)
    earlier = tuple(text for turn_texts in texts[:-1] for text in turn_texts)
    return Prompt(
        texts=texts[-1],
        other_texts=(*system, *earlier, *_exchanged(turns)),
        system="\n".join(system),
        earlier_turns=len(turns) - 1,
        said=_said(turns[:-1]),
        media=tuple(media),
        options=options,
        functions=read_functions(request),
        results=_results(turns[-1]),
    )


def _results(turn: Fields) -> tuple[tuple[str, str], ...]:
    responses = [part.fields("functionResponse") for part in turn.many("parts") if "functionResponse" in part]
    return tuple((one.text("name"), orjson.dumps(one.mapping("response") or {}).decode()) for one in responses)


def _exchanged(turns: list[Fields]) -> list[str]:
    """Write the calls of functions and their results as the text that they are to a model."""
    parts = [part for turn in turns for part in turn.many("parts")]
    calls = [part.fields("functionCall") for part in parts if "functionCall" in part]
    written = [call.text("name") + orjson.dumps(call.mapping("args") or {}).decode() for call in calls]
    return written + [name + result for turn in turns for name, result in _results(turn)]


def _said(turns: list[Fields]) -> str:
    parts = next((turn.many("parts") for turn in reversed(turns) if turn.text("role") == "model"), [])
    return "".join(part.text("text") for part in parts if not part.flag("thought"))


def _check_turns(turns: list[Fields], model: Model) -> None:
    if not turns:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for index, turn in enumerate(turns):
        if turn.text("role") not in _ROLES:
            raise invalid("Please use a valid role: user, model.")
        parts = turn.many("parts")
        if not parts:
            raise invalid("* GenerateContentRequest.contents: contents.parts must not be empty.\n")
        for number, part in enumerate(parts):
            # Thinking models answer with such parts, and clients send them back as they came.
            is_thought = turn.text("role") == "model" and not _THOUGHT.isdisjoint(part)
            if _PART_DATA.isdisjoint(part) and not is_thought:
                raise invalid(
                    f"* GenerateContentRequest.contents[{index}].parts[{number}].data: required oneof field 'data' "
                    "must have one initialized field\n"
                )
    if turns[-1].text("role") == "model" and not model.takes_penalties:
        raise invalid(f"Prefilling is not supported for {model.name}: the last turn must not have the role model.")
