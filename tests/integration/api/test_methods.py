"""Methods and query parameters of REST paths: HEAD wherever GET is, Allow of a 405, and unknown parameters."""

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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/files"),
        ("HEAD", "/api/v1/files"),
        ("GET", "/api/v1/files/x"),
        ("DELETE", "/api/v1/files/x"),
        ("PUT", "/api/v1/files/raw/x.txt"),
        ("POST", "/api/v1/chat"),
        ("POST", "/api/v1/generate"),
        ("POST", "/api/v1/images/detections"),
        ("POST", "/api/v1/auth/tokens"),
        ("GET", "/api/v1/models"),
        ("GET", "/api/v1/usage"),
    ],
)
async def test_an_unknown_query_parameter_is_refused(gateway: Gateway, method: str, path: str) -> None:
    refused = await gateway.client.request(method, f"{path}?limitt=1")

    assert refused.status_code == 422
    if method != "HEAD":
        assert "limitt" in refused.json()["detail"]


async def test_an_unknown_query_parameter_is_told_the_nearest_known_name(gateway: Gateway) -> None:
    answer = await gateway.client.get("/api/v1/files?limt=1")

    assert answer.json()["detail"] == "There is no query parameter 'limt' here. Did you mean 'limit'?"


@pytest.mark.parametrize("path", ["/api/v1/files?key=x", "/api/v1/models?access_token=x&limit=1"])
async def test_credentials_are_known_query_parameters(gateway: Gateway, path: str) -> None:
    assert (await gateway.client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz?probe=1", "/readyz?probe=1", "/docs?theme=dark", "/openapi.json?v=2"])
async def test_probes_and_pages_ignore_the_query(gateway: Gateway, path: str) -> None:
    assert (await gateway.client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/files", "/api/v1/models"])
async def test_a_page_after_an_unknown_item_is_refused(gateway: Gateway, path: str) -> None:
    answer = await gateway.client.get(f"{path}?after=unheard-of")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")


async def test_a_partial_put_is_refused(gateway: Gateway) -> None:
    answer = await gateway.client.put(
        "/api/v1/files/raw/talk.txt", content=b"part", headers={"content-range": "bytes 0-3/8"}
    )

    assert answer.status_code == 400
    assert "Content-Range" in answer.json()["detail"]
