"""The content of a recording: its duration, and its loud and silent passages.

    bytes -> decoded frames, one after another -> level of every 10 ms -> passages

Only the levels are kept, four bytes each, so that an hour of sound costs 1.4 MB. Hears no words, and knows nothing of
prompts and answers.
"""

import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from numpy.typing import NDArray

from gemini_emulator.senses.unreadable import UnreadableMediaError

_WINDOWS_PER_SECOND = 100
_LOUD_FRACTION_OF_PEAK = 0.02
_LOUD_AT_LEAST = 0.001
_BRIDGED_GAP_S = 0.3
_SHORTEST_PASSAGE_S = 0.05

# Headerless formats, as demuxers know them: recordings of one channel, 8 kHz unless the type says otherwise.
_HEADERLESS = {"audio/l16": "s16le", "audio/alaw": "alaw", "audio/mulaw": "mulaw", "audio/pcm": "s16le"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of sound, in seconds from the start, either loud or silent throughout."""

    start: float
    end: float
    is_loud: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: seconds of decoded samples, samples a second, and passages that cover it without a gap."""

    duration: float
    sample_rate: int
    channels: int
    passages: tuple[Passage, ...]


def hear(data: bytes, mime_type: str = "") -> Sound:
    """Listen to the first sound track: WAV, MP3, AIFF, AAC, Ogg, FLAC, M4A, Opus, WebM, or a film's.

    Args:
        data: the whole file, or its beginning, which is heard as far as it can be decoded.
        mime_type: needed only by formats without a header (`audio/L16;rate=24000`).

    Raises:
        UnreadableMediaError: when there is no sound to decode.

    """
    try:
        with _open(data, mime_type) as container:
            return _listen(container)
    except UnreadableMediaError:
        raise
    except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
        raise UnreadableMediaError(str(error)) from error


@contextmanager
def _open(data: bytes, mime_type: str) -> Iterator[InputContainer]:
    essence, *parameters = [piece.strip().lower() for piece in mime_type.split(";")]
    demuxer = _HEADERLESS.get(essence)
    options: dict[str, str] = {}
    if demuxer:
        given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        options = {"sample_rate": given.get("rate", "8000"), "ch_layout": f"{given.get('channels', '1')}c"}
    with av.open(io.BytesIO(data), mode="r", format=demuxer, options=options) as container:
        yield container


def _listen(container: InputContainer) -> Sound:
    if not container.streams.audio:
        raise UnreadableMediaError("there is no sound in it")
    levels = _Levels()
    sample_rate = channels = 0
    for frame in _frames_until_broken(container):
        sample_rate, channels = frame.sample_rate, len(frame.layout.channels)
        levels.add(frame)
    if not sample_rate:
        raise UnreadableMediaError("no sound can be decoded")
    passages = _passages(levels.finish(), levels.duration)
    return Sound(duration=levels.duration, sample_rate=sample_rate, channels=channels, passages=passages)


def _frames_until_broken(container: InputContainer) -> Iterator[AudioFrame]:
    """Decode frame by frame; where a file is cut or damaged, the sound ends there."""
    try:
        yield from container.decode(container.streams.audio[0])
    except av.FFmpegError:
        return


class _Levels:
    """Root mean squares of windows of 10 ms, gathered from frames of any size, rate and format."""

    def __init__(self) -> None:
        self.duration = 0.0
        self._samples = 0
        self._levels = array("f")
        self._resampler: av.AudioResampler | None = None
        self._rest: NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def add(self, frame: AudioFrame) -> None:
        self._samples += frame.samples
        self.duration = self._samples / frame.sample_rate
        window = max(1, frame.sample_rate // _WINDOWS_PER_SECOND)
        if self._resampler is None:
            # Packed, since frames of more than eight planes are read beyond their memory.
            self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
        for packed in self._resampler.resample(frame):
            samples = packed.to_ndarray().astype(np.float32, copy=False).reshape(packed.samples, -1)
            power = np.concatenate([self._rest, np.square(samples).mean(axis=1)])
            whole = len(power) // window * window
            self._levels.extend(np.sqrt(power[:whole].reshape(-1, window).mean(axis=1)).tolist())
            self._rest = power[whole:]

    def finish(self) -> NDArray[np.float32]:
        if len(self._rest):
            self._levels.append(float(np.sqrt(self._rest.mean())))
            self._rest = self._rest[:0]
        return np.frombuffer(self._levels, dtype=np.float32)


def _passages(levels: NDArray[np.float32], duration: float) -> tuple[Passage, ...]:
    """Cut the recording where it falls silent for more than 0.3 s, or starts to sound again."""
    threshold = max(_LOUD_AT_LEAST, _LOUD_FRACTION_OF_PEAK * float(levels.max(initial=0.0)))
    runs = _runs((levels > threshold).tolist())
    runs = _flip(runs, is_loud=False, shorter_than_s=_BRIDGED_GAP_S, at_the_ends=False)
    runs = _flip(runs, is_loud=True, shorter_than_s=_SHORTEST_PASSAGE_S, at_the_ends=True)
    runs = _flip(runs, is_loud=False, shorter_than_s=_SHORTEST_PASSAGE_S, at_the_ends=True)
    passages: list[Passage] = []
    start_window = 0
    for is_loud, length in runs:
        end_window = start_window + length
        start, end = (min(window / _WINDOWS_PER_SECOND, duration) for window in (start_window, end_window))
        passages.append(Passage(start=start, end=duration if end_window == len(levels) else end, is_loud=is_loud))
        start_window = end_window
    return tuple(passages)


_Run = tuple[bool, int]


def _runs(flags: list[bool]) -> list[_Run]:
    return [(is_loud, sum(1 for _ in same)) for is_loud, same in groupby(flags)]


def _flip(runs: list[_Run], *, is_loud: bool, shorter_than_s: float, at_the_ends: bool) -> list[_Run]:
    """Turn runs of one kind that are too short into the other kind, and join runs that are then adjacent."""
    joined: list[_Run] = []
    for number, (kind, length) in enumerate(runs):
        is_end = number in {0, len(runs) - 1}
        is_short = kind == is_loud and length < shorter_than_s * _WINDOWS_PER_SECOND
        flips = is_short and len(runs) > 1 and (at_the_ends or not is_end)
        result = kind != flips
        if joined and joined[-1][0] == result:
            joined[-1] = (result, joined[-1][1] + length)
        else:
            joined.append((result, length))
    return joined
