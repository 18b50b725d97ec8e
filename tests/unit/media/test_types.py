import pytest

from app.media.types import (
    HEADERLESS,
    SUPPORTED,
    MediaKind,
    canonical_mime_type,
    claimed_kind,
    essence_of,
    extension_of,
    kind_of,
    parameters_of,
    text_type_of_name,
)


@pytest.mark.parametrize(
    ("declared", "canonical"),
    [
        ("image/jpg", "image/jpeg"),
        ("IMAGE/PJPEG", "image/jpeg"),
        ("image/x-ms-bmp", "image/bmp"),
        ("image/heic-sequence", "image/heic"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-wav", "audio/wav"),
        ("audio/wave", "audio/wav"),
        ("audio/vnd.wave;codec=1", "audio/wav"),
        ("audio/x-m4a", "audio/m4a"),
        ("audio/mp4", "audio/m4a"),
        ("audio/x-flac", "audio/flac"),
        ("audio/x-aiff", "audio/aiff"),
        ("audio/webm;codecs=opus", "audio/webm"),
        ("audio/pcm;rate=16000", "audio/l16"),
        ("audio/L16; rate=24000", "audio/l16"),
        ("audio/PCMU", "audio/mulaw"),
        ("application/ogg", "audio/ogg"),
        ("video/mov", "video/quicktime"),
        ("video/mpg", "video/mpeg"),
        ("video/x-msvideo", "video/avi"),
        ("video/x-ms-asf", "video/wmv"),
        ("video/x-m4v", "video/mp4"),
        ("application/x-pdf", "application/pdf"),
        ("text/x-markdown; charset=utf-8", "text/markdown"),
        ("application/xml", "text/xml"),
        ("application/atom+xml", "text/xml"),
        ("application/ld+json", "application/json"),
        ("application/javascript", "text/javascript"),
        ("text/x-rust", "text/plain"),
        ("application/x-sh", "text/plain"),
        ("application/zip", "application/zip"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_another_spelling_becomes_geminis_mime_type(declared: str, canonical: str) -> None:
    assert canonical_mime_type(declared) == canonical


@pytest.mark.parametrize(
    "declared",
    [
        None,
        "",
        " ",
        "application/octet-stream",
        "binary/octet-stream; charset=binary",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "*/*",
        "png",
        "image/",
        "/png",
        "image/png/x",
        "imäge/png",
        "image/" + "x" * 200,
    ],
)
def test_a_meaningless_content_type_is_no_declaration(declared: str | None) -> None:
    assert canonical_mime_type(declared) is None
    assert essence_of(declared) is None


@pytest.mark.parametrize("mime_type", SUPPORTED)
def test_every_listed_type_is_its_own_canonical_name_and_has_a_kind(mime_type: str) -> None:
    assert canonical_mime_type(mime_type.upper()) == mime_type
    assert kind_of(f"{mime_type}; a=b") is not None


def test_headerless_sound_is_on_the_list() -> None:
    assert HEADERLESS.issubset(SUPPORTED)
    assert {kind_of(mime_type) for mime_type in HEADERLESS} == {MediaKind.AUDIO}


def test_an_unlisted_type_still_claims_a_kind() -> None:
    assert kind_of("image/x-icon") is None
    assert claimed_kind("image/x-icon") is MediaKind.IMAGE
    assert claimed_kind("application/zip") is None
    assert claimed_kind("application/json") is MediaKind.TEXT


def test_parameters_are_read_without_their_quotes_and_the_first_of_a_name_counts() -> None:
    parameters = parameters_of('audio/l16; Rate="16000"; channels=2; rate=8000; broken')

    assert parameters == {"rate": "16000", "channels": "2"}


@pytest.mark.parametrize(
    ("filename", "extension"),
    [
        (None, ""),
        ("", ""),
        ("README", ""),
        (".bashrc", ""),
        ("a.tar.GZ", "gz"),
        ("C:\\photos.old\\scan", ""),
        ("C:\\talks\\notes.MD", "md"),
    ],
)
def test_the_extension_is_the_last_of_the_last_path_segment(filename: str | None, extension: str) -> None:
    assert extension_of(filename) == extension


def test_the_extension_decides_the_text_type() -> None:
    assert text_type_of_name("notes.md") == "text/markdown"
    assert text_type_of_name("tool.py") == "text/x-python"
    assert text_type_of_name("photo.png") == "text/plain"
