"""Transcriptions: the prompt for a recording, and the JSON Schema of the answer. The reading is in `reading`."""

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
    """Return the question for a recording.

    `language` is the spoken language. `start` and `end` limit the passage, in seconds from the start of the file.
    `prompt` holds the client's additional instructions, such as the spelling of names.
    """
    lines = [
        "Transcribe the speech in this recording, from beginning to end.",
        f"The spoken language is: {language}." if language else None,
        _passage(start, end),
        "Write the speech verbatim, in the language in which it is spoken."
        if translate_to is None
        else f"Translate all speech into this language, and write only the translation: {translate_to}.",
        "Omit silence, instrumental music and noise. Never invent speech: if there is no speech, return no segments.",
        "Segments are in chronological order. Each segment has one speaker and lasts at most about 12 seconds; "
        "segments begin and end at natural pauses, such as the ends of sentences.",
        "start and end are written as MM:SS.s (from one hour on as H:MM:SS.s), with tenths of a second, and always "
        "count from the start of the whole file.",
        'speaker is the name of the speaker if the recording mentions it, otherwise "Speaker 1", "Speaker 2" and so '
        "on, always the same for the same voice.",
        "language is the ISO 639-1 code of the language that is spoken most.",
        "words lists each word of the segment's text in order, with its own start and end." if with_words else None,
        wish(prompt),
    ]
    return Question(paragraphs(lines), schema(with_words=with_words))


def _passage(start: float | None, end: float | None) -> str | None:
    if start is None and end is None:
        return None
    until = clock(end) if end is not None else "the end"
    return f"Transcribe only the passage from {clock(start or 0)} to {until}, and omit the rest."


def schema(*, with_words: bool) -> dict[str, object]:
    """Return the JSON Schema of the answer: the language and the segments, with their words if requested."""
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
