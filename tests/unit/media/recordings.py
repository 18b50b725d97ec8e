"""Sound, video and pictures made on the spot, in the containers that the tests ask for."""

import io
import pathlib
from typing import Literal

import av
import numpy as np
from PIL import Image

MEDIA = pathlib.Path(__file__).parents[2] / "media"


def media(name: str) -> bytes:
    return (MEDIA / name).read_bytes()


def sound(container: str, codec: str, *, seconds: float = 2.0, rate: int = 48_000) -> bytes:
    """A 440 Hz tone."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 440 / rate) * 8000
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 0)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def video(container: str, codec: str, *, seconds: float = 2.0, movflags: str = "") -> bytes:
    """A grey picture, 25 times a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"movflags": movflags} if movflags else {}) as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for _ in range(int(seconds * 25)):
            grey = np.full((144, 176, 3), 128, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        output.mux(stream.encode(None))
    return file.getvalue()


def picture(form: str, size: tuple[int, int] = (60, 40), *, orientation: int | None = None, mode: str = "RGB") -> bytes:
    """A grey picture of a size as stored, with an EXIF orientation if one is given."""
    file = io.BytesIO()
    image = Image.new(mode, size, 128)
    if orientation is None:
        image.save(file, form)
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(file, form, exif=exif)
    return file.getvalue()


def riff(
    form: bytes, *chunks: tuple[bytes, bytes], order: Literal["little", "big"] = "little", magic: bytes = b"RIFF"
) -> bytes:
    """A RIFF (or, with `magic` and big-endian order, an IFF) file of the given chunks."""
    body = form + b"".join(
        kind + len(content).to_bytes(4, order) + content + b"\0" * (len(content) & 1) for kind, content in chunks
    )
    return magic + len(body).to_bytes(4, order) + body
