"""The content of a film: its duration and size, scenes of one dominant colour, and its sound.

    bytes -> frames, sampled -> dominant named colour of each -> scenes

Knows nothing of prompts and answers.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gemini_emulator.senses.colours import dominant_name
from gemini_emulator.senses.sound import Sound, hear
from gemini_emulator.senses.unreadable import UnreadableMediaError

_THUMBNAIL = 16
_SAMPLE_EVERY_S = 0.04
# Program streams tell no duration, and what is guessed from their bit rate is wrong by seconds.
_GUESSING_FORMATS = frozenset({"mpeg", "mpegvideo"})
_LONGEST_SEEN_IN_FULL_S = 120.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of film, in seconds from its start, and the name of the colour that dominates it."""

    start: float
    end: float
    colour: str


@dataclass(frozen=True, slots=True)
class Video:
    """A film: seconds, pixels of a frame, scenes that cover the decoded part, and its first sound track, if any."""

    duration: float
    width: int
    height: int
    scenes: tuple[Scene, ...]
    sound: Sound | None


def watch(data: bytes) -> Video:
    """Watch a film, frame by frame; one longer than two minutes by its key frames only.

    Args:
        data: the whole file, or its beginning, which is watched as far as it can be decoded.

    Raises:
        UnreadableMediaError: when there is no picture in it to decode.

    """
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            stream = _film(container)
            duration = _stated_duration(container, stream)
            has_sound = bool(container.streams.audio)
            if duration > _LONGEST_SEEN_IN_FULL_S:
                stream.codec_context.skip_frame = "NONKEY"
            scenes = _scenes(_samples(container, stream), duration)
            width, height = stream.codec_context.width, stream.codec_context.height
    except UnreadableMediaError:
        raise
    except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
        raise UnreadableMediaError(str(error)) from error
    return Video(
        duration=max(duration, scenes[-1].end),
        width=width,
        height=height,
        scenes=scenes,
        sound=_sound(data) if has_sound else None,
    )


def video_duration(data: bytes) -> float:
    """Read the duration in seconds, from the headers where they tell it.

    Raises:
        UnreadableMediaError: when there is no picture in it to decode.

    """
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            duration = _stated_duration(container, _film(container))
    except UnreadableMediaError:
        raise
    except Exception as error:  # Decoders of arbitrary bytes raise whatever they like.
        raise UnreadableMediaError(str(error)) from error
    return duration or watch(data).duration


def is_sound_alone(data: bytes) -> bool:
    """Return whether a container of films (MP4, WebM, ASF) holds a sound track and no picture."""
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            return bool(container.streams.audio) and not container.streams.video
    except (av.FFmpegError, ValueError):
        return False


def has_sound(data: bytes) -> bool:
    """Return whether a film has a sound track; an unreadable film has none."""
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, ValueError):
        return False


def _film(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise UnreadableMediaError("there is no picture in it")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _stated_duration(container: InputContainer, stream: VideoStream) -> float:
    if container.format.name in _GUESSING_FORMATS:
        return 0.0
    if container.duration:
        return container.duration / av.time_base
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return 0.0


def _samples(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and colour of frames at most 25 times a second; a cut or damaged film ends there."""
    frame_s = float(1 / stream.average_rate) if stream.average_rate else 0.0
    origin: float | None = None
    seen_until = float("-inf")
    try:
        for frame in container.decode(stream):
            time = frame.time or 0.0
            origin = time if origin is None else origin
            if time - seen_until < _SAMPLE_EVERY_S * 0.99:
                continue
            seen_until = time
            yield time - origin, time - origin + frame_s, _colour(frame)
    except av.FFmpegError:
        return


def _colour(frame: VideoFrame) -> str:
    small = frame.reformat(width=_THUMBNAIL, height=_THUMBNAIL, format="rgb24", interpolation="POINT")
    return dominant_name(np.asarray(small.to_ndarray(), dtype=np.uint8))


def _scenes(samples: Iterator[tuple[float, float, str]], duration: float) -> tuple[Scene, ...]:
    """Join samples of one colour; a scene ends where the next begins, the last with the film."""
    starts: list[tuple[float, str]] = []
    seen_until = 0.0
    for start, end, colour in samples:
        seen_until = end
        if not starts or starts[-1][1] != colour:
            starts.append((start, colour))
    if not starts:
        raise UnreadableMediaError("no frame can be decoded")
    ends = [start for start, _ in starts[1:]] + [max(duration, seen_until)]
    return tuple(Scene(start, end, colour) for (start, colour), end in zip(starts, ends, strict=True))


def _sound(data: bytes) -> Sound | None:
    try:
        return hear(data)
    except UnreadableMediaError:
        return None
