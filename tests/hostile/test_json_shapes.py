"""Shapes of JSON that parsers read differently: none makes the gateway fail, and only strict JSON gets an answer."""

import asyncio
import json
from typing import Any

import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.hostile.wire import exchange, request
from tests.sizes import some

MODEL = "gemini-3.8-flash"
PLAIN = b'{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'
VALUES = [
    *(
        b"null",
        b"true",
        b"0",
        b"-0",
        b"1e400",
        b"-1e400",
        b"1E+2",
        b"01",
        b".5",
        b"1.",
        b"+1",
        b"0x10",
        b"NaN",
        b"Infinity",
    ),
    b"9" * 400,
    b"1" + b"0" * 308 + b"e308",
    b"123456789012345678901234567890",
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    *(
        b'"\\udc00\\ud800"',
        b'"\\uD83D\\uDE00"',
        b'"\\x41"',
        b'"\\"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b"'a'",
    ),
    *(
        b'"a\nb"',
        b'"a\tb"',
        b'"a\0b"',
        b"[]",
        b"{}",
        b"[,]",
        b"[1,]",
        b'{"a":1,}',
        b"{,}",
        b"[1 2]",
        b'{"a" 1}',
        b"{1:2}",
    ),
    *(
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b"[" * 60 + b"]" * 60,
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ),
    *(
        b"undefined",
        b"True",
        b"/* a */ 1",
        b"// a\n1",
        b"#1",
        b'"' + b"x" * 70_000 + b'"',
        b'"\\' + b"\\" * 4_001 + b'"',
    ),
]
PLACES = [
    b"%b",
    b'{"contents":%b}',
    b'{"contents":[%b]}',
    b'{"contents":[{"parts":[{"text":%b}]}]}',
    b'{"contents":[{"parts":[{"text":"Hello"}]}],"labels":{"a":%b}}',
    b'{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"a":%b}}}]}]}',
    b'{"contents":[{"parts":[{"text":"Hello"}]}],"generationConfig":{"seed":%b}}',
]
WRAPPED = [
    *(
        b"",
        b" ",
        b"\0",
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN + b"\0",
        PLAIN + PLAIN,
        PLAIN + b",",
        PLAIN + b"]",
        b"[" + PLAIN,
        b"\x1e" + PLAIN,
    ),
    *(
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-32"),
        PLAIN.decode().encode("utf-16-be"),
        PLAIN[:-1],
        PLAIN[1:],
    ),
    *(
        PLAIN.replace(b'"contents"', b'"contents":[],"contents"'),
        PLAIN.replace(b'"text"', b'"\\u0074ext"'),
        b")]}'\n" + PLAIN,
    ),
]
SHAPES = [place.replace(b"%b", value) for place in PLACES for value in VALUES] + WRAPPED
PATHS = [
    f"/v1beta/models/{MODEL}:generateContent",
    f"/v1beta/models/{MODEL}:countTokens",
    "/v1beta/openai/chat/completions",
    "/v1beta/interactions",
    "/api/v1/chat",
]


def test_the_suite_knows_at_least_367_shapes() -> None:
    assert len(set(SHAPES)) >= 367


def is_strict(text: bytes) -> bool:
    """Return whether a text is an object in strict JSON, in which no object has a name twice.

    A function's result is free text: no name in it means anything to the gateway.
    """
    is_result = b"functionResponse" in text

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs) and not is_result:
            raise ValueError
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return isinstance(json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("path", PATHS)
async def test_no_shape_of_json_is_a_failure_and_only_strict_json_is_answered(
    closed: Closed, emulator: Emulator, path: str
) -> None:
    key = await closed.key("web")
    shapes = some(SHAPES, 120)
    limit = asyncio.Semaphore(16)

    async def ask(shape: bytes) -> int:
        headers = ("Content-Type: application/json", f"X-Goog-Api-Key: {key}")
        async with limit:
            sent = request(path, *headers, method="POST", body=shape)
            return (await exchange(closed.gateway.port, sent, ends=False)).status

    statuses = await asyncio.gather(*(ask(shape) for shape in shapes))

    failed = [shape[:200] for shape, status in zip(shapes, statuses, strict=True) if status >= 500 or status == 0]
    assert failed == []
    loose = [
        shape[:200] for shape, status in zip(shapes, statuses, strict=True) if status == 200 and not is_strict(shape)
    ]
    assert loose == []
