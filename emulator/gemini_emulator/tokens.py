"""The tokens of media and text, by the published rules.

    image     2.x: 258 up to 384 x 384, else 258 for each tile of 768 x 768; later models by media resolution
    audio     32 a second
    video     a frame a second at 258 (66 at low resolution), later models 70; and 32 a second of sound
    document  2.x: 258 a page; later models by media resolution; the text inside is free
    text      about 4 characters a token

Pure and synchronous, but it decodes: the caller runs it in a thread. Knows nothing of requests and answers.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gemini_emulator.senses import duration_of, kind_in
from gemini_emulator.senses.documents import count_pages
from gemini_emulator.senses.kinds import Kind
from gemini_emulator.senses.pictures import picture_size
from gemini_emulator.senses.text import read_text
from gemini_emulator.senses.unreadable import UnreadableMediaError
from gemini_emulator.senses.video import has_sound

_CHARACTERS_PER_TOKEN = 4
_TILE_TOKENS = 258
_SMALL_SIDE = 384
_TILE_SIDE = 768
_SOUND_TOKENS_PER_S = 32
_FRAME_TOKENS = 258
_FRAME_TOKENS_LOW = 66
_FRAME_TOKENS_NEWER = 70
_PAGE_TOKENS = 258
_IMAGE_TOKENS_NEWER = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}
_PAGE_TOKENS_NEWER = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 1120}
_DEFAULT_IMAGE_RESOLUTION = "HIGH"
_DEFAULT_PAGE_RESOLUTION = "MEDIUM"
_TILED_GENERATIONS = frozenset({1, 2})


def text_tokens(text: str) -> int:
    """Count the tokens of a text: one for each four characters begun, none for an empty one."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def media_tokens(
    data: bytes,
    mime_type: str,
    *,
    model: str,
    resolution: str | None = None,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
) -> Mapping[str, int]:
    """Count the tokens of one medium, by modality.

    Args:
        data: the file; of a large file only its beginning, which alone is counted then.
        mime_type: the file's type.
        model: a model's name; its generation decides (`gemini-2.5-flash`), unknown names count as the newest.
        resolution: `MEDIA_RESOLUTION_HIGH`, `high` or the like; None or unspecified for the model's default.
        start: where a recording or film begins to count, in seconds.
        end: where it ends to count, in seconds.
        fps: frames a second of a film, 1 by default.

    Returns:
        Tokens under `TEXT`, `IMAGE`, `AUDIO`, `VIDEO` or `DOCUMENT`; empty for bytes that cannot be decoded.

    """
    cost = _Costs(is_tiled=_generation_of(model) in _TILED_GENERATIONS, level=_level_of(resolution))
    try:
        return _count(data, mime_type, cost, _Cut(start, end, fps))
    except UnreadableMediaError:
        return {}


@dataclass(frozen=True, slots=True)
class _Cut:
    """The part of a recording or film that counts."""

    start: float | None
    end: float | None
    fps: float | None

    def of(self, duration: float | None) -> float:
        """Seconds that count, of a recording that lasts so many."""
        if duration is None:
            raise UnreadableMediaError("no duration")
        end = duration if self.end is None else min(duration, self.end)
        return max(0.0, end - max(0.0, self.start or 0.0))


@dataclass(frozen=True, slots=True)
class _Costs:
    """The price list of one model generation at one media resolution."""

    is_tiled: bool
    level: str | None

    def image(self, size: tuple[int, int]) -> int:
        if not self.is_tiled:
            return _IMAGE_TOKENS_NEWER[self.level or _DEFAULT_IMAGE_RESOLUTION]
        if max(size) <= _SMALL_SIDE:
            return _TILE_TOKENS
        return math.prod(math.ceil(side / _TILE_SIDE) for side in size) * _TILE_TOKENS

    def frame(self) -> int:
        if not self.is_tiled:
            return _FRAME_TOKENS_NEWER
        return _FRAME_TOKENS_LOW if self.level == "LOW" else _FRAME_TOKENS

    def page(self) -> int:
        return _PAGE_TOKENS if self.is_tiled else _PAGE_TOKENS_NEWER[self.level or _DEFAULT_PAGE_RESOLUTION]


def _count(data: bytes, mime_type: str, cost: _Costs, cut: _Cut) -> Mapping[str, int]:
    match kind_in(data, mime_type):
        case Kind.IMAGE:
            return {"IMAGE": cost.image(picture_size(data))}
        case Kind.AUDIO:
            return {"AUDIO": _sound_tokens(cut.of(duration_of(data, mime_type)))}
        case Kind.VIDEO:
            seconds = cut.of(duration_of(data, mime_type))
            frames = max(1, _round_up(seconds * (cut.fps or 1.0)))
            sound = {"AUDIO": _sound_tokens(seconds)} if has_sound(data) else {}
            return {"VIDEO": frames * cost.frame(), **sound}
        case Kind.DOCUMENT:
            return {"DOCUMENT": count_pages(data) * cost.page()}
        case Kind.TEXT:
            return {"TEXT": text_tokens(read_text(data))}
        case None:
            return {}


def _generation_of(model: str) -> int | None:
    found = re.search(r"gemini-(\d+)", model)
    return int(found[1]) if found else None


def _level_of(resolution: str | None) -> str | None:
    level = (resolution or "").upper().removeprefix("MEDIA_RESOLUTION_")
    return level if level in _IMAGE_TOKENS_NEWER else None


def _sound_tokens(seconds: float) -> int:
    return _round_up(seconds * _SOUND_TOKENS_PER_S)


def _round_up(number: float) -> int:
    """Round up, but not for the last digits that arithmetic leaves."""
    return math.ceil(round(number, 6))
