"""The lines of a batch's file: what they name, or that it cannot be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.scanning import JsonLinesScanner
from tests.native_bodies import pieces

LINE = b'{"key": "r1", "request": {"contents": [{"parts": [{"fileUri": "files/abc"}, {"text": "files/x"}]}]}}\n'
OTHER = b'{"key": "r2", "request": {"cachedContent": "cachedContents/c1", "model": "models/m"}}\n'


def scanned(*texts: bytes) -> JsonLinesScanner:
    scanner = JsonLinesScanner()
    for text in texts:
        scanner.feed(text)
    scanner.end()
    return scanner


def test_what_the_lines_name_is_taken_down() -> None:
    scanner = scanned(LINE, b"\n \r\n", OTHER, OTHER.rstrip())

    assert scanner.is_readable
    assert scanner.references == {"files/abc", "cachedContents/c1"}


@given(st.data())
def test_cuts_and_other_processes_change_nothing(data: st.DataObject) -> None:
    scanner = JsonLinesScanner()
    for piece in data.draw(pieces(LINE + OTHER + LINE)):
        scanner.feed(piece)
        scanner = JsonLinesScanner.restore(scanner.save())
    scanner.end()

    assert scanner.is_readable
    assert scanner.references == {"files/abc", "cachedContents/c1"}


@pytest.mark.parametrize(
    "text",
    [
        b"no json",
        b'{"a": 1} {"b": 2}\n',
        b'{"a": 1',
        b'{"fileUri": "Files/abc"}',
        b'{"fileUri": "x", "file_uri": "y"}',
        b"\xff\n",
        b'{"mcpServers": []}',
    ],
)
def test_what_cannot_be_told_is_not_told(text: bytes) -> None:
    assert not scanned(LINE, text).is_readable


def test_addresses_elsewhere_are_taken_down_as_such() -> None:
    assert scanned(b'{"fileUri": "gs://bucket/x"}').references == {"https://"}
