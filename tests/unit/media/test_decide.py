import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.media.sniff import HEAD_BYTES, Decision, decide
from app.media.types import SUPPORTED, MediaKind, UnsupportedTypeError, kind_of
from tests.unit.media.recordings import MEDIA, media, picture, sound, video

PNG = picture("PNG")
NAMES = sorted(path.name for path in MEDIA.iterdir())


def decided(data: bytes, declared: str | None = None, filename: str | None = None) -> Decision:
    return decide(data[:HEAD_BYTES], declared=declared, filename=filename, is_whole=len(data) <= HEAD_BYTES)


def test_bytes_that_tell_need_neither_type_nor_name() -> None:
    assert decided(PNG) == Decision("image/png", MediaKind.IMAGE, None, has_mismatch=False)


def test_within_a_kind_the_bytes_win_with_a_mismatch() -> None:
    assert decided(PNG, "image/jpeg") == Decision("image/png", MediaKind.IMAGE, "image/jpeg", has_mismatch=True)
    assert decided(media("speech.mp3"), "video/mp4").has_mismatch
    assert decided(media("speech.mp3"), "video/mp4").mime_type == "audio/mpeg"


@pytest.mark.parametrize(
    ("name", "declared", "mime_type"),
    [
        ("shapes.jpg", "image/JPG; q=1", "image/jpeg"),
        ("shapes.heic", "image/heif", "image/heic"),
        ("speech.mp3", "audio/mp3", "audio/mpeg"),
        ("speech.wav", "audio/x-wav", "audio/wav"),
        ("speech.ogg", "application/ogg", "audio/ogg"),
        ("scenes.mp4", "video/x-m4v", "video/mp4"),
        ("report.pdf", "application/x-pdf", "application/pdf"),
        ("report.pdf", "application/octet-stream", "application/pdf"),
    ],
)
def test_another_spelling_of_the_same_type_is_no_mismatch(name: str, declared: str, mime_type: str) -> None:
    decision = decided(media(name), declared)

    assert (decision.mime_type, decision.has_mismatch) == (mime_type, False)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("shapes.png", "audio/mpeg"),
        ("shapes.png", "video/x-unheard-of"),
        ("shapes.png", "application/pdf"),
        ("shapes.png", "text/plain"),
        ("shapes.png", "application/json"),
        ("shapes.png", "audio/l16;rate=16000"),
        ("report.pdf", "image/png"),
        ("report.pdf", "text/markdown"),
        ("speech.wav", "image/png"),
        ("scenes.mp4", "application/pdf"),
        ("not-a-picture.png", "image/png"),
        ("not-a-picture.png", "audio/mpeg"),
        ("not-a-picture.png", "video/mp4"),
        ("not-a-picture.png", "application/pdf"),
        ("not-a-picture.png", "audio/l16;rate=16000"),
        ("README.md", "image/png"),
        ("program.jpg", "image/jpeg"),
        ("program.jpg", "text/plain"),
        ("program.jpg", None),
        ("empty.jpg", "image/jpeg"),
    ],
)
def test_a_file_of_another_kind_than_declared_is_refused(name: str, declared: str | None) -> None:
    with pytest.raises(UnsupportedTypeError) as refusal:
        decided(media(name), declared, name)

    assert refusal.value.allowed == SUPPORTED
    assert refusal.value.reason.endswith(".")


@pytest.mark.parametrize("declared", ["image/png", "video/mp4", "audio/flac", "application/pdf", "text/plain", None])
def test_bytes_of_no_known_format_are_refused(declared: str | None) -> None:
    with pytest.raises(UnsupportedTypeError):
        decided(bytes(range(256)) * 4, declared)


def test_a_refusal_names_the_received_type() -> None:
    with pytest.raises(UnsupportedTypeError, match="Matroska file; remux") as refusal:
        decided(video("matroska", "vp8"), "video/webm")

    assert refusal.value.received == "video/x-matroska"


