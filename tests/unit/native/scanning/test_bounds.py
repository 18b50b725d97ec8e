"""Bounds of a scan: values, found strings, names, levels, and the memory that each takes."""

import tracemalloc

import pytest

from app.errors import MalformedRequestError
from app.native.scanning import Found, JsonScanner, ScanRules
from app.native.scanning.policy import GENERATE

PIECE = 4_096


def feed(scanner: JsonScanner, body: bytes, found: list[Found]) -> None:
    for start in range(0, len(body), PIECE):
        found += scanner.feed(body[start : start + PIECE])


def scan(body: bytes, rules: ScanRules) -> JsonScanner:
    scanner = JsonScanner(GENERATE, rules)
    feed(scanner, body, [])
    return scanner


@pytest.mark.parametrize(
    "item", [b"1,", b"{},", b"[],", b'"",', b'"files",', b'{"a":1},', b"null,", b"[1,2],", b'{"text":""},']
)
def test_the_number_of_values_of_any_kind_is_bounded(item: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="more than 1000 values"):
        scan(b"[" + item * 1_001, ScanRules(max_values=1_000))


def test_as_many_values_as_are_allowed_pass() -> None:
    body = b"[" + b"1," * 998 + b"1]"

    assert scan(body, ScanRules(max_values=1_000)).end() == []


@pytest.mark.parametrize(
    "item", [b'"files/a",', b'{"fileUri":"x"},', b'{"uri":"https://x.example"},', b'{"previousInteractionId":"a"},']
)
def test_found_strings_are_bounded_while_they_are_found(item: bytes) -> None:
    found: list[Found] = []

    with pytest.raises(MalformedRequestError, match="more than 5000"):
        feed(JsonScanner(GENERATE), b"[" + item * 6_000, found)

    assert 4_000 < len(found) <= 5_000


def test_names_of_all_open_objects_together_are_bounded() -> None:
    names = b",".join(b'"k%d":1' % number for number in range(2_000))
    body = b'{"x":{' + names + b',"y":{' + names + b',"y":{' + names + b',"y":{' + names + b',"y":{' + names + b',"z":{'

    with pytest.raises(MalformedRequestError, match="names"):
        scan(body + names, ScanRules())


def test_names_of_closed_objects_do_not_count() -> None:
    names = b",".join(b'"k%d":1' % number for number in range(5_000))
    body = b"[" + b",".join([b"{" + names + b"}"] * 4) + b"]"

    assert scan(body, ScanRules()).end() == []


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * 400_000,
        b"[" + b'"files/x",' * 4_999,
        b'{"a":"' + b"a" * 1_000_000,
        b'{"contents":[{"parts":[{"text":"' + b"a\\n" * 400_000,
        b'{"' + b'":1,"'.join(b"name%06d" % number for number in range(9_999)),
        b"[" * 100,
        b"[" + b" " * 1_000_000,
    ],
    ids=["numbers", "names", "other", "text", "object", "levels", "space"],
)
def test_a_scan_holds_less_than_the_bytes_that_it_has_read(body: bytes) -> None:
    scanner = JsonScanner(GENERATE)
    tracemalloc.start()
    try:
        feed(scanner, body, [])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Names in a set cost more than their bytes, but there are at most 10,000 of them.
    assert peak < 2 * len(body) + 2_000_000
