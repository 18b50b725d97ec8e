import struct

import pytest

from app.media.facts import MediaFacts, read_facts
from tests.unit.media.recordings import media, riff, sound, video

SPEECH_S = 7.41


def duration_of(data: bytes, mime_type: str, *, is_whole: bool) -> float | None:
    return read_facts(data, mime_type, is_whole=is_whole).duration


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("speech.wav", "audio/wav"),
        ("speech.mp3", "audio/mpeg"),
        ("speech.aiff", "audio/aiff"),
        ("speech.ogg", "audio/ogg"),
        ("speech.flac", "audio/flac"),
    ],
)
def test_the_known_speech_has_its_true_duration(name: str, mime_type: str) -> None:
    assert duration_of(media(name), mime_type, is_whole=True) == pytest.approx(SPEECH_S, abs=0.01)


def test_aac_is_as_long_as_its_frames_the_encoder_delay_included() -> None:
    assert duration_of(media("speech.aac"), "audio/aac", is_whole=True) == pytest.approx(SPEECH_S, abs=0.1)


def test_the_known_video_is_as_long_as_its_movie_header_says() -> None:
    assert duration_of(media("scenes.mp4"), "video/mp4", is_whole=True) == pytest.approx(6, abs=0.05)


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("speech.wav", "audio/wav"),
        ("speech.mp3", "audio/mpeg"),
        ("speech.aiff", "audio/aiff"),
        ("speech.flac", "audio/flac"),
    ],
)
def test_a_head_that_states_its_length_is_believed(name: str, mime_type: str) -> None:
    assert duration_of(media(name)[:4096], mime_type, is_whole=False) == pytest.approx(SPEECH_S, abs=0.01)


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("speech.aac", "audio/aac"), ("speech.ogg", "audio/ogg"), ("scenes.mp4", "video/mp4")],
)
def test_a_head_without_a_stated_length_has_no_duration(name: str, mime_type: str) -> None:
    assert duration_of(media(name)[:16_384], mime_type, is_whole=False) is None


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"),
    [
        ("wav", "pcm_alaw", "audio/wav"),
        ("ogg", "libopus", "audio/ogg"),
        ("ogg", "libopus", "audio/opus"),
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("mp2", "mp2", "audio/mpeg"),
        ("adts", "aac", "audio/aac"),
        ("ipod", "aac", "audio/m4a"),
        ("webm", "libopus", "audio/webm"),
    ],
)
def test_a_generated_sound_has_its_true_duration(container: str, codec: str, mime_type: str) -> None:
    data = sound(container, codec, seconds=3.0)

    assert duration_of(data, mime_type, is_whole=True) == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"),
    [
        ("mp4", "h264", "video/mp4"),
        ("mov", "h264", "video/quicktime"),
        ("3gp", "h263", "video/3gpp"),
        ("webm", "vp8", "video/webm"),
    ],
)
def test_a_generated_video_has_its_true_duration(container: str, codec: str, mime_type: str) -> None:
    assert duration_of(video(container, codec), mime_type, is_whole=True) == pytest.approx(2.0, abs=0.05)


def test_a_fragmented_video_without_a_stated_length_has_no_duration() -> None:
    data = video("mp4", "h264", movflags="frag_keyframe+empty_moov")

    assert duration_of(data, "video/mp4", is_whole=True) is None


def test_a_video_in_fragments_is_as_long_as_its_fragments_header_says() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    header = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, 0) + bytes(80))
    data = box(b"moov", header + box(b"mvex", box(b"mehd", struct.pack(">II", 0, 2500))))

    assert duration_of(data, "video/mp4", is_whole=True) == 2.5


def movie(*boxes: tuple[bytes, bytes], duration_ms: int = 5000) -> bytes:
    content = struct.pack(">I4s12xII80x", 108, b"mvhd", 1000, duration_ms)
    content += b"".join(struct.pack(">I4s", 8 + len(inner), kind) + inner for kind, inner in boxes)
    return struct.pack(">I4s", 8 + len(content), b"moov") + content


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_movie_header_of_the_first_fragment_is_not_the_duration(is_whole: bool) -> None:
    fragmented = movie((b"trak", bytes(40)), (b"mvex", struct.pack(">I4s24x", 32, b"trex")))
    totalled = movie((b"mvex", struct.pack(">I4sII", 16, b"mehd", 0, 20_000)))

    assert duration_of(fragmented, "video/mp4", is_whole=is_whole) is None
    assert duration_of(fragmented, "audio/m4a", is_whole=is_whole) is None
    assert duration_of(totalled, "video/mp4", is_whole=is_whole) == 20.0


def test_a_real_partly_fragmented_video_has_no_duration() -> None:
    data = video("mp4", "h264", seconds=4, movflags="frag_keyframe")

    assert duration_of(data, "video/mp4", is_whole=True) is None


def test_a_movie_header_cut_before_its_last_box_is_not_believed() -> None:
    whole = movie((b"trak", bytes(4000)))

    assert duration_of(whole + bytes(8), "video/mp4", is_whole=False) == 5.0
    assert duration_of(whole[:-1], "video/mp4", is_whole=False) is None


def test_a_movie_header_of_64_bits_is_read_from_a_box_of_64_bits() -> None:
    content = b"\x01" + bytes(19) + struct.pack(">IQ", 600, 600 * 10_000) + bytes(80)
    header = struct.pack(">I4sQ", 1, b"mvhd", 16 + len(content)) + content
    data = struct.pack(">I4s", 0, b"moov") + header

    assert duration_of(data, "video/mp4", is_whole=True) == 10_000.0


