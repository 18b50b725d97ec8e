"""Recordings and films of known contents, made for tests in the containers that the Gemini API takes."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

# Container and codec for each name used in tests.
SOUND_FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "aiff": ("aiff", "pcm_s16be"),
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
    "m4a": ("ipod", "aac"),
    "opus": ("ogg", "libopus"),
    "webm": ("webm", "libopus"),
}
FILM_FORMATS = {
    "mp4": ("mp4", "libx264"),
    "mov": ("mov", "libx264"),
    "webm": ("webm", "libvpx"),
    "avi": ("avi", "mpeg4"),
    "mpeg": ("mpeg", "mpeg2video"),
    "flv": ("flv", "flv"),
    "wmv": ("asf", "wmv2"),
}
_FRAME = 1024


def tones(pieces: Sequence[tuple[float, bool]], *, rate: int, channels: int = 1) -> NDArray[np.int16]:
    """Make a signal of loud and silent pieces, each given as seconds and whether it sounds; samples x channels."""
    parts = []
    for seconds, is_loud in pieces:
        time = np.arange(round(seconds * rate)) / rate
        parts.append(12_000 * np.sin(2 * np.pi * 440 * time) if is_loud else np.zeros_like(time))
    signal = np.concatenate(parts).astype(np.int16)
    return np.repeat(signal[:, None], channels, axis=1)


def record(signal: NDArray[np.int16], file_format: str, *, rate: int) -> bytes:
    """Encode a signal (samples x channels)."""
    container_format, codec = SOUND_FORMATS[file_format]
    out = io.BytesIO()
    layout = "mono" if signal.shape[1] == 1 else "stereo"
    with av.open(out, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        for start in range(0, len(signal), _FRAME):
            piece = np.ascontiguousarray(signal[start : start + _FRAME].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout=layout)
            frame.sample_rate = rate
            frame.pts = start
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def film(
    scenes: Sequence[tuple[float, tuple[int, int, int]]],
    file_format: str,
    *,
    size: tuple[int, int] = (160, 96),
    frames_per_second: int = 25,
) -> bytes:
    """Encode a silent film of scenes, each given as seconds and one colour."""
    container_format, codec = FILM_FORMATS[file_format]
    width, height = size
    out = io.BytesIO()
    with av.open(out, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=frames_per_second)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 1_000_000
        for seconds, colour in scenes:
            for _ in range(round(seconds * frames_per_second)):
                picture = np.full((height, width, 3), colour, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()
