import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

MODELS = "/v1beta/models?key=any"


@contextmanager
def command(**environment: str) -> Iterator[str]:
    """Run the command on a free port until the block ends; yield its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gemini_emulator", "--port", "0", "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with command() as base_url:
        yield base_url


def test_the_command_can_cut_a_connection(url: str) -> None:
    headers = {"X-Emulator-Fault": '{"kind": "cut", "after_bytes": 0}'}

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url + MODELS, headers=headers)


def test_the_command_prints_its_address_and_serves_there(url: str) -> None:
    answer = httpx.get(url + MODELS)

    assert answer.status_code == 200
    assert answer.headers["x-gateway-emulator"] == "1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "foreign.example"},
        {"Origin": "https://foreign.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_foreign_host_or_page_is_refused(url: str, headers: dict[str, str]) -> None:
    answer = httpx.get(url + MODELS, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


def test_the_emulators_own_origin_is_allowed(url: str) -> None:
    assert httpx.get(url + MODELS, headers={"Origin": url}).status_code == 200


def test_an_origin_of_the_setting_may_call_and_read_the_answer() -> None:
    with command(EMULATOR_CORS_ORIGINS="https://app.example") as base_url:
        answer = httpx.get(base_url + MODELS, headers={"Origin": "https://app.example"})
        refused = httpx.get(base_url + MODELS, headers={"Origin": "https://other.example"})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert refused.status_code == 403