def test_a_webm_of_unknown_size_without_a_length_has_no_duration() -> None:
    data = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff\x1f\x43\xb6\x75\x80"

    assert read_facts(data, "video/webm", is_whole=True) == MediaFacts()


def test_an_mp3_without_a_count_is_counted_when_whole_and_unknown_when_cut() -> None:
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    data = b"ID3\x03\0\0\0\0\0\x02\0\0" + frame * 100 + b"TAG" + bytes(125)

    assert duration_of(data, "audio/mpeg", is_whole=True) == pytest.approx(100 * 1152 / 44_100)
    assert duration_of(data[:5000], "audio/mpeg", is_whole=False) is None


@pytest.mark.parametrize("padding", [1, 5_000, 65_536])
def test_zeros_before_an_mp3_do_not_change_its_duration(padding: int) -> None:
    data = sound("mp3", "libmp3lame", seconds=3.0)

    assert duration_of(bytes(padding) + data, "audio/mpeg", is_whole=True) == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"), [("flac", "flac", "audio/flac"), ("adts", "aac", "audio/aac")]
)
def test_sound_after_several_tags_has_its_duration(container: str, codec: str, mime_type: str) -> None:
    tags = b"ID3\x04\0\0\0\0\x20\x04" + bytes(4100) + b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)

    data = tags + sound(container, codec, seconds=3.0)

    assert duration_of(data, mime_type, is_whole=True) == pytest.approx(3.0, abs=0.05)


def test_an_mp3_is_read_on_after_damage() -> None:
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    data = frame * 50 + b"damage\xff\xfb" * 9 + frame * 50

    assert duration_of(data, "audio/mpeg", is_whole=True) == pytest.approx(100 * 1152 / 44_100)


def test_a_cut_mp3_has_the_frame_count_of_its_first_frame() -> None:
    empty = b"\xff\xfb\x90\x64"
    counted = empty + bytes(32) + b"VBRI" + bytes(10) + struct.pack(">I", 1000)
    data = counted.ljust(417, b"\0") + (empty + bytes(413)) * 5

    assert duration_of(data, "audio/mpeg", is_whole=False) == pytest.approx(1000 * 1152 / 44_100)
    assert duration_of(data, "audio/mpeg", is_whole=True) == pytest.approx(5 * 1152 / 44_100)


def test_a_streamed_wav_has_the_duration_of_its_bytes() -> None:
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    data = bytearray(riff(b"WAVE", (b"fmt ", form), (b"data", bytes(64_000))))
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)

    assert duration_of(bytes(data), "audio/wav", is_whole=True) == 2.0
    assert duration_of(bytes(data[:100]), "audio/wav", is_whole=False) is None


def test_a_long_wav_states_its_length_in_64_bits() -> None:
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    sizes = struct.pack("<QQQI", 0, 32_000 * 200_000, 0, 0)
    data = bytearray(riff(b"WAVE", (b"ds64", sizes), (b"fmt ", form), (b"data", b""), magic=b"RF64"))
    struct.pack_into("<I", data, len(data) - 4, 0xFFFFFFFF)

    assert duration_of(bytes(data), "audio/wav", is_whole=False) == 200_000.0


def test_a_truncated_wav_has_the_duration_of_its_remaining_bytes() -> None:
    data = media("speech.wav")[: 44 + 32_000]

    assert duration_of(data, "audio/wav", is_whole=True) == 1.0


def test_a_wav_of_a_packing_codec_has_no_length_by_its_average_rate() -> None:
    form = struct.pack("<HHIIHH", 0x55, 1, 16_000, 4_000, 1, 0)

    data = riff(b"WAVE", (b"fmt ", form), (b"data", bytes(4000)))

    assert duration_of(data, "audio/wav", is_whole=True) is None


def test_an_aiff_of_a_packing_codec_has_no_length_by_its_packets() -> None:
    rate = struct.pack(">HQ", 16_383 + 13, 16_000 << 50)
    plain = struct.pack(">HIH", 1, 32_000, 16) + rate
    packed = riff(b"AIFC", (b"COMM", plain + b"ima4\0\0"), magic=b"FORM", order="big")
    swapped = riff(b"AIFC", (b"COMM", plain + b"sowt\0\0"), magic=b"FORM", order="big")

    assert duration_of(packed, "audio/aiff", is_whole=True) is None
    assert duration_of(swapped, "audio/aiff", is_whole=True) == 2.0


@pytest.mark.parametrize(
    ("mime_type", "duration"),
    [
        ("audio/l16;rate=16000", 2.0),
        ("audio/l16;rate=16000;channels=2", 1.0),
        ("audio/alaw;rate=8000", 8.0),
        ("audio/mulaw", None),
    ],
)
def test_raw_samples_are_as_long_as_their_rate_says(mime_type: str, duration: float | None) -> None:
    assert duration_of(bytes(64_000), mime_type, is_whole=True) == duration
    assert duration_of(bytes(64_000), mime_type, is_whole=False) is None


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_an_impossible_length_is_none(duration: float) -> None:
    info = b"\x44\x89\x88" + struct.pack(">d", duration)
    data = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x15\x49\xa9\x66\x8b" + info

    assert read_facts(data, "video/webm", is_whole=True) == MediaFacts()
