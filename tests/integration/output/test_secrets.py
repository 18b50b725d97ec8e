"""No output of a running gateway holds a credential, an upload's address, a prompt or a file's name or content."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulator_process import Emulator, emulator_process
from tests.gateway_process import UPSTREAM_KEY, gateway_process, make_key
from tests.integration.output.traffic import CONTENTS, FILENAME, MODEL, PROMPT, TEXT, WRONG_KEY, Traffic
from tests.unit.clients.provider import jwk, token

SECRET_KEY = "the-secret-that-seals-what-is-stored"  # of this test alone
STATUS_FAULTS = (400, 401, 403, 404, 429, 500, 503)


class _Keys(BaseHTTPRequestHandler):
    """An identity provider's published keys."""

    def do_GET(self) -> None:  # http.server's name
        """Answer with the keys."""
        body = json.dumps({"keys": [jwk("rsa")]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def published_keys() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def fail_upstream(traffic: Traffic, emulator: Emulator, key: str) -> None:
    """Let Gemini fail in every way while each surface asks."""
    faults: list[dict[str, Any]] = [{"kind": "status", "code": code} for code in STATUS_FAULTS]
    faults += [{"kind": "cut"}, {"kind": "block", "reason": "SAFETY"}, {"kind": "answer", "text": PROMPT}]
    for fault in faults:
        emulator.fault("generateContent", **fault)
        traffic.send("POST", f"/v1beta/models/{MODEL}:generateContent?key={key}", "", json=CONTENTS)
        emulator.fault("generateContent", **fault)
        traffic.send("POST", "/api/v1/generate", key, files={"prompt": (None, PROMPT)})
    for fault in (*faults, {"kind": "cut", "after_chunks": 1}, {"kind": "stream_error", "code": 500}):
        emulator.fault("streamGenerateContent", **fault)
        traffic.send("POST", f"/v1beta/models/{MODEL}:streamGenerateContent?key={key}", "", json=CONTENTS)
        emulator.fault("streamGenerateContent", **fault)
        traffic.send("POST", "/api/v1/generate", key, files={"prompt": (None, PROMPT), "stream": (None, "true")})
    emulator.fault("live", "close", code=1011, reason=PROMPT, after_chunks=1)
    traffic.live(key)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulator_process(EMULATOR_BATCH_DELAY_S="0", EMULATOR_BACKGROUND_DELAY_S="0") as emulator:
        yield emulator


@pytest.mark.timeout(400)
def test_no_line_of_output_holds_a_credential_an_upload_token_a_prompt_or_a_files_name(
    emulator: Emulator, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with published_keys() as provider:
        issuer = {"issuer": provider, "audience": "app", "jwks_url": provider}
        settings = {"JWT_ISSUERS": json.dumps([issuer]), "SECRET_KEY": SECRET_KEY, "CLIENT_AUTH": "keys,jwt"}
        stumbling = "tests.integration.output.stumbling"
        with (
            gateway_process(emulator.url, program=stumbling, output=output, **settings) as gateway,
            httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as client,
        ):
            other_key = make_key(gateway.environment, "other", "--requests-per-minute", "1")
            valid = token(iss=provider, exp=int(time.time()) + 600, iat=int(time.time()))
            expired = token(iss=provider)
            traffic = Traffic(client, [gateway.key, other_key, valid, expired, WRONG_KEY])
            traffic.keys.append(traffic.mint(gateway.key))
            for key in traffic.keys:
                traffic.rest(key)
                traffic.google(key)
                traffic.upload(key)
                traffic.live(key)
                traffic.broken(key)
            fail_upstream(traffic, emulator, gateway.key)
            # The gateway is stopped while a session and an answer are open.
            emulator.fault("streamGenerateContent", "drip", delay_s=60)
            with (
                traffic.connect(gateway.key) as line,
                client.stream(
                    "POST",
                    f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse&key={gateway.key}",
                    json=CONTENTS,
                ),
            ):
                traffic.turn(line)
                gateway.stop()
    text = output.read_text()
    secrets = {
        **traffic.secrets,
        **{f"credential {index}": key for index, key in enumerate(traffic.keys)},
        "Gemini's key": UPSTREAM_KEY,
        "SECRET_KEY": SECRET_KEY,
        "a prompt": PROMPT,
        "a file's content": TEXT,
        "a file's name": FILENAME,
    }

    assert {200, 400, 401, 404, 500, 502} <= set(traffic.statuses)
    assert len(traffic.secrets) > 3
    for expected in ("POST /upload/{version}/files 200", "WEBSOCKET /ws/BidiGenerateContent 101", "in __call__"):
        assert expected in text
    assert "uvicorn.error.websocket" not in text
    assert [name for name, secret in secrets.items() if secret in text] == []
