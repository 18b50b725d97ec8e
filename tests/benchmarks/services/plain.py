"""The plain service: `UploadFile` and Google's SDK, as the guides of both show it.

The file is read whole. A small file goes inline; a large file goes through the SDK's `files.upload` first.
"""

import io
import mimetypes
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI, File, Form, UploadFile
from fastapi.responses import StreamingResponse
from google import genai
from google.genai import types
from pydantic import BaseModel
from starlette.responses import Response

INLINE_BYTES = 15_000_000
MODEL = "gemini-3.8-flash"


class Generated(BaseModel):
    """The answer."""

    text: str
    total_tokens: int | None


async def _part(client: genai.Client, file: UploadFile) -> types.Part | types.File:
    data = await file.read()
    mime_type = file.content_type or mimetypes.guess_type(file.filename or "")[0] or "application/octet-stream"
    if len(data) <= INLINE_BYTES:
        return types.Part.from_bytes(data=data, mime_type=mime_type)
    return await client.aio.files.upload(file=io.BytesIO(data), config={"mime_type": mime_type})


async def _events(client: genai.Client, model: str, contents: list[types.PartUnion]) -> AsyncIterator[str]:
    async for chunk in await client.aio.models.generate_content_stream(model=model, contents=contents):
        yield f"data: {Generated(text=chunk.text or '', total_tokens=None).model_dump_json()}\n\n"


def create(base_url: str, key: str) -> FastAPI:
    """Build the service in front of `base_url`."""
    app = FastAPI()
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url))

    @app.post("/generate", response_model=Generated)
    async def generate(
        prompt: Annotated[str, Form()],
        file: Annotated[UploadFile | None, File()] = None,
        model: Annotated[str, Form()] = MODEL,
        *,
        stream: Annotated[bool, Form()] = False,
    ) -> Generated | Response:
        contents: list[types.PartUnion] = [prompt]
        if file is not None:
            contents.append(await _part(client, file))
        if stream:
            return StreamingResponse(_events(client, model, contents), media_type="text/event-stream")
        answer = await client.aio.models.generate_content(model=model, contents=contents)
        usage = answer.usage_metadata
        return Generated(text=answer.text or "", total_tokens=usage.total_token_count if usage else None)

    return app
