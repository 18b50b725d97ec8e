import struct

from app.media.facts import read_facts
from tests.unit.media.recordings import media, sound


def page(position: int, *packets: bytes, serial: int = 7, flags: int = 0) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = struct.pack("<4sBBQIIIB", b"OggS", 0, flags, position, serial, 0, 0, len(lacing))
    return head + lacing + b"".join(packets)


def duration_of(data: bytes, *, is_whole: bool = True) -> float | None:
    return read_facts(data, "audio/ogg", is_whole=is_whole).duration


VORBIS = page(0, b"\x01vorbis" + bytes(5) + struct.pack("<I", 48_000) + bytes(12) + b"\xb8\x01", flags=2)
OPUS = page(0, b"OpusHead\x01\x01" + struct.pack("<HIHB", 312, 48_000, 0, 0), flags=2) + page(0, b"OpusTags")
# One frame of 20 ms in each packet.
OPUS_PACKET = b"\x98" + bytes(9)
SPEEX = page(0, b"Speex   " + bytes(28) + struct.pack("<I16xI4xI", 8000, 160, 2) + bytes(12), flags=2)


def test_flac_in_ogg_states_its_duration_in_its_head() -> None:
    stream_info = bytes(10) + struct.pack(">Q", 16_000 << 44 | 48_000)
    flac = page(0, b"\x7fFLAC\x01\0\0\x01fLaC\0\0\0\x22" + stream_info, flags=2)

    assert duration_of(flac, is_whole=False) == 3.0
    assert duration_of(flac) == 3.0
    assert duration_of(flac + flac) is None


def test_speex_is_as_long_as_its_last_position_says() -> None:
    assert duration_of(SPEEX + page(320, b"x") + page(20_000, b"x")) == 2.5


def test_streams_one_after_another_have_no_duration() -> None:
    short, long = sound("ogg", "libopus", seconds=1.0), sound("ogg", "libopus", seconds=3.0)

    assert duration_of(short + long) is None
    assert duration_of(media("speech.ogg") + short) is None


def test_a_second_stream_with_the_serial_of_the_first_stream_has_no_duration() -> None:
    assert duration_of(VORBIS + page(1024, b"x") + VORBIS + page(1024, b"x")) is None


def test_streams_side_by_side_have_no_duration() -> None:
    assert duration_of(VORBIS + page(0, b"other", serial=8) + page(1024, b"x")) is None


def test_an_opus_recording_that_starts_late_is_as_long_as_its_own_packets() -> None:
    late = OPUS + page(960_000, *[OPUS_PACKET] * 50) + page(960_000 + 48_312, *[OPUS_PACKET] * 50)

    assert duration_of(late) == 2.0


def test_an_opus_stream_of_one_page_that_drops_its_last_samples_keeps_its_duration() -> None:
    assert duration_of(OPUS + page(312 + 24_000, *[OPUS_PACKET] * 50)) == 0.5


def test_a_vorbis_or_speex_recording_that_starts_late_has_no_duration() -> None:
    assert duration_of(VORBIS + page(960_000, b"x") + page(1_200_000, b"x")) is None
    assert duration_of(SPEEX + page(960_000, b"x") + page(1_200_000, b"x")) is None
    assert duration_of(VORBIS + page(1024, b"x") + page(48_000, b"x")) == 1.0


def test_damage_between_pages_is_skipped() -> None:
    assert duration_of(VORBIS + page(1024, b"x") + b"junk OggS\x01" + bytes(30) + page(96_000, b"x")) == 2.0
