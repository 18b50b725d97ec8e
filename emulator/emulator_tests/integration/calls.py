"""A plain HTTP client of the emulator, with the calls that the tests make again and again."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from gemini_emulator import EmulatorConfig, run_emulator

MEDIA = Path(__file__).parents[3] / "tests" / "media"
GRANULE = 262_144
KEY = "a-key"
MODEL = "gemini-3.8-flash"
Json = dict[str, Any]


def as_inline(data: bytes, mime_type: str) -> Json:
    """Make a part of bytes."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def media_part(name: str, mime_type: str) -> Json:
    """Make an inline part of one of the media files."""
    return as_inline((MEDIA / name).read_bytes(), mime_type)


def user(*parts: Json | str) -> Json:
    """Make a turn of the user; strings are texts."""
    return {"role": "user", "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def text_of(answer: httpx.Response) -> str:
    """Return the text of a whole answer, without thoughts."""
    assert answer.status_code == 200, answer.text
    parts = answer.json()["candidates"][0]["content"].get("parts", [])
    return "".join(part["text"] for part in parts if not part.get("thought"))


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Return HTTP status, status word and message of an error."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["status"], error["message"]


def status_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    """Return HTTP status, upload status and received bytes of an answer to a session's call."""
    headers = answer.headers
    return answer.status_code, headers.get("x-goog-upload-status"), headers.get("x-goog-upload-size-received")


class Emulator:
    """Calls of the Gemini API and of the emulator's own."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, headers={"x-goog-api-key": KEY}, timeout=30)
        self.bare = httpx.Client(base_url=base_url, timeout=30)

    def close(self) -> None:
        self.http.close()
        self.bare.close()

    def call(self, verb: str, body: Json, *, model: str = MODEL, fault: Json | None = None) -> httpx.Response:
        """Call a model's method under v1beta."""
        headers = {"x-emulator-fault": orjson.dumps(fault).decode()} if fault else {}
        return self.http.post(f"/v1beta/models/{model}:{verb}", json=body, headers=headers)

    def generate(
        self,
        *parts: Json | str,
        config: Mapping[str, object] | None = None,
        model: str = MODEL,
        fault: Json | None = None,
    ) -> httpx.Response:
        """Ask one question."""
        body: Json = {"contents": [user(*parts)], "generationConfig": config}
        return self.call("generateContent", body, model=model, fault=fault)

    def start(self, file: Json | None = None, **headers: str) -> httpx.Response:
        """Begin a resumable upload; header names with underscores for dashes."""
        fixed = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "Content-Type": "application/json",
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/upload/v1beta/files", json={"file": file or {}}, headers={**fixed, **given})

    def open(self, file: Json | None = None, *, size: int | None = None, mime_type: str = "text/plain") -> str:
        """Begin a resumable upload; gives its URL."""
        lengths = {} if size is None else {"X_Goog_Upload_Header_Content_Length": str(size)}
        answer = self.start(file, X_Goog_Upload_Header_Content_Type=mime_type, **lengths)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-goog-upload-url"]

    def command(
        self, url: str, command: str, data: bytes = b"", *, offset: int | None = None, fault: Json | None = None
    ) -> httpx.Response:
        """Send a command to a session, without a key."""
        headers = {"X-Goog-Upload-Command": command}
        if offset is not None:
            headers["X-Goog-Upload-Offset"] = str(offset)
        if fault is not None:
            headers["X-Emulator-Fault"] = orjson.dumps(fault).decode()
        return self.bare.post(url, content=data, headers=headers)

    def upload(self, data: bytes, mime_type: str = "text/plain", file: Json | None = None) -> Json:
        """Upload a file whole; gives its resource."""
        url = self.open(file, size=len(data), mime_type=mime_type)
        answer = self.command(url, "upload, finalize", data, offset=0)
        assert answer.status_code == 200, answer.text
        resource: Json = answer.json()["file"]
        return resource

    def plan(self, fault: Mapping[str, object]) -> None:
        """Plan a fault."""
        answer = self.bare.post("/emulator/faults", json=fault)
        assert answer.status_code == 200, answer.text

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert self.bare.post("/emulator/clock", json={"advance_s": seconds}).status_code == 200

    def state(self) -> "State":
        """Look inside."""
        return State(self.bare.get("/emulator/state").json())

    def wait_until_in_flight(self, number: int) -> None:
        """Wait until so many calls are being answered."""
        deadline = time.monotonic() + 15
        while self.state().number("in_flight") != number:
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.01)

    def requests(self) -> list[Json]:
        """Return the calls so far."""
        calls: list[Json] = self.bare.get("/emulator/requests").json()
        return calls


class State:
    """The answer of `/emulator/state`."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def files(self) -> list[Json]:
        return self._list("files")

    def sessions(self) -> list[Json]:
        return self._list("sessions")

    def counters(self) -> Json:
        counters = self._document["counters"]
        assert isinstance(counters, dict)
        return counters

    def number(self, name: str) -> int:
        value = self._document[name]
        assert isinstance(value, int)
        return value

    def _list(self, name: str) -> list[Json]:
        value = self._document[name]
        assert isinstance(value, list)
        return value


@contextmanager
def emulator_with(config: EmulatorConfig) -> Iterator[Emulator]:
    """Run an emulator that is set otherwise than usual."""
    with run_emulator(config) as base_url:
        calls = Emulator(base_url)
        try:
            yield calls
        finally:
            calls.close()
