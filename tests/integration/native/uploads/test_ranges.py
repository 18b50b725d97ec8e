"""The old library's form: chunks by Content-Range."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.integration.native.uploads.protocol import CHUNK, FILE, GRANULE, whole


async def ranged_start(closed: Closed, key: str, size: int | None = len(FILE)) -> httpx.Response:
    headers = {"x-upload-content-type": "audio/wav"}
    if size is not None:
        headers["x-upload-content-length"] = str(size)
    answer: httpx.Response = await closed.call(
        "POST", "/upload/v1beta/files?uploadType=resumable", key, json={"file": {"displayName": "Old"}}, headers=headers
    )
    return answer


async def put(closed: Closed, url: str, content_range: str | None, data: bytes = b"") -> httpx.Response:
    headers = {} if content_range is None else {"content-range": content_range}
    return await closed.gateway.client.put(url, content=data, headers=headers)


async def test_chunks_may_come_by_their_ranges(closed: Closed, emulator: Emulator) -> None:
    started = await ranged_start(closed, await closed.key("web"))
    url = started.headers["location"]
    total = len(FILE)

    nothing = await put(closed, url, f"bytes */{total}")
    first = await put(closed, url, f"bytes 0-{GRANULE - 1}/{total}", CHUNK)
    again = await put(closed, url, f"bytes 0-{GRANULE - 1}/{total}", CHUNK)
    asked = await put(closed, url, f"bytes */{total}")
    last = await put(closed, url, f"bytes {GRANULE}-{total - 1}/{total}", FILE[GRANULE:])
    repeated = await put(closed, url, f"bytes */{total}")

    assert started.status_code == 200
    assert url.startswith(f"{closed.gateway.url}/upload/v1beta/files?upload_id=")
    assert (nothing.status_code, "range" in nothing.headers) == (308, False)
    assert [(each.status_code, each.headers["range"]) for each in (first, again, asked)] == [
        (308, f"bytes=0-{GRANULE - 1}")
    ] * 3
    assert (last.status_code, repeated.status_code) == (200, 200)
    assert last.json()["file"]["displayName"] == "Old"
    assert last.json()["file"]["mimeType"] == "audio/wav"
    assert repeated.json()["file"]["name"] == last.json()["file"]["name"]
    assert whole(emulator)


async def test_a_ranged_file_may_come_whole_or_without_a_known_length(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web")
    one = (await ranged_start(closed, key)).headers["location"]
    other = (await ranged_start(closed, key, size=None)).headers["location"]

    answers = [
        await put(closed, one, None, FILE),
        await put(closed, other, f"bytes 0-{GRANULE - 1}/*", CHUNK),
        await put(closed, other, f"bytes {GRANULE}-{len(FILE) - 1}/{len(FILE)}", FILE[GRANULE:]),
    ]

    assert [answer.status_code for answer in answers] == [200, 308, 200]
    assert {file["sizeBytes"] for file in emulator.files} == {str(len(FILE))}
    assert len(emulator.files) == 2


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes {GRANULE}-{2 * GRANULE - 1}/{len(FILE)}",
        f"bytes 0-10/{len(FILE)}",
        "bytes 5-1/9",
        "bytes 0-",
        "rows 0-262143/*",
    ],
)
async def test_a_range_that_does_not_fit_is_refused(closed: Closed, emulator: Emulator, content_range: str) -> None:
    url = (await ranged_start(closed, await closed.key("web"))).headers["location"]

    answer = await put(closed, url, content_range, CHUNK)

    assert answer.status_code == 400
    assert emulator.files == []


async def test_a_ranged_session_is_its_clients_own_and_ends_when_gemini_ends_it(
    closed: Closed, emulator: Emulator
) -> None:
    url = (await ranged_start(closed, await closed.key("web"))).headers["location"]
    stranger = {"x-goog-api-key": await closed.key("stranger")}

    foreign = await closed.gateway.client.put(url, headers=stranger | {"content-range": "bytes */9"})
    # Another first character makes a token of exact form that names no session.
    other = "B" if "upload_id=A" in url else "A"
    unknown = await put(closed, re.sub("upload_id=.", f"upload_id={other}", url), "bytes */9")
    emulator.reset()
    gone = await put(closed, url, f"bytes 0-{GRANULE - 1}/{len(FILE)}", CHUNK)

    assert [answer.status_code for answer in (foreign, unknown)] == [404, 404]
    assert gone.status_code in {404, 502}


@pytest.mark.parametrize("size", [GRANULE - 1, GRANULE + 1])
async def test_a_range_without_a_length_has_the_bytes_that_it_names(
    closed: Closed, emulator: Emulator, size: int
) -> None:
    url = (await ranged_start(closed, await closed.key("web"))).headers["location"]

    async def pieces() -> AsyncIterator[bytes]:
        yield (CHUNK * 2)[:size]

    headers = {"content-range": f"bytes 0-{GRANULE - 1}/{len(FILE)}"}
    answer = await closed.gateway.client.put(url, content=pieces(), headers=headers)

    assert answer.status_code == 400
    assert str(GRANULE) in answer.json()["error"]["message"]
    assert emulator.files == []


@pytest.mark.parametrize("content_range", ["bytes 0-4/4", "bytes 5-9/9", "bytes 9-5/10", "bytes 0-3/10", "bytes -9/10"])
async def test_a_range_that_contradicts_itself_or_the_length_is_refused(closed: Closed, content_range: str) -> None:
    started = await ranged_start(closed, await closed.key("web"))

    answer = await put(closed, started.headers["location"], content_range, b"01234")

    assert answer.status_code == 400
    assert "Content-Range" in answer.json()["error"]["message"]
