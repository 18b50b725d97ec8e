"""Methods of REST paths: HEAD wherever GET is, and the Allow header of a 405."""

import pytest

from tests.gateway import Gateway, media
from tests.raw_http import connection, head

PATHS = [
    "/",
    "/api/v1/files",
    "/api/v1/files/x",
    "/api/v1/models",
    "/api/v1/models/gemini-3.8-flash",
    "/api/v1/usage",
    "/docs",
    "/healthz",
    "/openapi.json",
    "/problems/busy",
    "/readyz",
]


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_answered_as_get_without_a_body(gateway: Gateway, path: str) -> None:
    get = await gateway.client.get(path)
    async with connection(gateway.port) as line:
        await line.send(head(path, method="HEAD") + head("/healthz", method="GET"))
        status, headers = await line.answer_head()
        after = await line.answer()

    assert status == get.status_code
    assert headers.get("content-type") == get.headers.get("content-type")
    assert ("content-length" in headers) == ("content-length" in get.headers)
    # The next answer on the connection begins right after the head.
    assert after.status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/api/v1/files", "GET, HEAD, POST"),
        ("PATCH", "/api/v1/files/x", "DELETE, GET, HEAD"),
        ("GET", "/api/v1/generate", "POST"),
        ("HEAD", "/api/v1/generate", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("GET", "/api/v1/files/raw/x", "PUT"),
    ],
)
async def test_a_405_allows_every_method_of_its_path(gateway: Gateway, method: str, path: str, allow: str) -> None:
    answer = await gateway.client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


async def test_head_changes_nothing(gateway: Gateway) -> None:
    kept = (await gateway.post_form("/api/v1/files", ("file", media("report.pdf")))).json()

    answer = await gateway.client.head(f"/api/v1/files/{kept['id']}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await gateway.client.get(f"/api/v1/files/{kept['id']}")).status_code == 200
