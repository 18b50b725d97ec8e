"""The entry to the facts: chooses the reader of a type, and returns None for every unreadable fact."""

import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.media.facts import documents, isobmff, matroska, mpeg, ogg, pictures, sound
from app.store.records import NO_FACTS, MediaFacts

_LONGEST_S = 365 * 86_400.0
_LARGEST_SIDE = 1 << 24


_PICTURES: Mapping[str, Callable[[bytes], pictures.Size]] = MappingProxyType(
    {
        "image/png": pictures.png,
        "image/jpeg": pictures.jpeg,
        "image/webp": pictures.webp,
        "image/gif": pictures.gif,
        "image/bmp": pictures.bmp,
        "image/tiff": pictures.tiff_file,
        "image/heic": isobmff.picture_size,
        "image/heif": isobmff.picture_size,
    }
)
_DURATIONS: Mapping[str, Callable[[bytes, bool], float | None]] = MappingProxyType(
    {
        "audio/wav": sound.wav_duration,
        "audio/aiff": sound.aiff_duration,
        "audio/flac": sound.flac_duration,
        "audio/ogg": ogg.ogg_duration,
        "audio/opus": ogg.ogg_duration,
        "audio/mpeg": mpeg.mp3_duration,
        "audio/aac": mpeg.aac_duration,
        "audio/m4a": isobmff.movie_duration,
        "video/mp4": isobmff.movie_duration,
        "video/quicktime": isobmff.movie_duration,
        "video/3gpp": isobmff.movie_duration,
        "audio/webm": matroska.webm_duration,
        "video/webm": matroska.webm_duration,
    }
)
_SAMPLE_BYTES: Mapping[str, int] = MappingProxyType({"audio/l16": 2, "audio/alaw": 1, "audio/mulaw": 1})


def read_facts(data: bytes, mime_type: str, *, is_whole: bool) -> MediaFacts:
    """Return the facts in the bytes of a file.

    `data` is the whole file, or the largest available beginning of it; `mime_type` is the type decided from its bytes.
    Width and height are those of the displayed picture; `orientation` is the EXIF value applied, None for a picture
    without one and for HEIC, which has its own rules. Durations are above 0.

    Never raises because of the bytes, and its work is bounded by their number. A hostile file may still take a second,
    and a long recording 0.1 s, so call it in a thread. Thread-safe.
    """
    essence = mime_type.partition(";")[0]
    try:
        if essence in _PICTURES:
            return _picture(_PICTURES[essence](data))
        if essence in _DURATIONS:
            return MediaFacts(duration=_plausible(_DURATIONS[essence](data, is_whole)))
        if essence in _SAMPLE_BYTES and is_whole:
            return MediaFacts(duration=_plausible(sound.raw_duration(len(data), mime_type, _SAMPLE_BYTES[essence])))
    except (struct.error, IndexError, ValueError, ArithmeticError):
        # The header ends or contradicts itself before the wanted fact.
        return NO_FACTS
    if essence == "application/pdf":
        return MediaFacts(pages=documents.page_count(data) if is_whole else documents.linearized_page_count(data))
    return NO_FACTS


def turned_by_tail(facts: MediaFacts, head: bytes, tail: bytes, mime_type: str) -> MediaFacts:
    """Return the facts of a picture with its size turned by the orientation after the pixels.

    `tail` is the available end of the file. A picture that announces an orientation outside `tail` gets no size,
    because either order could be wrong. Never raises; call it in a thread.
    """
    essence = mime_type.partition(";")[0]
    if facts.width is None or facts.height is None or facts.orientation is not None:
        return facts
    try:
        if essence == "image/png":
            orientation = pictures.png_orientation_behind(tail)
        elif essence == "image/webp" and pictures.webp_says_exif(head):
            orientation = pictures.webp_orientation_behind(tail)
            if orientation is None:
                return NO_FACTS
        else:
            return facts
    except (struct.error, IndexError, ValueError):
        return facts if essence == "image/png" else NO_FACTS
    return _picture(pictures.Size(facts.width, facts.height, orientation))


def _picture(size: pictures.Size) -> MediaFacts:
    orientation = size.orientation if size.orientation in range(1, 9) else None
    if not (0 < size.width < _LARGEST_SIDE and 0 < size.height < _LARGEST_SIDE):
        return NO_FACTS
    width, height = size.width, size.height
    if orientation is not None and orientation >= 5:
        width, height = height, width
    return MediaFacts(width=width, height=height, orientation=orientation)


def _plausible(duration: float | None) -> float | None:
    if duration is None or not math.isfinite(duration) or not 0 < duration < _LONGEST_S:
        return None
    return duration
