"""How tests speak Gemini's upload protocol to the gateway (Files API reference, section 2.1)."""

import base64
import hashlib
from typing import Any

import httpx

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator

GRANULE = 262_144
CHUNK = bytes(range(256)) * (GRANULE // 256)
FILE = CHUNK + CHUNK + b"the end"


async def start(closed: Closed, key: str, size: int | None = len(FILE), **headers: str) -> httpx.Response:
    sent = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start", **headers}
    if size is not None:
        sent["x-goog-upload-header-content-length"] = str(size)
    answer: httpx.Response = await closed.call("POST", "/upload/v1beta/files", key, json={"file": {}}, headers=sent)
    return answer


async def opened(closed: Closed, size: int | None = len(FILE)) -> str:
    answer = await start(closed, await closed.key("web"), size)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-goog-upload-url"])


async def command(closed: Closed, url: str, words: str, offset: int | None = None, data: Any = b"") -> httpx.Response:
    headers = {"x-goog-upload-command": words}
    if offset is not None:
        headers["x-goog-upload-offset"] = str(offset)
    return await closed.gateway.client.post(url, content=data, headers=headers)


async def finished(closed: Closed, url: str) -> dict[str, Any]:
    answer = await command(closed, url, "upload, finalize", 2 * GRANULE, FILE[2 * GRANULE :])
    assert (answer.status_code, answer.headers.get("x-goog-upload-status")) == (200, "final"), answer.text
    return dict(answer.json()["file"])


def whole(emulator: Emulator) -> bool:
    [file] = emulator.files
    return base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(FILE).hexdigest()
