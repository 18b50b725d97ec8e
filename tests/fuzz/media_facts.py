"""The readers of media: facts are positive or absent, and no bytes make a reader raise."""

from app.media.facts import read_facts
from app.media.facts.read import turned_by_tail
from app.media.sniff import sniff
from app.media.types import SUPPORTED
from app.store.records import MediaFacts

TYPES = [mime_type for mime_type in SUPPORTED if not mime_type.startswith("text/")]
WORDS = (
    b"\0\0\0\x18ftyp", b"moov", b"mvhd", b"mvex", b"mehd", b"meta", b"pitm", b"iprp", b"ipco", b"ipma", b"ispe",
    b"clap", b"irot", b"RIFF", b"WAVE", b"fmt ", b"data", b"ds64", b"FORM", b"AIFC", b"COMM", b"fLaC", b"OggS\0",
    b"OpusHead", b"\1vorbis", b"Xing", b"VBRI", b"LAME", b"eXIf", b"EXIF", b"Exif\0\0", b"II*\0", b"MM\0+", b"VP8X",
    b"VP8L", b"IHDR", b"\xff\xd8\xff\xe1", b"\xff\xc0", b"%PDF-1.7", b"/Linearized", b"/N 3", b"\x18\x53\x80\x67",
    b"\x15\x49\xa9\x66", b"\x44\x89", b"\x2a\xd7\xb1", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1", b"ID3\4\0\0",
)  # fmt: skip


def run(data: bytes) -> None:
    """Read a file's facts: by the type that its bytes prove, and by the type that its first byte names."""
    if not data:
        return
    body = data[1:]
    for mime_type in {TYPES[data[0] % len(TYPES)], sniff(body) or TYPES[0]}:
        for is_whole in (True, False):
            facts = read_facts(body, mime_type, is_whole=is_whole)
            _check(facts)
            _check(turned_by_tail(facts, body[: len(body) // 2], body[len(body) // 2 :], mime_type))


def _check(facts: MediaFacts) -> None:
    for value in (facts.width, facts.height, facts.orientation, facts.duration, facts.pages):
        assert value is None or value > 0
    assert (facts.width is None) == (facts.height is None)
