"""Authentication: every route of the application against every kind of credential, and isolation of clients."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route

from app.api.access import RestOperations
from app.clients.identity import Limits, Scope
from app.gemini.credentials import ApiKey
from app.main import create_api, rest_operations
from app.request.operation import Access
from app.settings import Settings
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.gateway import Gateway, media

PUBLIC = None
ANY = "any"
ROUTES: dict[tuple[str, str], Scope | str | None] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/problems/{code}"): PUBLIC,
    ("POST", "/api/v1/auth/tokens"): ANY,
    ("GET", "/api/v1/usage"): ANY,
    ("GET", "/api/v1/models"): ANY,
    ("GET", "/api/v1/models/{model_id:path}"): ANY,
    ("POST", "/api/v1/generate"): Scope.GENERATE,
    ("POST", "/api/v1/chat"): Scope.GENERATE,
    ("POST", "/api/v1/count-tokens"): Scope.GENERATE,
    ("POST", "/api/v1/files"): Scope.FILES,
    ("GET", "/api/v1/files"): Scope.FILES,
    ("GET", "/api/v1/files/{file_id}"): Scope.FILES,
    ("DELETE", "/api/v1/files/{file_id}"): Scope.FILES,
    ("PUT", "/api/v1/files/raw/{filename}"): Scope.FILES,
    **{("POST", f"/api/v1/images/{task}"): Scope.TASKS for task in ("captions", "detections")},
    **{("POST", f"/api/v1/images/{task}"): Scope.TASKS for task in ("segmentations", "comparisons")},
    **{("POST", f"/api/v1/audio/{task}"): Scope.TASKS for task in ("transcriptions", "subtitles")},
    ("POST", "/api/v1/documents/markdown"): Scope.TASKS,
    ("POST", "/api/v1/videos/descriptions"): Scope.TASKS,
    **{("POST", f"/{version}/openai/audio/transcriptions"): Scope.TASKS for version in ("v1", "v1beta", "v1alpha")},
    **{("POST", f"/{version}/openai/audio/translations"): Scope.TASKS for version in ("v1", "v1beta", "v1alpha")},
    ("POST", "/openai/v1/audio/transcriptions"): Scope.TASKS,
    ("POST", "/openai/v1/audio/translations"): Scope.TASKS,
}
"""What each route needs. A route that is not here fails the test below: it is to be decided who may call it."""
CLOSED = [(method, path) for (method, path), needed in ROUTES.items() if needed is not PUBLIC]
SCOPED = [(method, path, needed) for (method, path), needed in ROUTES.items() if isinstance(needed, Scope)]
PICTURE = ("file", media("shapes.png"))


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(emulator, tmp_path) as closed:
        yield closed


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[Route | Mount]:
    """Return all routes of an application as FastAPI itself holds them, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
        else:
            assert isinstance(route, Route | Mount), "another kind of route, which this test must learn"
            yield route


def declared(access: Access) -> Scope | str | None:
    if access.is_public:
        return PUBLIC
    return ANY if access.scope is None else access.scope


def access_of(operations: RestOperations, method: str, path: str) -> Access:
    target = operations.find({"type": "http", "method": method, "path": path})
    assert target is not None
    assert target.operation is not None
    assert target.operation.path == path
    return target.access


def test_every_route_of_the_application_declares_the_access_of_this_table() -> None:
    api = create_api(Settings(_env_file=None), ApiKey("any"))
    operations = rest_operations(api)
    routes = list(routes_of(api.routes))

    found = {
        (method, route.path): declared(access_of(operations, method, route.path))
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert found == ROUTES
    assert [route.path for route in routes if isinstance(route, Mount)] == ["/docs/assets"]
    assert len(operations.operations) == len(routes)


async def test_pages_and_probes_are_for_anyone(closed: Closed) -> None:
    answers = {
        path: (await closed.call(method, path, None)).status_code
        for (method, path), needed in ROUTES.items()
        if needed is PUBLIC
    }

    assert 401 not in answers.values()
    assert 403 not in answers.values()


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_everything_else_needs_a_good_credential(closed: Closed, method: str, path: str) -> None:
    await closed.key("expired", expires_in_s=-1)
    revoked = await closed.key("revoked")
    await closed.keys.revoke("revoked", now=time.time())
    expired = await closed.key("expired-too", expires_in_s=-1)
    credentials = [None, "gg_nothing", revoked, expired, revoked[:-1] + "A", "ggt_e30.AAAA"]

    answers = [await closed.call(method, path, key) for key in credentials]

    assert [answer.status_code for answer in answers] == [401] * len(credentials)
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in answers)
    assert not any(key in answer.text for answer in answers for key in credentials if key)


