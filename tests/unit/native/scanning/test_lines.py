"""The lines of a batch's file: the names in them, or that the file cannot be a batch's."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.scanning import JsonLinesScanner, NamedByLines, ScanRules
from tests.native_bodies import pieces

LINE = b'{"key": "files/1", "request": {"contents": [{"parts": [{"fileUri": "files/abc"}, {"text": "files/x"}]}]}}\n'
OTHER = b'{"key": "r2", "request": {"cachedContent": "cachedContents/c1", "model": "models/m"}}\n'
NAMED = NamedByLines(frozenset({"files/abc", "cachedContents/c1"}), frozenset({"models/m"}))


def scanned(*texts: bytes, rules: ScanRules = ScanRules()) -> JsonLinesScanner:  # noqa: B008
    scanner = JsonLinesScanner(rules)
    for text in texts:
        scanner.feed(text)
    scanner.end()
    return scanner


def test_objects_and_models_that_lines_name_are_noted() -> None:
    scanner = scanned(LINE, b"\n \r\n", OTHER, OTHER.rstrip())

    assert scanner.named == NAMED
    assert scanner.position == len(LINE) + 4 + 2 * len(OTHER) - 1


@given(st.data())
def test_cuts_and_other_processes_change_nothing(data: st.DataObject) -> None:
    scanner = JsonLinesScanner()
    for piece in data.draw(pieces(LINE + OTHER + LINE)):
        scanner.feed(piece)
        scanner = JsonLinesScanner.restore(scanner.save())
    scanner.end()

    assert scanner.named == NAMED
    assert scanner.position == 2 * len(LINE) + len(OTHER)


@pytest.mark.parametrize(
    "text",
    [
        b"no json",
        b'{"a": 1} {"b": 2}\n',
        b'{"a": 1',
        b'{"fileUri": "Files/abc"}',
        b'{"fileUri": "abc"}',
        b'{"cachedContent": "c1"}',
        b'{"fileUri": "gs://bucket/x"}',
        b'{"fileUri": "http://127.0.0.1:8000/v1beta/files/abc"}',
        b'{"fileUri": "x", "file_uri": "y"}',
        b'{"request": {"previousInteractionId": "x"}}',
        b"\xff\n",
        b'{"mcpServers": []}',
        b'{"request": {"service__tier": "flex"}}',
    ],
)
def test_a_line_that_cannot_be_judged_makes_the_file_unreadable(text: bytes) -> None:
    scanner = scanned(LINE, text, rules=ScanRules(bases=("http://127.0.0.1:8000",)))

    assert not scanner.is_readable
    assert scanner.named is None


@pytest.mark.parametrize("url", [b"https://example.com/a.pdf", b"https://storage.googleapis.com/b/files/x"])
def test_an_https_url_in_a_line_is_noted(url: bytes) -> None:
    assert scanned(b'{"request": {"fileUri": "%b"}}' % url).named == NamedByLines(has_https=True)


def test_youtube_and_data_urls_in_a_line_are_nobodys() -> None:
    body = b'{"request": {"a": {"fileUri": "https://youtu.be/abc"}, "b": {"fileUri": "data:text/plain,x"}}}'

    assert scanned(body).named == NamedByLines()


def test_mcp_servers_in_a_line_obey_the_setting() -> None:
    body = b'{"request": {"tools": [{"mcpServers": [{"streamableHttpTransport": {"url": "https://x.example"}}]}]}}'

    assert scanned(body).named is None
    assert scanned(body, rules=ScanRules(allows_mcp_servers=True)).named == NamedByLines()


@pytest.mark.parametrize("body", [b"[" + b"1," * 5_000, b"[1]\n" * 3_000, b"1\n" * 3_000, b'{"":{}}\n' * 3_000])
def test_a_file_of_more_structure_than_text_is_unreadable(body: bytes) -> None:
    assert scanned(body, rules=ScanRules(max_values=1_000)).named is None


def test_many_lines_of_text_are_readable() -> None:
    line = b'{"key": "r1", "request": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}}\n'

    assert scanned(line * 3_000, rules=ScanRules(max_values=1_000)).named == NamedByLines()


def test_a_note_is_read_back() -> None:
    assert NamedByLines.load(NAMED.dump()) == NAMED
    assert NamedByLines.load(NamedByLines(has_https=True).dump()) == NamedByLines(has_https=True)


@pytest.mark.parametrize("note", [None, "[]", '["files/abc"]', '["https://"]', "null", '{"a": 1}'])
def test_a_note_by_other_rules_proves_nothing(note: str | None) -> None:
    assert NamedByLines.load(note) is None


def test_a_scan_that_was_saved_by_other_rules_is_unreadable() -> None:
    old = orjson.dumps([True, ["files/abc"], None])

    assert JsonLinesScanner.restore(old).named is None