@pytest.mark.parametrize(
    ("container", "codec", "declared", "filename", "mime_type", "has_mismatch"),
    [
        ("mp4", "aac", "audio/mp4", None, "audio/m4a", False),
        ("mp4", "aac", "audio/x-m4a", None, "audio/m4a", False),
        ("mp4", "aac", "audio/aac", None, "audio/m4a", True),
        ("mp4", "aac", "video/mp4", "memo.m4a", "video/mp4", False),
        ("mp4", "aac", None, "memo.M4A", "audio/m4a", False),
        ("mp4", "aac", "application/octet-stream", "film.mp4", "video/mp4", False),
        ("ipod", "aac", "video/mp4", None, "audio/m4a", True),
        ("mov", "aac", "video/mp4", None, "video/quicktime", True),
        ("webm", "libopus", "audio/webm;codecs=opus", None, "audio/webm", False),
        ("webm", "libopus", None, None, "video/webm", False),
        ("ogg", "libopus", "audio/ogg", None, "audio/ogg", False),
        ("ogg", "libopus", "audio/opus", None, "audio/opus", False),
        ("ogg", "libopus", None, "talk.opus", "audio/ogg", False),
        ("ogg", "libopus", "video/ogg", None, "audio/ogg", True),
        ("3gp", "aac", "audio/3gpp", None, "video/3gpp", False),
    ],
)
def test_a_container_is_sound_or_video_as_declared(
    container: str, codec: str, declared: str | None, filename: str | None, mime_type: str, has_mismatch: bool
) -> None:
    decision = decided(sound(container, codec), declared, filename)

    assert (decision.mime_type, decision.has_mismatch) == (mime_type, has_mismatch)
    assert decision.kind is kind_of(mime_type)


LONG_TAG = b"ID3\x04\0\0\0\x08\0\0" + bytes(HEAD_BYTES)


@pytest.mark.parametrize(
    ("declared", "filename", "mime_type"),
    [
        ("audio/flac", None, "audio/flac"),
        ("audio/x-flac", "song.mp3", "audio/flac"),
        ("audio/aac", None, "audio/aac"),
        ("audio/mpeg", None, "audio/mpeg"),
        ("audio/mp3", "song.flac", "audio/mpeg"),
        ("application/octet-stream", "song.flac", "audio/flac"),
        (None, "song.AAC", "audio/aac"),
        (None, "song.mp3", "audio/mpeg"),
    ],
)
def test_the_claim_or_extension_names_the_sound_after_a_long_tag(
    declared: str | None, filename: str | None, mime_type: str
) -> None:
    decision = decided(LONG_TAG, declared, filename)

    assert (decision.mime_type, decision.has_mismatch) == (mime_type, False)


@pytest.mark.parametrize(
    ("declared", "filename", "reason"),
    [
        (None, None, "begins with ID3 tags"),
        ("image/png", None, "begins with ID3 tags"),
        ("audio/ac3", None, "AC-3 sound; convert it"),
        (None, "song.mpc", "Musepack sound; convert it"),
    ],
)
def test_other_sound_after_a_long_tag_is_refused(declared: str | None, filename: str | None, reason: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=reason):
        decided(LONG_TAG, declared, filename)


def test_bytes_after_a_tag_that_are_no_sound_are_refused() -> None:
    with pytest.raises(UnsupportedTypeError):
        decided(b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + b"\x01\x02 no sound" * 99, "audio/mpeg")


@pytest.mark.parametrize(
    ("declared", "filename"),
    [
        ("image/x-adobe-dng", None),
        ("image/dng", None),
        ("image/tiff", "IMG_0001.DNG"),
        (None, "shot.nef"),
        (None, "shot.nrw"),
        ("image/x-sony-arw", "a.tif"),
        ("image/x-pentax-pef", None),
        (None, "shot.iiq"),
    ],
)
def test_a_tiff_that_is_called_a_raw_photo_is_refused_by_name(declared: str | None, filename: str | None) -> None:
    with pytest.raises(UnsupportedTypeError, match=r"raw photo \([\w ]+\); export it as JPEG"):
        decided(b"II*\0\xff\xff\xff\0" + bytes(40), declared, filename)


def test_windows_media_that_is_called_sound_is_refused() -> None:
    head = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + (1 << 20).to_bytes(8, "little") + bytes(400)

    for declared, filename in (("audio/x-ms-wma", None), (None, "song.wma")):
        with pytest.raises(UnsupportedTypeError, match="WMA sound; convert it"):
            decided(head, declared, filename)
    assert decided(head, "video/x-ms-wmv").mime_type == "video/wmv"