@pytest.mark.parametrize(("method", "path", "needed"), SCOPED)
async def test_a_route_needs_its_scope(closed: Closed, method: str, path: str, needed: Scope) -> None:
    without = await closed.key("without", scopes=frozenset(Scope) - {needed})
    only = await closed.key("only", scopes={needed})

    refused = await closed.call(method, path, without)
    passed = await closed.call(method, path, only)

    assert refused.status_code == 403
    assert needed in refused.text
    assert passed.status_code not in {401, 403}


async def test_a_path_that_does_not_exist_is_closed_too(closed: Closed) -> None:
    assert (await closed.call("GET", "/api/v2/anything", None)).status_code == 401


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key"])
async def test_a_key_is_accepted_in_the_headers_of_each_surface(closed: Closed, name: str) -> None:
    key = await closed.key("web")

    answer = await closed.call(
        "GET", "/api/v1/models", None, headers={name: f"Bearer {key}" if "auth" in name else key}
    )

    assert answer.status_code == 200


async def test_two_different_credentials_are_refused(closed: Closed) -> None:
    one, other = await closed.key("one"), await closed.key("other")

    assert (await closed.call("GET", "/api/v1/models", one, headers={"x-api-key": other})).status_code == 401
    assert (await closed.call("GET", "/api/v1/models", one, headers={"x-api-key": one})).status_code == 200


async def test_no_client_sees_uses_or_deletes_anothers_file(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    made = await closed.call("POST", "/api/v1/files", mine, files=[PICTURE])
    file_id = made.json()["id"]
    path = f"/api/v1/files/{file_id}"

    answers = [
        await closed.call("GET", path, other),
        await closed.call("DELETE", path, other),
        await closed.call("POST", "/api/v1/generate", other, files=[("file_id", (None, file_id))]),
        await closed.call("POST", "/api/v1/images/captions", other, files=[("file_id", (None, file_id))]),
        await closed.call("GET", "/api/v1/files/file_nothing", other),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "file-not-found")] * 5
    assert (await closed.call("GET", "/api/v1/files", other)).json()["data"] == []
    assert (await closed.call("GET", path, mine)).status_code == 200
    assert len(emulator.files) == 1


