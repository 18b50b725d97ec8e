"""Speech written as subtitles: SubRip (SRT), WebVTT and plain text.

    segments ── lines of at most 42 columns ── cues of two lines, times by length ──> SRT or WebVTT

Speech may contain anything, also markup, and is always written as text.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

from app.tasks.transcriptions.reading import MAX_TEXT_CHARS, Segment
from app.tasks.wording import one_line

# The usual limits of subtitles: two lines of 42 columns, and long enough to be seen.
MAX_COLUMNS = 42
MAX_LINES = 2
SHORTEST_CUE_MS = 200

# SRT has no escapes, and players interpret tags in <>, overrides in {} and line breaks after backslashes.
_SRT_TEXT = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "{": "(",
        "}": ")",
        "\\": "\N{SET MINUS}",
    }
)
_VTT_TEXT = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;"})


@dataclass(frozen=True, slots=True)
class _Cue:
    """The text shown at one time, between two times in milliseconds."""

    start: int
    end: int
    speaker: str | None
    lines: tuple[str, ...]


def srt(segments: Sequence[Segment]) -> str:
    """Return SubRip, "" without speech; if there are several speakers, a segment begins with the speaker's name."""
    blocks = []
    for number, cue in enumerate(_cues(_named(_spoken(segments))), 1):
        lines = "\n".join(cue.lines).translate(_SRT_TEXT)
        blocks.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{lines}\n")
    return "\n".join(blocks)


def vtt(segments: Sequence[Segment]) -> str:
    """Return WebVTT with speakers as voices; only the header without speech."""
    blocks = []
    for cue in _cues(_spoken(segments)):
        voice = f"<v {cue.speaker.translate(_VTT_TEXT)}>" if cue.speaker else ""
        lines = "\n".join(cue.lines).translate(_VTT_TEXT)
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{voice}{lines}\n")
    return "WEBVTT\n\n" + "\n".join(blocks)


def plain_text(segments: Sequence[Segment]) -> str:
    """Return a line for each segment, with the speaker's name before it if there are several speakers."""
    return "".join(f"{segment.text}\n" for segment in _named(_spoken(segments)))


def _spoken(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments that have text, with texts and names on one line."""
    clean = ((one, one_line(one.speaker, MAX_TEXT_CHARS), one_line(one.text, MAX_TEXT_CHARS)) for one in segments)
    return [replace(one, speaker=speaker, text=text) for one, speaker, text in clean if text is not None]


def _named(segments: list[Segment]) -> list[Segment]:
    """Return the segments with names before their texts, if there are several names."""
    if len({segment.speaker for segment in segments if segment.speaker}) < 2:
        return segments
    return [replace(one, text=f"{one.speaker}: {one.text}") if one.speaker else one for one in segments]


def _cues(segments: Sequence[Segment]) -> list[_Cue]:
    """Return cues in the order of their starts, each at least one millisecond long.

    A segment ends at the latest at the start of the same speaker's next segment. Cues of two speakers may overlap.
    """
    following: dict[str | None, int] = {}
    shown: list[list[_Cue]] = []
    for segment in sorted(segments, key=lambda one: one.start)[::-1]:
        start = round(segment.start * 1000)
        lines = _balanced_lines(segment.text)
        screens = [tuple(lines[first : first + MAX_LINES]) for first in range(0, len(lines), MAX_LINES)]
        # A short segment is shown long enough for each of its screens.
        length = max(round(segment.end * 1000) - start, len(screens) * SHORTEST_CUE_MS)
        room = following.get(segment.speaker, 0) - start
        shown.append(list(_share(start, min(length, room) if room > 0 else length, segment.speaker, screens)))
        following[segment.speaker] = start
    return sorted((cue for one in shown[::-1] for cue in one), key=lambda cue: cue.start)


def _share(start: int, length: int, speaker: str | None, screens: Sequence[tuple[str, ...]]) -> Iterator[_Cue]:
    """Yield one cue after the other, each as long as its share of the text."""
    widths = [1 + sum(map(_width, lines)) for lines in screens]
    total = sum(widths)
    ends = [start + length * done // total for done in accumulate(widths)]
    for lines, begin, end in zip(screens, [start, *ends[:-1]], ends, strict=True):
        yield _Cue(begin, max(end, begin + 1), speaker, lines)


def _balanced_lines(text: str) -> list[str]:
    """Return a text in as few lines as possible, of similar length."""
    # A last line of a single word reads badly.
    words = [(word, _width(word)) for word in text.split()]
    lines = _lines(words, MAX_COLUMNS)
    if len(lines) == 1:
        return lines
    widths = [width for _, width in words]
    least = min(max(sum(widths) // len(lines), *widths), MAX_COLUMNS)
    narrower = range(least, MAX_COLUMNS)
    return _lines(words, least + bisect_left(narrower, True, key=lambda one: len(_lines(words, one)) <= len(lines)))


def _lines(words: Sequence[tuple[str, int]], columns: int) -> list[str]:
    """Return words of known widths in lines; a word wider than a line is broken, as in scripts without spaces."""
    lines: list[str] = []
    room = 0
    for word, width in words:
        if width < room:
            lines[-1] += f" {word}"
            room -= width + 1
        elif width <= columns:
            lines.append(word)
            room = columns - width
        else:
            lines += _broken(word, columns)
            room = columns - _width(lines[-1])
    return lines


def _broken(word: str, columns: int) -> Iterator[str]:
    piece: list[str] = []
    room = columns
    for character in word:
        width = _width(character)
        if width > room and piece:
            yield "".join(piece)
            piece = []
            room = columns
        piece.append(character)
        room -= width
    yield "".join(piece)


def _width(text: str) -> int:
    """Return the number of columns: East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _time(milliseconds: int, point: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"
