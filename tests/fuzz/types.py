"""The type of a file: every decision is a supported type, and text that passes in pieces is judged as a whole."""

from collections.abc import Sequence

from app.media.filenames import MAX_FILENAME_CHARS, clean_filename
from app.media.sniff import Decision, decide, sniff
from app.media.text import TextCheck, charset_of
from app.media.types import SUPPORTED, UnsupportedTypeError, kind_of
from tests.fuzz.cutting import cuttings

LONGEST_REASON = 1_000
WORDS = (
    b"text/plain", b"image/png", b"audio/l16", b"audio/mpeg", b"video/mp4", b"application/pdf", b"; charset=",
    b"utf-16", b"iso2022_jp", b"gb18030", b";rate=", b";channels=", b".ts", b".m4a", b"\0\0\0\x20ftyp", b"RIFF",
    b"\x1a\x45\xdf\xa3", b"OggS\0", b"ID3\4\0\0\0\0\0\0", b"\xff\xfb", b"\xff\xf1", b"%PDF-", b"<svg", b"<!--",
    b"PK\3\4", b"BM", b"II*\0", b"\0\0\1\0", b"GIF89a", b"fLaC", b"webm", b"heic", b"\x42\x82", b"WAVE", b"<?xml ",
)  # fmt: skip


def run(data: bytes) -> None:
    """Decide a type: two lines for Content-Type and filename, then the cuts and the file."""
    declared, _, rest = data.partition(b"\n")
    filename, _, rest = rest.partition(b"\n")
    content_type, name = declared.decode("latin-1"), filename.decode("utf-8", "replace")
    head, ways = cuttings(rest)
    cleaned = clean_filename(name)
    assert cleaned is None or (cleaned.isprintable() and len(cleaned) <= MAX_FILENAME_CHARS and "/" not in cleaned)
    sniff(head)
    for is_whole in (True, False):
        decision = _decision(head, content_type, name, is_whole=is_whole)
        if isinstance(decision, UnsupportedTypeError):
            assert len(decision.reason) <= LONGEST_REASON
        else:
            assert decision.mime_type.partition(";")[0] in SUPPORTED
            assert kind_of(decision.mime_type) is decision.kind
    try:
        charset = charset_of(content_type)
    except UnsupportedTypeError:
        return
    for pieces in ways:
        assert _is_text(pieces, charset) == _is_text([head], charset)


def _decision(head: bytes, content_type: str, name: str, *, is_whole: bool) -> Decision | UnsupportedTypeError:
    try:
        return decide(head, declared=content_type, filename=name, is_whole=is_whole)
    except UnsupportedTypeError as error:
        return error


def _is_text(pieces: Sequence[bytes], charset: str) -> bool:
    check = TextCheck(charset)
    try:
        for piece in pieces:
            check.feed(piece)
        check.finish()
    except UnsupportedTypeError:
        return False
    return True
