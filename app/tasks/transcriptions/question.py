"""What is asked of a recording: the words of the instruction, and the form of the answer.

It knows nothing of what becomes of the answer.
"""

from app.tasks.task import Question
from app.tasks.times import clock
from app.tasks.wording import paragraphs, wish


def question(
    *,
    language: str | None = None,
    translate_to: str | None = None,
    start: float | None = None,
    end: float | None = None,
    prompt: str | None = None,
    with_words: bool = False,
) -> Question:
    """Ask what is said.

    `language` is the spoken one, `start` and `end` limit the passage (seconds from the start of the file), `prompt` is
    what else to mind, such as names and how they are spelled.
    """
    lines = [
        "Transcribe the speech in this recording, from its beginning to its end.",
        f"The language spoken is: {language}." if language else None,
        _passage(start, end),
        "Write down verbatim what is said, in the language in which it is said."
        if translate_to is None
        else f"Translate all that is said into this language, and write only the translation: {translate_to}.",
        "Leave out silence, instrumental music and noise. Never invent speech: if nothing is said, give no segments.",
        "Segments are in order of time, each of one speaker and at most about 12 seconds long; they begin and end "
        "at natural pauses, such as the ends of sentences.",
        "start and end are written MM:SS.s (from an hour on H:MM:SS.s), with tenths of seconds, and always count from "
        "the start of the whole file.",
        'speaker is the name, if it is said in the recording, else "Speaker 1", "Speaker 2" and so on, always the '
        "same for the same voice.",
        "language is the ISO 639-1 code of the language that is mostly spoken.",
        "words lists each word of the segment's text in order, with its own start and end." if with_words else None,
        wish(prompt),
    ]
    return Question(paragraphs(lines), schema(with_words=with_words))


def _passage(start: float | None, end: float | None) -> str | None:
    if start is None and end is None:
        return None
    until = clock(end) if end is not None else "the end"
    return f"Only from {clock(start or 0)} to {until}; leave out what is said before and after."


def schema(*, with_words: bool) -> dict[str, object]:
    """Give the JSON Schema of the answer: the language and the segments, each with its words if they are wanted."""
    text = {"type": "string"}
    time = {"type": "string", "description": "MM:SS.s"}
    timed: dict[str, object] = {"start": time, "end": time}
    properties: dict[str, object] = {**timed, "speaker": {"type": ["string", "null"]}, "text": text}
    required = ["start", "end", "text"]
    if with_words:
        word = {"type": "object", "properties": {**timed, "word": text}, "required": ["start", "end", "word"]}
        properties["words"] = {"type": "array", "items": word}
    segment = {"type": "object", "properties": properties, "required": required}
    return {
        "type": "object",
        "properties": {"language": text, "segments": {"type": "array", "items": segment}},
        "required": ["language", "segments"],
    }
