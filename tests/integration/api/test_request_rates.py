"""Rates and slots are judged as a request comes in, on every surface: who is refused has sent no body."""

from functools import partial
from pathlib import Path

import pytest

from app import main
from app.clients.admission import open_admission
from tests.emulator_process import Emulator
from tests.gateway import running_gateway
from tests.raw_http import BOUNDARY, connection, form, part

FORM = (f"multipart/form-data; boundary={BOUNDARY}", form(part("prompt", b"Hello")))
GOOGLES = ("application/json", b'{"contents":[{"parts":[{"text":"Hello"}]}]}')
OPENAIS = ("application/json", b'{"model":"gemini-3.8-flash","messages":[{"role":"user","content":"Hello"}]}')
ASKING = [
    ("/api/v1/generate", FORM),
    ("/v1beta/models/gemini-3.8-flash:generateContent", GOOGLES),
    ("/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse", GOOGLES),
    ("/v1/models/gemini-3.8-flash:countTokens", GOOGLES),
    ("/v1beta/openai/chat/completions", OPENAIS),
]


def head_of(path: str, content: tuple[str, bytes], *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content[0]}"]
    return "\r\n".join([*lines, f"Content-Length: {len(content[1])}", *more, "", ""]).encode()


@pytest.mark.parametrize(("path", "content"), [*ASKING, ("/api/v1/images/captions", FORM)])
async def test_a_client_without_requests_is_refused_before_its_body(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, content: tuple[str, bytes]
) -> None:
    # A minute that does not end while this runs.
    monkeypatch.setattr(main, "open_admission", partial(open_admission, clock=lambda: 18.0))
    async with running_gateway(emulator.url, tmp_path, gateway_limits={"requests_per_minute": 1}) as gateway:
        async with connection(gateway.port) as line:
            await line.send(head_of("/api/v1/generate", FORM) + FORM[1])
            assert (await line.answer()).status == 200
        async with connection(gateway.port) as line:
            await line.send(head_of(path, content, "Expect: 100-continue"))
            answer = await line.answer()
            is_closed = await line.is_closed()

    assert answer.status == 429
    assert answer.headers["retry-after"] == "42"
    assert "requests a minute" in answer.body.decode()
    assert is_closed


@pytest.mark.parametrize(("path", "content"), ASKING)
async def test_a_request_holds_its_slot_from_its_headers_to_its_end(
    emulator: Emulator, tmp_path: Path, path: str, content: tuple[str, bytes]
) -> None:
    async with (
        running_gateway(emulator.url, tmp_path, gateway_limits={"concurrent_requests": 1}) as gateway,
        connection(gateway.port) as slow,
        connection(gateway.port) as other,
    ):
        await slow.send(head_of(path, content, "Expect: 100-continue"))
        await slow.reader.readuntil(b"100 Continue\r\n\r\n")
        await other.send(head_of("/api/v1/generate", FORM) + FORM[1])
        refused = await other.answer()
        await slow.send(content[1])
        answered = await slow.answer()
        await other.send(head_of("/v1beta/models/nothing:generateContent", GOOGLES) + GOOGLES[1])
        unknown = await other.answer()
        await other.send(head_of("/api/v1/generate", FORM) + FORM[1])
        admitted = await other.answer()

    assert refused.status == 429
    assert "1 concurrent requests is reached" in refused.json["detail"]
    assert [answered.status, unknown.status, admitted.status] == [200, 404, 200]


NOT_THERE = [
    ("POST", "/api/v1/images/caption"),
    ("POST", "/api/v1/generate/"),
    ("POST", "/api/v1/nothing"),
    ("GET", "/api/v1/generate"),
    ("PUT", "/api/v1/images/captions"),
    ("POST", "/v1beta/models/gemini-3.8-flash:predict"),
    ("POST", "/v1beta/openai/audio/speech"),
    ("GET", "/v1beta/openai/audio/transcriptions"),
    ("GET", "/v1beta/models/gemini-3.8-flash:generateContent"),
]


async def test_a_path_or_method_that_does_not_exist_takes_no_rate_and_no_slot(
    emulator: Emulator, tmp_path: Path
) -> None:
    limits = {"requests_per_minute": 1, "concurrent_requests": 1}
    async with running_gateway(emulator.url, tmp_path, gateway_limits=limits) as gateway:
        refused = [
            (await gateway.client.request(method, path, content=b"{}")).status_code for method, path in NOT_THERE
        ]
        answered = await gateway.generate(("prompt", "Hello"))

    assert set(refused) <= {404, 405}
    assert answered.status_code == 200
