"""The perceived content of media and their cost in tokens, computed once for the same bytes, in a thread.

This module knows senses and token rules, and nothing of answers.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.senses import perceive
from gemini_emulator.tokens import media_tokens

_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Seen:
    """One medium as reported in an answer; size in bytes, hash in hex, both empty for a URL that is not fetched."""

    part: MediaPart
    size_bytes: int
    sha256: str
    description: str
    tokens: Mapping[str, int]


class MediaAnalyzer:
    """Looks at media, and remembers the last few hundred looks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._remembered: OrderedDict[tuple[object, ...], tuple[str, Mapping[str, int]]] = OrderedDict()

    def look(self, media: tuple[MediaPart, ...], model: str, resolution: str) -> list[Seen]:
        """Look at media, in order; slow, to be called in a thread. `resolution` is the request's, "" when unset."""
        return [self._look_at(part, model, part.resolution or resolution) for part in media]

    def _look_at(self, part: MediaPart, model: str, resolution: str) -> Seen:
        if part.blob is not None:
            size_bytes, sha256 = len(part.blob.data), part.blob.sha256
        elif part.file is not None:
            size_bytes, sha256 = part.file.size_bytes, part.file.sha256.hex()
        else:
            return Seen(part, 0, "", "not seen, the emulator fetches nothing", {})
        key = (sha256, part.mime_type, model, resolution, part.start, part.end, part.fps)
        with self._lock:
            found = self._remembered.get(key)
        if found is None:
            found = _perceive(part, size_bytes, model, resolution)
            with self._lock:
                self._remembered[key] = found
                if len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)
        return Seen(part, size_bytes, sha256, *found)


def _perceive(part: MediaPart, size_bytes: int, model: str, resolution: str) -> tuple[str, Mapping[str, int]]:
    data = part.data
    tokens = media_tokens(
        data,
        part.mime_type,
        model=model,
        resolution=resolution or None,
        start=part.start,
        end=part.end,
        fps=part.fps,
    )
    return perceive(data, part.mime_type, size_bytes), tokens