async def test_a_digest_is_no_way_to_another_clients_file(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    content = b"Only the first client has sent this text."
    digest = ("sha256", (None, hashlib.sha256(content).hexdigest()))
    await closed.call("POST", "/api/v1/files", mine, files=[("file", ("a.txt", content))])

    known = await closed.call("GET", f"/api/v1/files?sha256={digest[1][1]}", other)
    claimed = await closed.call("POST", "/api/v1/files", other, files=[digest, ("file", ("a.txt", b"Other text."))])
    sent = await closed.call("POST", "/api/v1/files", other, files=[digest, ("file", ("a.txt", content))])

    assert known.json()["data"] == []
    assert (claimed.status_code, claimed.json()["code"]) == (400, "wrong-claim")
    assert sent.status_code == 201
    assert len(emulator.files) == 2


async def test_rotation_keeps_the_files(closed: Closed) -> None:
    old = await closed.key("web")
    file_id = (await closed.call("POST", "/api/v1/files", old, files=[PICTURE])).json()["id"]

    new = (await closed.keys.rotate("web", now=time.time(), overlap_s=3600)).text

    assert [(await closed.call("GET", f"/api/v1/files/{file_id}", key)).status_code for key in (old, new)] == [200, 200]


async def test_only_the_models_of_a_client_are_asked(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web", models={"gemini-3.8-flash"})
    form = [("prompt", (None, "Hello"))]

    good = await closed.call("POST", "/api/v1/generate", key, files=form)
    bad = await closed.call("POST", "/api/v1/generate", key, files=[*form, ("model", (None, "gemini-2.0-flash"))])
    task = await closed.call("POST", "/api/v1/images/captions?model=gemini-2.0-flash", key, files=[PICTURE])

    assert (good.status_code, bad.status_code, task.status_code) == (200, 403, 403)
    assert len(emulator.requests("generateContent")) == 1


async def test_only_the_pages_of_a_client_may_use_its_key(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, cors_origins=("https://a.example", "https://b.example")) as closed:
        key = await closed.key("web", origins={"https://a.example"})

        answers = {
            origin: (await closed.call("GET", "/api/v1/models", key, headers={"origin": origin})).status_code
            for origin in ("https://a.example", "https://b.example")
        }

    assert answers == {"https://a.example": 200, "https://b.example": 403}


async def token(closed: Closed, key: str, **more: Any) -> Any:
    return await closed.call("POST", "/api/v1/auth/tokens", key, json={"user": "u_1", **more})


async def test_tokens_of_a_key_without_a_total_limit_warn_of_no_total_limit(
    closed: Closed, caplog: pytest.LogCaptureFixture
) -> None:
    key = await closed.key("app")
    limited = await closed.key("limited", total_limits=Limits(requests_per_minute=1))

    told = [(await token(closed, by)).json()["warnings"] for by in (key, key)]

    assert [[each["code"] for each in warnings] for warnings in told] == [["no-total-limit"], ["no-total-limit"]]
    assert (await token(closed, limited)).json()["warnings"] == []
    assert sum("no-total-limit" in record.getMessage() for record in caplog.records) == 1


async def test_users_of_one_key_share_its_total_limit(closed: Closed) -> None:
    key = await closed.key("app", limits=Limits(requests_per_minute=2), total_limits=Limits(requests_per_minute=3))
    tokens = [(await token(closed, key, user=f"u_{number}")).json()["token"] for number in range(4)]

    answers = [await closed.call("POST", "/api/v1/count-tokens", by, json={"prompt": "hi"}) for by in tokens]

    refused = [answer.json()["detail"] for answer in answers if answer.status_code == 429]
    assert len(refused) == 1
    assert "all users of your key together" in refused[0]


async def test_a_short_lived_token_acts_as_a_client_of_its_own(closed: Closed) -> None:
    key = await closed.key("app")
    one = (await token(closed, key)).json()["token"]
    same = (await token(closed, key)).json()["token"]
    other = (await token(closed, key, user="u_2")).json()["token"]
    file_id = (await closed.call("POST", "/api/v1/files", one, files=[PICTURE])).json()["id"]

    seen = [(await closed.call("GET", f"/api/v1/files/{file_id}", by)).status_code for by in (one, same, other, key)]

    assert seen == [200, 200, 404, 404]


async def test_a_token_has_no_more_rights_than_were_asked_for_or_are_there(closed: Closed) -> None:
    key = await closed.key("app", scopes={Scope.GENERATE, Scope.FILES})
    made = (await token(closed, key, scopes=["files"])).json()

    assert made["scopes"] == ["files"]
    refused = [
        await closed.call("POST", "/api/v1/generate", made["token"], files=[("prompt", (None, "Hello"))]),
        await token(closed, made["token"]),
        await token(closed, key, scopes=["tasks"]),
    ]
    assert [answer.status_code for answer in refused] == [403, 403, 403]


async def test_a_token_ends_after_its_requests(closed: Closed) -> None:
    made = (await token(closed, await closed.key("app"), max_requests=2)).json()

    answers = [(await closed.call("GET", "/api/v1/models", made["token"])).status_code for _ in range(3)]

    assert answers == [200, 200, 401]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"user": ""}, "user"), ({"ttl_s": 3601}, "ttl_s"), ({"scopes": ["all"]}, "scopes[0]"), ({"x": 1}, "x")],
)
async def test_a_scope_beyond_the_keys_is_refused_by_field(closed: Closed, body: Any, field: str) -> None:
    answer = await token(closed, await closed.key("app"), **body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_an_open_gateway_needs_no_credential(gateway: Gateway) -> None:
    answer = await gateway.client.get("/api/v1/models", headers={"authorization": "Bearer anything"})

    assert answer.status_code == 200


async def test_a_call_over_the_clients_limit_is_429_with_retry_after(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web", limits=Limits(requests_per_minute=2))
    form = [("prompt", (None, "Hello"))]

    answers = [await closed.call("POST", "/api/v1/generate", key, files=form) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate-limited"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert all("ratelimit" in answer.headers for answer in answers)
    assert len(emulator.requests("generateContent")) == 2


async def test_a_day_has_no_more_tokens_than_its_client_may_use(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=1_500))
    form = [("prompt", (None, "Hello")), ("max_output_tokens", (None, "300"))]

    first = await closed.call("POST", "/api/v1/generate", key, files=form)
    large = await closed.call("POST", "/api/v1/generate", key, files=[("prompt", (None, "word " * 2_000))])

    assert (first.status_code, large.status_code) == (200, 429)


async def test_a_file_is_no_larger_than_its_client_may_send(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(max_file_bytes=1_000, bytes_per_day=4_000))

    large = await closed.call("POST", "/api/v1/files", key, files=[PICTURE])
    other = await closed.key("other", limits=Limits(bytes_per_day=4_000))
    days = [await closed.call("POST", "/api/v1/images/captions", other, files=[PICTURE]) for _ in range(2)]

    assert (large.status_code, large.json()["code"]) == (413, "file-too-large")
    assert [answer.status_code for answer in days] == [200, 429]


async def test_the_stored_bytes_of_a_client_are_limited(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(stored_bytes=1_000))

    answer = await closed.call("POST", "/api/v1/files", key, files=[PICTURE])

    assert (answer.status_code, answer.json()["code"]) == (429, "stored-bytes")


async def test_every_client_sees_its_own_usage(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05) as closed:
        mine, other = await closed.key("mine"), await closed.key("other")
        called = (await closed.call("POST", "/api/v1/images/captions", mine, files=[PICTURE])).json()
        await closed.call("POST", "/api/v1/images/captions", mine, files=[("file", ("bad.jpg", b"<html>"))])

        rows: list[Any] = []
        while not rows or rows[0]["calls"] < 2:
            await asyncio.sleep(0.05)
            rows = (await closed.call("GET", "/api/v1/usage?by=operation", mine)).json()["data"]
        nothing = (await closed.call("GET", "/api/v1/usage?by=operation", other)).json()["data"]

    assert nothing == []
    [row] = rows
    assert (row["operation"], row["calls"], row["failed_calls"]) == ("captionImage", 2, 1)
    assert row["input_tokens"] == called["usage"]["input_tokens"]
    assert row["bytes_in"] > 2 * 1_000


async def test_a_keys_usage_includes_its_tokens_and_a_token_sees_its_own(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05) as closed:
        key, other = await closed.key("app"), await closed.key("other")
        by_user = {user: (await token(closed, key, user=user)).json()["token"] for user in ("u_1", "u_2")}
        form = [("prompt", (None, "Hello"))]
        for credential in (key, by_user["u_1"], by_user["u_1"], by_user["u_2"], other):
            await closed.call("POST", "/api/v1/generate", credential, files=form)
        await asyncio.sleep(0.2)

        seen = {
            name: (await closed.call("GET", "/api/v1/usage?by=user", credential)).json()["data"]
            for name, credential in {"key": key, "u_1": by_user["u_1"], "other": other}.items()
        }

    calls = {name: {row["user"]: row["calls"] for row in rows} for name, rows in seen.items()}
    # The tokens themselves were made by calls of the key.
    assert calls["key"] == {None: 3, "u_1": 2, "u_2": 1}
    assert calls["u_1"] == {"u_1": 2}
    assert calls["other"] == {None: 1}
