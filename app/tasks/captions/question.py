"""Captions: the prompt for a picture's caption, alternative text and tags, and the reading of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.tasks.lenient_json import UnreadableAnswerError, read_json
from app.tasks.task import Question
from app.tasks.wording import one_line, paragraphs, wish

MAX_TAGS = 50
MAX_TAG_CHARS = 100
MAX_TEXT_CHARS = 10_000

_TEXT = {"type": "string"}
_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"caption": _TEXT, "alt_text": _TEXT, "tags": {"type": "array", "items": _TEXT}},
    "required": ["caption", "alt_text", "tags"],
}


@dataclass(frozen=True, slots=True)
class Caption:
    """A picture's caption, alternative text and tags; None or empty if the answer lacks them."""

    caption: str | None
    alt_text: str | None
    tags: tuple[str, ...]
    is_whole: bool


def question(prompt: str | None, language: str | None) -> Question:
    """Return the question for a picture; `prompt` holds the client's additional instructions."""
    instruction = paragraphs(
        (
            "Describe this picture.",
            "caption describes the picture in one to three sentences: the subjects, their actions and the place. "
            "Describe only visible content, and guess neither names nor reasons.",
            "alt_text is one sentence of at most 150 characters for people who cannot see the picture. It begins with "
            'the most important content, and not with words such as "picture of". If the picture is mostly text, '
            "alt_text is that text.",
            "tags are 5 to 15 short search terms in lower case, the most important term first, without repeats.",
            None if language is None else f"Write caption, alt_text and tags in this language: {language}.",
            wish(prompt),
        )
    )
    return Question(instruction, _SCHEMA)


def read(text: str) -> Caption:
    """Return the caption in an answer.

    Raises UnreadableAnswerError if the answer is JSON with neither a caption nor an alternative text.
    """
    answer = read_json(text)
    value = answer.value
    # Some models wrap a single answer in a list.
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not value and not isinstance(value, list):
        return Caption(None, None, (), answer.is_whole)
    if not isinstance(value, dict):
        raise UnreadableAnswerError("it contains no caption")
    caption = one_line(value.get("caption"), MAX_TEXT_CHARS)
    alt_text = one_line(value.get("alt_text"), MAX_TEXT_CHARS)
    if caption is None and alt_text is None and answer.is_whole:
        raise UnreadableAnswerError("it contains neither a caption nor an alternative text")
    return Caption(caption, alt_text, _tags(value.get("tags")), answer.is_whole)


def _tags(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        # Some models send the tags as one string.
        value = value.split(",", MAX_TAGS * 2)
    tags: dict[str, str] = {}
    for item in value if isinstance(value, list) else ():
        tag = one_line(item, MAX_TAG_CHARS)
        if tag is not None and len(tags) < MAX_TAGS:
            # Tags that differ only by case are one tag.
            tags.setdefault(tag.casefold(), tag)
    return tuple(tags.values())
