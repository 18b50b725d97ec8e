"""Any bytes yield facts or None, and never an exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media.facts import MediaFacts, read_facts
from app.media.sniff import sniff
from app.media.types import SUPPORTED
from tests.unit.media.recordings import MEDIA, picture, sound, video

SAMPLES = {path.name: path.read_bytes() for path in sorted(MEDIA.iterdir())} | {
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF", orientation=6),
    "webp": picture("WEBP", orientation=6),
    "png": picture("PNG", orientation=6),
    "opus": sound("ogg", "libopus", seconds=0.2),
    "m4a": sound("ipod", "aac", seconds=0.2),
    "webm": video("webm", "vp8", seconds=0.2),
    "mov": video("mov", "h264", seconds=0.2),
}
READABLE = [mime_type for mime_type in SUPPORTED if not mime_type.startswith("text/")]
PATCH = st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=9))


def assert_sane(facts: MediaFacts) -> None:
    for value in (facts.width, facts.height, facts.orientation, facts.duration, facts.pages):
        assert value is None or value > 0
    assert (facts.width is None) == (facts.height is None)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.lists(PATCH, max_size=4), st.integers(0, 1 << 17), st.booleans(), st.data())
def test_a_damaged_file_never_raises(
    name: str, patches: list[tuple[int, bytes]], length: int, is_whole: bool, draw: st.DataObject
) -> None:
    damaged = bytearray(SAMPLES[name][:length])
    for at, patch in patches:
        damaged[at : at + len(patch)] = patch
    data = bytes(damaged)
    mime_type = sniff(data) or draw.draw(st.sampled_from(READABLE))

    assert_sane(read_facts(data, mime_type, is_whole=is_whole))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([*READABLE, "text/plain", "audio/l16;rate=0", "audio/l16;rate=x"]),
    st.booleans(),
)
def test_random_bytes_of_any_type_never_raise(data: bytes, mime_type: str, is_whole: bool) -> None:
    assert_sane(read_facts(data, mime_type, is_whole=is_whole))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_file_cut_anywhere_in_its_header_never_raises(name: str) -> None:
    whole = SAMPLES[name]
    mime_type = sniff(whole) or "image/png"

    for length in range(min(len(whole), 600)):
        assert_sane(read_facts(whole[:length], mime_type, is_whole=False))


@pytest.mark.parametrize(
    ("mime_type", "data"),
    [
        ("audio/mpeg", b"\xff" * 3_000_000),
        ("audio/aac", b"\xff\xf1\x60\x40\x00\xff\xfc" * 1_100_000),
        ("audio/ogg", b"OggS\0\2" * 500_000),
        ("image/jpeg", b"\xff\xd8" + b"\xff\xe0\0\2" * 700_000),
        ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8X" + bytes(3_000_000)),
        ("image/tiff", b"II*\0\x08\0\0\0" + b"\xff" * 3_000_000),
        ("image/heic", b"\0\0\0\x08meta" * 400_000),
        ("video/mp4", b"\0\0\0\x09free\0" * 400_000),
        ("video/webm", b"\x18\x53\x80\x67\x80" * 400_000),
        ("audio/wav", b"RIFF\0\0\0\0WAVE" + bytes(3_000_000)),
        ("application/pdf", b"%PDF-1.7 << /Linearized " + b"<< /Linearized " * 200_000),
    ],
)
@pytest.mark.timeout(20)
def test_bytes_made_to_cost_time_are_given_up(mime_type: str, data: bytes) -> None:
    assert read_facts(data, mime_type, is_whole=True).duration is None
    assert_sane(read_facts(data, mime_type, is_whole=False))
