"""Pages of origins that are not allowed, and names that a browser can be led to: none reaches a handler."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway
from tests.hostile.wire import Answers, exchange, request
from tests.sizes import some

ALLOWED = "https://app.example.com"
SCHEMES = ["https", "http", "HTTPS", "ws", "wss", "file", "data", "chrome-extension", "", "https:https"]
HOSTS = [
    *("app.example.com", "app.example.com.", "APP.example.com", "app.example.com.evil.com", "evil-app.example.com"),
    *("app.example.comevil.com", "app.example.co", "example.com", "xapp.example.com", "a.app.example.com"),
    *("app.example.com@evil.com", "evil.com@app.example.com", "user:pass@app.example.com", "app.example.com:pass@evil"),
    *("app%2eexample.com", "app\uff0eexample.com", "\u0430pp.example.com", "xn--pp-6kc.example.com", "app_example.com"),
    *("app.example.com/", "app.example.com/path", "app.example.com?x", "app.example.com#x", "app.example.com\\"),
    *("app.example.com,https://evil.com", "evil.com,https://app.example.com", "app.example.com https://evil.com"),
    *("*", "*.example.com", "null", "localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"),
    *("0x7f.1", "127.1", "localhost.", "localhost.evil.com", "127.0.0.1.nip.io", "evil.com"),
]
PORTS = ["", ":443", ":80", ":8443", ":"]
SINGLE = [
    "null",
    "NULL",
    "",
    " ",
    "*",
    "about:blank",
    "//app.example.com",
    "app.example.com",
    "https://",
    "://",
    "undefined",
]
# The gateway's own pages, by the Host of these requests.
OWN_ORIGINS = {"http://127.0.0.1", "http://127.0.0.1:80"}
ORIGINS = sorted(
    {f"{s}://{host}{port}" for s in SCHEMES for host in HOSTS for port in PORTS} - {ALLOWED, *OWN_ORIGINS} | set(SINGLE)
)
OWN = {"127.0.0.1", "[::1]", "localhost"}
NAMES = sorted({f"{host}{port}" for host in HOSTS if host not in OWN for port in ("", ":80", ":99999", ":x")})
BODY = b'{"messages":[{"role":"user","content":"Hello"}]}'


def test_the_suite_knows_at_least_587_tricks() -> None:
    assert len(ORIGINS) + len(NAMES) >= 587


@pytest.fixture
async def opened(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(emulator.url, tmp_path, is_dev=False, cors_origins=(ALLOWED,)) as gateway:
        yield gateway


async def ask(gateway: Gateway, *headers: str, host: str = "127.0.0.1") -> Answers:
    sent = request("/api/v1/chat", "Content-Type: application/json", *headers, method="POST", body=BODY, host=host)
    return await exchange(gateway.port, sent, ends=False)


async def test_no_page_of_another_origin_reaches_an_open_gateway(opened: Gateway, emulator: Emulator) -> None:
    origins = some(ORIGINS, 120)
    answers = await asyncio.gather(*(ask(opened, f"Origin: {origin}") for origin in origins))

    reached = [origin for origin, answer in zip(origins, answers, strict=True) if answer.status not in {400, 403}]
    assert reached == []
    assert emulator.requests("generateContent") == []


async def test_the_page_of_the_allowed_origin_reaches_an_open_gateway(opened: Gateway) -> None:
    assert (await ask(opened, f"Origin: {ALLOWED}")).status == 200


@pytest.mark.parametrize("first", [ALLOWED, "https://evil.com"])
async def test_two_origins_are_no_allowed_origin(opened: Gateway, emulator: Emulator, first: str) -> None:
    answer = await ask(opened, f"Origin: {first}", f"Origin: {'https://evil.com' if first == ALLOWED else ALLOWED}")

    assert answer.status in {400, 403}
    assert emulator.requests("generateContent") == []


async def test_no_name_of_another_host_reaches_a_gateway(opened: Gateway, emulator: Emulator) -> None:
    names = some(NAMES, 60)
    answers = await asyncio.gather(*(ask(opened, host=name) for name in names))

    reached = [name for name, answer in zip(names, answers, strict=True) if answer.status not in {400, 421}]
    assert reached == []
    assert emulator.requests("generateContent") == []
