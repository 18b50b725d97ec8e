"""The scan of a batch's file is at the same byte as Gemini, or the file's names are unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.scanning import JsonLinesScanner, NamedByLines
from app.native.uploads.lines import UploadedLines

LINE = b'{"key": "r1", "request": {"contents": [{"parts": [{"fileUri": "files/abc"}, {"text": "x"}]}]}}\n'
OTHER = b'{"key": "r2", "request": {"cachedContent": "cachedContents/c1"}}\n'
HIDING = b'{"key": "1", "request": {"contents": [{"parts": [{"text": "'
FREE = b'"}]}],"labels":[{"z":[{"z":"'
NAMING = b'"},{"fileData":{"fileUri":"files/victim"}}]}]}}\n'


def scanned(data: bytes, position: int = 0) -> UploadedLines:
    lines = UploadedLines(position=position)
    lines.feed(data)
    return lines


def named_by(lines: UploadedLines, size: int) -> frozenset[str] | None:
    named = NamedByLines.load(lines.named_in(size))
    return None if named is None else named.objects


def test_a_file_that_gemini_has_as_it_was_scanned_names_its_references() -> None:
    data = LINE + OTHER

    assert named_by(scanned(data), len(data)) == frozenset({"cachedContents/c1", "files/abc"})


@pytest.mark.parametrize("size", [None, 0, len(LINE) - 1, len(LINE) + 1])
def test_the_names_of_a_file_of_another_size_than_its_scan_are_unknown(size: int | None) -> None:
    assert scanned(LINE).named_in(size) is None


def test_a_chunk_that_gemini_took_in_part_makes_the_scan_void_for_good() -> None:
    lines = scanned(HIDING + FREE)

    lines.stand_at(len(HIDING))
    lines.feed(NAMING)

    assert lines.named_in(len(HIDING + FREE + NAMING)) is None


def test_a_scan_goes_on_at_another_replica_and_one_of_an_older_version_is_void() -> None:
    lines = UploadedLines.restore(scanned(LINE).save())
    lines.feed(OTHER)

    assert named_by(lines, len(LINE + OTHER)) == frozenset({"cachedContents/c1", "files/abc"})
    assert UploadedLines.restore(JsonLinesScanner().save()).named_in(0) is None


@given(st.data())
def test_no_sequence_of_cuts_makes_the_scan_tell_of_other_bytes_than_geminis(data: st.DataObject) -> None:
    """Drive a scan and a model of Gemini with chunks of which any part may arrive, be acknowledged, or be lost."""
    texts = st.sampled_from([LINE, OTHER, HIDING, FREE, NAMING])
    lines, gemini = UploadedLines(), b""
    for _ in range(data.draw(st.integers(1, 6))):
        # The client goes on from wherever Gemini says, with whatever bytes it likes.
        lines.stand_at(len(gemini))
        chunk = b"".join(data.draw(st.lists(texts, min_size=1, max_size=3)))
        read = data.draw(st.integers(0, len(chunk)) | st.just(len(chunk)))
        kept = data.draw(st.integers(0, read) | st.just(read))
        lines.feed(chunk[:read])
        gemini += chunk[:kept]
        if data.draw(st.booleans()):
            lines = UploadedLines.restore(lines.save())

    named = lines.named_in(len(gemini))

    if named is not None:
        truth = JsonLinesScanner()
        truth.feed(gemini)
        truth.end()
        assert truth.is_readable
        assert truth.named is not None
        assert named == truth.named.dump()
