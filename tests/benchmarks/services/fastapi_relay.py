"""A FastAPI relay on the gateway's own parts: push parser, pybase64, orjson, aiohttp, and no feature.

It lacks the gateway's additions: checks, limits, types by content, reports, uploads, back-pressure.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pybase64
from fastapi import FastAPI, Request
from pydantic import BaseModel
from python_multipart.multipart import MultipartParser, parse_options_header

MODEL = "gemini-3.8-flash"


class Generated(BaseModel):
    """The answer."""

    text: str
    total_tokens: int | None


class Form:
    """Gathers a form's parts as Gemini's, while it is parsed."""

    def __init__(self, boundary: bytes) -> None:
        self.parts: list[bytes] = []
        self._data: list[bytes] = []
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self.parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
            },
        )

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _on_part_end(self) -> None:
        data = b"".join(self._data)
        _, options = parse_options_header(self._headers[b"content-disposition"])
        if b"filename" in options:
            head = b'{"inlineData":{"mimeType":"%b","data":"' % self._headers[b"content-type"]
            self.parts.append(head + pybase64.b64encode(data) + b'"}}')
        elif options[b"name"] == b"prompt":
            self.parts.append(orjson.dumps({"text": data.decode()}))
        self._data = []
        self._headers = {}


def create(base_url: str, key: str) -> FastAPI:
    """Build the relay in front of `base_url`."""
    url = f"{base_url}/v1beta/models/{MODEL}:generateContent"
    headers = {"x-goog-api-key": key, "Content-Type": "application/json"}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            app.state.session = session
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/generate")
    async def generate(request: Request) -> Generated:
        _, options = parse_options_header(request.headers["content-type"])
        form = Form(options[b"boundary"])
        async for piece in request.stream():
            form.parser.write(piece)
        body = b'{"contents":[{"role":"user","parts":[%b]}]}' % b",".join(form.parts)
        session: aiohttp.ClientSession = request.app.state.session
        async with session.post(url, data=body, headers=headers) as answer:
            said = orjson.loads(await answer.read())
        text = "".join(part["text"] for part in said["candidates"][0]["content"]["parts"])
        return Generated(text=text, total_tokens=said["usageMetadata"]["totalTokenCount"])

    return app
