"""Free text that looks like references, in every field of the SDKs' types that is free: none of it is refused."""

import asyncio
from itertools import count
from pathlib import Path

from aiohttp import web

from tests.answering import answering
from tests.gateway import running_gateway
from tests.hostile.surfaces import fields_of, path_of
from tests.sizes import some

TEXTS = [
    "files/report",
    "files/abc-123/../x",
    "see files/" + "a" * 40 + " for more",
    "https://generativelanguage.googleapis.com/v1beta/files/abc is the address",
    "https://example.com/files/a.pdf?alt=media#page=2",
    "//cdn.example.com/files/a.js",
    "data:text/plain;base64,SGVsbG8=",
    "gs://bucket/files/a",
    "cachedContents/ and batches/ and operations/",
    'Traceback (most recent call last):\n  File "/usr/lib/files/io.py", line 7, in open\nOSError: /mnt/files/data.csv',
    'with open("/mnt/files/sales.csv") as file:\n    print(file.read())',
    "SELECT * FROM files WHERE name LIKE 'files/%';",
    "/home/ada/files/report.pdf",
    "C:\\Users\\Ada\\files\\report.pdf",
    "+/9UAAAA////abcd==",
    "Data:",
    "  leading and trailing  ",
    "\u0000\u2028\ud7ff emoji \U0001f600",
    "urn:isbn:0451450523",
    '{"fileUri": "files/abc"}',
    "[files](files/abc)",
]
CASES = [(field, text) for field in fields_of("free") for text in TEXTS]


def test_the_suite_has_at_least_10_000_documents() -> None:
    assert len(CASES) >= 10_000


async def test_no_innocent_document_is_refused(tmp_path: Path) -> None:
    numbers = count()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        name = f"{'batches' if 'batch' in request.path else 'cachedContents'}/n{next(numbers)}"
        return web.json_response({"name": name, "id": f"v1_{next(numbers)}", "status": "completed"})

    limit = asyncio.Semaphore(16)
    refused: list[str] = []
    async with (
        answering(answer) as upstream,
        running_gateway(upstream.url, tmp_path, request_timeout_s=60, allow_deferred_costs=True) as gateway,
    ):

        async def send(number: int) -> None:
            field, text = chosen[number]
            async with limit:
                answered = await gateway.client.post(path_of(field.policy) or "", json=field.document(text))
            if answered.status_code != 200:
                refused.append(f"{answered.status_code} {'.'.join(field.path)} {text!r}: {answered.text[:200]}")

        chosen = some(CASES, 300)
        await asyncio.gather(*map(send, range(len(chosen))))
        upstream.requests.clear()

        for text in some(TEXTS, 5):
            body = {"messages": [{"role": "user", "content": text.replace("\0", "")}], "system_instruction": text}
            if (answered := await gateway.client.post("/api/v1/chat", json=body)).status_code != 200:
                refused.append(f"{answered.status_code} chat {text!r}: {answered.text[:200]}")

    assert refused == []
