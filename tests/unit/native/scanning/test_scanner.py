"""The scanner: strict JSON, cut anywhere, and no byte passes before it is judged."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequestError
from app.native.scanning import Found, JsonScanner
from app.native.scanning.policy import GENERATE, INTERACTIONS, LIVE, OPENAI_CHAT
from app.native.scanning.restorable import RestorableScanner
from tests.native_bodies import VALUES, Planted, documents, pieces, planted
from tests.unit.native.scanning.scans import GOOGLE, scanned

CANONICAL = st.sampled_from(
    [
        "files/abc",
        "files/a-b-c",
        f"{GOOGLE}/v1beta/files/abc",
        f"{GOOGLE}/v1/files/xyz",
        "cachedContents/c1",
        "batches/b1",
        "interactions/i1",
        "fileSearchStores/s-1",
        "tunedModels/t1",
        "models/m/operations/o",
    ]
)


def texts(found: list[Found]) -> list[str]:
    return [each.text for each in found]


@given(st.data(), VALUES)
def test_any_json_passes_whole_however_it_is_written_and_cut(data: st.DataObject, value: Any) -> None:
    body = data.draw(documents(value)).encode()
    scanner = JsonScanner(GENERATE)

    found = [each for piece in data.draw(pieces(body)) for each in scanner.feed(piece)] + scanner.end()

    assert scanner.position == len(body)
    assert found == []


@given(st.data(), planted(CANONICAL))
def test_every_canonical_name_is_found_in_every_place_and_spelling(data: st.DataObject, hidden: Planted) -> None:
    scanner = JsonScanner(GENERATE)

    found = [each for piece in data.draw(pieces(hidden.body)) for each in scanner.feed(piece)] + scanner.end()

    assert texts(found) == list(hidden.references)
    assert [json.loads(hidden.body[each.start : each.end]) for each in found] == list(hidden.references)


@given(planted(CANONICAL))
def test_byte_by_byte_the_scanner_finds_the_same(hidden: Planted) -> None:
    scanner = JsonScanner(GENERATE)

    found = [each for byte in hidden.body for each in scanner.feed(bytes([byte]))] + scanner.end()

    assert found == scanned(hidden.body)


@given(st.data(), planted(CANONICAL))
def test_a_restored_scanner_goes_on_where_the_saved_one_was(data: st.DataObject, hidden: Planted) -> None:
    scanner = RestorableScanner(GENERATE)
    found: list[Found] = []
    for piece in data.draw(pieces(hidden.body)):
        found += scanner.feed(piece)
        scanner = RestorableScanner.restore(scanner.save(), GENERATE)
    found += scanner.end()

    assert found == scanned(hidden.body)
    assert scanner.position == len(hidden.body)


@given(planted(CANONICAL), st.data())
def test_no_byte_of_a_name_may_go_on_before_it_is_found(hidden: Planted, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(hidden.body)))
    scanner = JsonScanner(GENERATE)

    early = scanner.feed(hidden.body[:cut])

    assert all(each in early or each.start >= scanner.position for each in scanned(hidden.body))


def is_json(text: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text.decode(), parse_constant=refuse)
    except ValueError:
        return False
    # A number beyond a float's range is JSON all the same.
    return True


@given(st.data(), VALUES)
def test_invalid_json_is_refused(data: st.DataObject, value: Any) -> None:
    body = bytearray(data.draw(documents(value)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        how = data.draw(st.integers(0, 2))
        byte = data.draw(st.sampled_from(b'{}[]",:\\u0123eE+-. ntf\x00\x1f\x80\xff'))
        if how == 0:
            body[at : at + 1] = bytes([byte])
        elif how == 1:
            body[at:at] = bytes([byte])
        else:
            del body[at : at + 1]

    try:
        scanned(bytes(body))
    except MalformedRequestError:
        return
    assert is_json(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":NaN}',
        b"[Infinity]",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[1.]",
        b'{"a":1}{}',
        b'{"a":1} x',
        b"[1 2]",
        b'["a" "b"]',
        b'["\x01"]',
        b'["\\x"]',
        b'["\\u12"]',
        b'["\xff"]',
        b'{"a":"\xc3"}',
        b"\xef\xbb\xbf{}",
        b'{"a" 1}',
        b'{"a":}',
        b"[/* no */1]",
        b"// no\n{}",
        b'["\\ud800"]',
        b'{"\\udc00": 1}',
        b"[" * 101 + b"]" * 101,
        b'{"' + b"k" * 2_000 + b'": 1}',
        b"[" + b"1" * 500 + b"]",
    ],
)
def test_json_is_strict(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        scanned(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"fileUri": 1, "file_uri": 2}',
        b'{"fileUri": 1, "file\\u005furi": 2}',
        b'{"fileUri": 1, "FileUri": 2}',
        b'{"a": 1, "b": {"x": 1}, "a": 2}',
        b'{"text": "a", "te\\u0078t": "b"}',
        b'{"generationConfig": {"responseSchema": {}, "response_schema": {}}}',
    ],
)
def test_a_double_name_is_refused_however_it_is_spelled(body: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="twice"):
        scanned(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"contents": [{"parts": [{"functionCall": {"args": {"x_y": 1, "xY": {"a_b": 1, "aB": 2}}}}]}]}',
        b'{"labels": {"a_b": "1", "ab": "2"}}',
    ],
)
def test_the_clients_own_data_may_have_names_that_fold_to_one(body: bytes) -> None:
    assert scanned(body) == []


def test_a_tools_result_may_have_any_names() -> None:
    body = b'{"input": [{"type": "function_result", "result": {"a_b": 1, "aB": 2, "uri": "x"}}]}'

    assert scanned(body, INTERACTIONS) == []


@pytest.mark.parametrize("text", [b"a", b"a" * 9_000], ids=["short", "long"])
def test_a_string_may_be_the_whole_document(text: bytes) -> None:
    assert scanned(b'"%b"' % text) == []


def test_pictures_in_data_urls_may_be_long() -> None:
    body = b'{"messages": [{"content": [{"image_url": {"url": "data:image/png;base64,%b"}}]}]}' % (b"A" * 100_000)

    assert scanned(body, OPENAI_CHAT) == []


def test_an_error_tells_the_place_and_nothing_of_the_content() -> None:
    with pytest.raises(MalformedRequestError) as refused:
        scanned(b'{"contents": [{"parts": [{"text": "a secret", "inlineData" 5}]}]}')

    assert "at byte 46 (below contents.parts)" in refused.value.detail
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ('{"setup": {"model": "x"}}', {"setup"}),
        ('{"realtime_input": {"a": 1}, "clientContent": {}}', {"realtimeinput", "clientcontent"}),
        ('{"set\\u0075p": {}}', {"setup"}),
        ("{}", set()),
        ('[{"setup": 1}]', set()),
        ('"setup"', set()),
    ],
)
def test_the_names_of_the_outermost_object_are_known_at_its_end(document: str, names: set[str]) -> None:
    scanner = JsonScanner(LIVE)
    scanner.feed(document.encode())
    scanner.end()

    assert scanner.root_names == names