@pytest.mark.parametrize(
    ("brands", "reason"),
    [
        (b"mif3avifmif3", "AVIF"),
        (b"avif\0\0\0\0mif1", "AVIF"),
        (b"avci\0\0\0\0mif1", "AVC"),
        (b"j2ki\0\0\0\0mif1", "JPEG 2000"),
        (b"vvic\0\0\0\0mif1", "VVC"),
    ],
)
@pytest.mark.parametrize("declared", [None, "image/heif", "video/mp4"])
def test_a_heif_picture_of_another_codec_is_refused_by_name(brands: bytes, reason: str, declared: str | None) -> None:
    with pytest.raises(UnsupportedTypeError, match=reason):
        decided((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(64), declared)


def test_junk_before_the_first_frame_is_forgiven_when_mp3_is_declared() -> None:
    damaged = b"junk\xfe\x00" * 20 + media("speech.mp3")[45:]

    assert decided(damaged, "audio/mpeg").mime_type == "audio/mpeg"
    with pytest.raises(UnsupportedTypeError):
        decided(damaged)


@pytest.mark.parametrize(
    ("declared", "mime_type"),
    [
        ("audio/l16;rate=16000", "audio/l16;rate=16000"),
        ("audio/L16; channels=2; rate=44100; codec=pcm", "audio/l16;rate=44100;channels=2"),
        ("audio/pcm;rate=24000;channels=1", "audio/l16;rate=24000"),
        ("audio/pcma", "audio/alaw;rate=8000"),
        ("audio/basic", "audio/mulaw;rate=8000"),
        ("audio/x-mulaw;rate=16000", "audio/mulaw;rate=16000"),
    ],
)
def test_headerless_sound_is_taken_at_its_word_with_its_rate(declared: str, mime_type: str) -> None:
    samples = bytes(range(256)) * 8

    assert decided(samples, declared, "take.raw").mime_type == mime_type


@pytest.mark.parametrize(
    "parameters", ["", ";rate=", ";rate=12", ";rate=٤٤١٠٠", ";rate=16000;channels=99", ";rate=1e4"]
)
def test_raw_samples_without_a_usable_rate_are_refused(parameters: str) -> None:
    with pytest.raises(UnsupportedTypeError, match="rate"):
        decided(bytes(range(256)), f"audio/l16{parameters}")


def test_declared_raw_samples_with_a_header_have_the_headers_type() -> None:
    decision = decided(media("speech.wav"), "audio/l16;rate=16000")

    assert (decision.mime_type, decision.has_mismatch) == ("audio/wav", True)


@pytest.mark.parametrize(
    ("declared", "filename", "mime_type", "has_mismatch"),
    [
        (None, None, "text/plain", False),
        (None, "notes.md", "text/markdown", False),
        ("application/octet-stream; charset=binary", "tool.py", "text/x-python", False),
        (None, "photo.png", "text/plain", False),
        ("text/html", "page.htm", "text/html", False),
        ("text/markdown", "x.py", "text/markdown", False),
        ("text/x-rust", "main.rs", "text/plain", False),
        ("application/x-yaml", "a.yaml", "text/plain", False),
        ("application/json", "a.txt", "application/json", False),
        ("application/vnd.ms-excel", "table.csv", "text/csv", True),
        ("application/vnd.unheard-of", None, "text/plain", True),
        ("video/mp2t", "main.ts", "text/plain", False),
    ],
)
def test_text_keeps_a_listed_type_and_is_plain_otherwise(
    declared: str | None, filename: str | None, mime_type: str, has_mismatch: bool
) -> None:
    decision = decided("déjà vu".encode(), declared, filename)

    assert (decision.mime_type, decision.has_mismatch) == (mime_type, has_mismatch)
    assert (decision.kind, decision.charset) == (MediaKind.TEXT, "utf-8")


def test_text_is_checked_in_its_declared_charset() -> None:
    latin = "déjà vu".encode("latin-1")

    assert decided(latin, "text/plain; charset=iso-8859-1").charset == "iso8859-1"
    with pytest.raises(UnsupportedTypeError):
        decided(latin, "text/plain")


def test_undeclared_markup_is_recognised_by_its_bytes() -> None:
    assert decided(media("not-a-picture.png")).mime_type == "text/html"
    assert decided(b"<?xml version='1.0'?><a/>").mime_type == "text/xml"
    assert decided(b"{\\rtf1 hello}").mime_type == "text/rtf"


def test_a_drawing_is_refused_unless_its_source_is_to_be_read() -> None:
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'/>"

    assert decided(drawing, "text/xml").mime_type == "text/xml"
    for declared in ("image/svg+xml", "image/png", None):
        with pytest.raises(UnsupportedTypeError, match="SVG"):
            decided(drawing, declared)


def test_a_character_cut_at_the_end_of_the_head_is_text() -> None:
    head = ("é" * HEAD_BYTES).encode()[1 : HEAD_BYTES + 1]

    with pytest.raises(UnsupportedTypeError):
        decide(head, declared=None, filename=None, is_whole=False)
    assert decide(head[1:], declared=None, filename=None, is_whole=False).mime_type == "text/plain"


def test_a_text_that_mentions_pdf_is_text_but_a_pdf_after_junk_is_a_pdf() -> None:
    mention = "Ein PDF beginnt für gewöhnlich mit\n%PDF-1.7\n".encode()

    assert decided(mention, None, "notes.md").mime_type == "text/markdown"
    assert decided(b"Subject: scan\n\n%PDF-1.7\nplain", "application/pdf").mime_type == "application/pdf"


@pytest.mark.parametrize("declared", [None, "text/plain", "text/plain; charset=iso-8859-1", "application/octet-stream"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_is_believed(declared: str | None, encoding: str) -> None:
    decision = decided("déjà vu".encode(encoding), declared, "a.csv")

    assert (decision.kind, decision.charset) == (MediaKind.TEXT, encoding)


def test_a_charset_apart_from_the_type_is_believed() -> None:
    latin = "déjà vu".encode("cp1252")

    for declared in (None, "text/csv", "text/csv; charset=utf-8", "application/vnd.ms-excel"):
        decision = decide(latin, declared=declared, filename="a.csv", is_whole=True, charset="cp1252")
        assert (decision.mime_type, decision.charset) == ("text/csv", "cp1252")
    assert decide(PNG, declared=None, filename=None, is_whole=True, charset="cp1252").mime_type == "image/png"


@pytest.mark.parametrize("declared", [None, "text/csv"])
def test_text_in_no_known_charset_is_refused_with_both_ways_out(declared: str | None) -> None:
    with pytest.raises(UnsupportedTypeError, match=r"at byte 1\..*UTF-8.*charset=windows-1252.*field 'charset'"):
        decided("déjà vu".encode("cp1252"), declared, "a.csv")
    with pytest.raises(UnsupportedTypeError, match="field 'charset'"):
        decided("wide letters".encode("utf-16-le"), declared, "a.csv")


def test_bytes_that_are_no_text_are_no_reason_to_name_a_charset() -> None:
    with pytest.raises(UnsupportedTypeError, match="Unknown file type"):
        decided(bytes(range(256)) * 4)


def is_listed_or_refused(head: bytes, declared: str | None, filename: str | None, *, is_whole: bool) -> bool:
    try:
        decision = decide(head, declared=declared, filename=filename, is_whole=is_whole)
    except UnsupportedTypeError as refusal:
        return refusal.allowed == SUPPORTED
    return kind_of(decision.mime_type) is decision.kind


DECLARATIONS = st.one_of(
    st.none(),
    st.sampled_from([*SUPPORTED, "application/octet-stream", "audio/pcm;rate=16000", "text/plain;charset=latin-1"]),
    st.text(string.printable, max_size=40),
    st.text(max_size=40),
)


@given(st.binary(max_size=HEAD_BYTES), DECLARATIONS, st.one_of(st.none(), st.text(max_size=20)), st.booleans())
@example(b"\xff\xf1\x60\x40\x00\xff\xfc", None, None, True)
def test_any_bytes_get_a_listed_type_or_a_refusal(
    head: bytes, declared: str | None, filename: str | None, is_whole: bool
) -> None:
    assert is_listed_or_refused(head, declared, filename, is_whole=is_whole)


@given(
    st.sampled_from(NAMES),
    st.binary(min_size=1, max_size=8),
    st.integers(0, 64),
    st.integers(0, HEAD_BYTES),
    DECLARATIONS,
)
def test_a_damaged_file_gets_a_listed_type_or_a_refusal(
    name: str, patch: bytes, at: int, length: int, declared: str | None
) -> None:
    original = media(name)[:HEAD_BYTES]
    damaged = (original[:at] + patch + original[at + len(patch) :])[:length]

    assert is_listed_or_refused(damaged, declared, name, is_whole=False)
