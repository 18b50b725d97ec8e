"""Bad input and a failing Gemini: a clear problem with a remedy, and no file left at Gemini."""

from pathlib import Path

import httpx
import pytest
from aiohttp import web

from app.errors import PROBLEMS
from app.gemini.credentials import ApiKey
from tests.emulator_process import Emulator, emulator_process
from tests.gateway import KEY, MEDIA, Gateway, media, running_gateway
from tests.stores import database_away
from tests.waiting import eventually

PNG = ("file", media("shapes.png"))


def check(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "request_id",
        "errors",
        "retryable",
        "retry_after_s",
        "upstream",
    }
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["type"].endswith(f"/problems/{code}")
    return dict(problem)


async def test_a_named_file_of_no_bytes_is_refused(gateway: Gateway) -> None:
    check(await gateway.generate(("file", ("empty.jpg", b""))), 422, "empty-file")


@pytest.mark.parametrize("name", ["program.jpg", "not-a-picture.png"])
@pytest.mark.parametrize("kind", [None, "image/png", "image/jpeg"])
async def test_a_file_falsely_declared_as_a_picture_is_refused(gateway: Gateway, name: str, kind: str | None) -> None:
    if name == "not-a-picture.png" and kind is None:
        kind = "image/png"

    problem = check(await gateway.generate(("file", media(name, kind))), 415, "unsupported-file-type")

    assert "image/png" in str(problem["errors"])


async def test_a_truncated_picture_passes_generate(gateway: Gateway) -> None:
    answer = await gateway.generate(("prompt", "What is it?"), ("file", media("truncated.png", "image/png")))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([("prompt", "x"), ("temperature", "hot")], "temperature"),
        ([("prompt", "x"), ("temperature", "3")], "temperature"),
        ([("prompt", "x"), ("top_k", "1.5")], "top_k"),
        ([("prompt", "x"), ("stream", "maybe")], "stream"),
        ([("prompt", "x"), ("seed", "1"), ("seed", "2")], "seed"),
        ([("prompt", "x"), ("safety", "none")], "safety"),
        ([("prompt", "x"), ("response_schema", "{")], "response_schema"),
        ([("prompt", "x"), ("response_schema", '{"type": 7}')], "response_schema"),
        ([("prompt", "x"), ("metadata", '"' + "x" * 3_000 + '"')], "metadata"),
        ([("prompt", "x"), ("temprature", "1")], "temprature"),
        ([("prompt", "x"), ("start", "5")], "start"),
        ([("fps", "60"), PNG], "fps"),
        ([("model", "../../files"), ("prompt", "x")], "model"),
        ([("contents", '[{"file": 0}]')], "contents[0].file"),
        ([("contents", '[{"file": 0}]'), PNG, ("prompt", "x")], "prompt"),
        ([("contents", '[{"text": "x"}]'), PNG], "contents"),
        ([("contents", '[{"text": "x", "file": 0}]'), PNG], "contents[0]"),
        ([("messages", '[{"role": "system", "content": []}]')], "messages[0].role"),
        ([], "prompt"),
    ],
)
async def test_a_bad_field_is_named(
    gateway: Gateway, emulator: Emulator, parts: list[tuple[str, object]], field: str
) -> None:
    answer = await gateway.generate(*(parts or [("model", "")]))

    problem = check(answer, 422, "invalid-field")
    assert problem["errors"][0]["field"] == field  # type: ignore[index]  # errors is a list of objects
    assert emulator.requests("generateContent") == []


async def test_an_unknown_field_names_the_nearest(gateway: Gateway) -> None:
    problem = check(await gateway.generate(("promt", "x")), 422, "invalid-field")

    assert "'prompt'" in str(problem["detail"])


async def test_a_field_given_in_the_query_and_otherwise_in_the_form_is_refused(gateway: Gateway) -> None:
    check(await gateway.post_form("/api/v1/generate?seed=1", ("seed", "2"), ("prompt", "x")), 422, "invalid-field")


async def test_fields_of_a_file_are_not_taken_from_the_query(gateway: Gateway) -> None:
    check(await gateway.post_form("/api/v1/generate?start=1", PNG), 422, "invalid-field")


async def test_an_error_shows_no_prompt(gateway: Gateway) -> None:
    answers = [
        await gateway.generate(("messages", '{"very": "secret prompt"}')),
        await gateway.generate(("contents", "secret prompt")),
        await gateway.generate(("prompt", "secret prompt"), ("nonsense", "1")),
    ]

    assert all(answer.status_code == 422 and "secret prompt" not in answer.text for answer in answers)


async def test_a_file_over_the_limit_is_refused_before_its_end(small_gateway: Gateway, emulator: Emulator) -> None:
    answer = await small_gateway.generate(("file_size", str(3 << 30)), PNG)

    check(answer, 413, "file-too-large")
    assert emulator.sessions == []


FAULTS = [
    ({"code": 401, "message": "no"}, 502, "upstream-credentials"),
    ({"code": 403, "message": "The key was reported as leaked."}, 502, "upstream-credentials"),
    (
        {"code": 400, "status": "FAILED_PRECONDITION", "message": "User location is not supported."},
        502,
        "upstream-credentials",
    ),
    ({"code": 400, "message": "Request contains an invalid argument."}, 422, "rejected-by-model"),
    ({"code": 404, "message": "models/x is not found"}, 422, "unknown-model"),
    ({"code": 429, "retry_delay_s": 7}, 429, "rate-limited"),
    ({"code": 429, "retry_delay_s": 80_000}, 503, "upstream-quota"),
    ({"code": 500}, 502, "upstream-failed"),
    ({"code": 503}, 503, "upstream-unavailable"),
    ({"code": 504}, 504, "upstream-timeout"),
    ({"code": 413}, 413, "body-too-large"),
    ({"code": 418}, 502, "upstream-failed"),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
async def test_geminis_errors_are_mapped(
    gateway: Gateway, emulator: Emulator, fault: dict[str, object], status: int, code: str
) -> None:
    emulator.fault("generateContent", "status", **fault)

    problem = check(await gateway.generate(("prompt", "x")), status, code)

    assert problem["upstream"]["status"] == fault["code"]  # type: ignore[index]  # upstream is an object
    assert KEY not in str(problem)


async def test_a_rate_limit_says_when_to_come_back(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "status", code=429, retry_delay_s=7)

    answer = await gateway.generate(("prompt", "x"))

    assert answer.headers["retry-after"] == "7"
    assert answer.json()["retryable"] is True
    assert answer.json()["retry_after_s"] == 7


async def test_a_key_that_gemini_does_not_know_is_the_operators_matter(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, key=ApiKey("invalid")) as gateway:
        answer = await gateway.generate(("prompt", "x"))

    check(answer, 502, "upstream-credentials")
    assert answer.json()["upstream"]["status"] == 400


async def test_an_invalid_answer_of_gemini_is_502(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "cut", after_bytes=0)

    check(await gateway.generate(("prompt", "x")), 502, "upstream-failed")


async def test_gemini_away_is_503(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with running_gateway("http://127.0.0.1:9", tmp_path_factory.mktemp("away")) as alone:
        check(await alone.generate(("prompt", "x")), 503, "upstream-unavailable")
        ready = await alone.client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


async def test_gemini_late_is_504(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "slow", delay_s=600)

    check(await gateway.generate(("prompt", "x"), ("timeout_s", "0.3")), 504, "upstream-timeout")


async def test_a_redirect_is_never_followed(emulator: Emulator, tmp_path: Path) -> None:
    arrived = []

    async def elsewhere(request: web.Request) -> web.Response:
        arrived.append(request.path)
        return web.Response(status=307, headers={"Location": f"{emulator.url}{request.path_qs}"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with running_gateway(f"http://127.0.0.1:{port}", tmp_path) as redirected:
        check(await redirected.generate(("prompt", "x")), 502, "upstream-failed")
    await runner.cleanup()

    assert len([path for path in arrived if "generateContent" in path]) == 1
    assert emulator.requests("generateContent") == []


async def test_a_file_named_by_an_unknown_id_is_not_found(gateway: Gateway) -> None:
    check(await gateway.generate(("prompt", "x"), ("file_id", "file_nope")), 404, "file-not-found")


async def test_a_late_error_leaves_no_file_upstream(small_gateway: Gateway, emulator: Emulator) -> None:
    video = ("file", ("v.mp4", (MEDIA / "scenes.mp4").read_bytes()))
    answers = [
        await small_gateway.generate(video, ("nonsense", "1")),
        await small_gateway.generate(video, ("file", ("empty.jpg", b""))),
        await small_gateway.generate(video, ("file", media("program.jpg"))),
        await small_gateway.generate(video, ("file_id", "file_nope")),
        await small_gateway.generate(video, ("start", "5")),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 415, 404, 422]
    await eventually(lambda: not emulator.open_sessions())
    assert emulator.files == []


async def test_an_unavailable_database_is_503(gateway: Gateway, emulator: Emulator, tmp_path: Path) -> None:
    async with database_away(tmp_path):
        answer = await gateway.client.get("/api/v1/files")
        ready = await gateway.client.get("/readyz")
    recovered = await gateway.client.get("/api/v1/files")

    check(answer, 503, "store-unavailable")
    assert ready.status_code == 503
    assert recovered.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/v1/generate", 405, "method-not-allowed"),
        ("PATCH", "/api/v1/files/x", 405, "method-not-allowed"),
        ("GET", "/api/v1/files?limit=0", 422, "invalid-field"),
        ("GET", "/api/v1/files?sha256=x", 422, "invalid-field"),
        ("GET", "/api/v1/files/x?wait=61", 422, "invalid-field"),
    ],
)
async def test_errors_of_routing_are_problems_too(
    gateway: Gateway, method: str, path: str, status: int, code: str
) -> None:
    answer = await gateway.client.request(method, path)

    check(answer, status, code)
    if status == 405:
        assert answer.headers["allow"]


async def test_errors_on_googles_paths_have_googles_shape(gateway: Gateway) -> None:
    google = (await gateway.client.get("/v1beta/nowhere")).json()
    openai = (await gateway.client.get("/v1beta/openai/nowhere")).json()

    assert google["error"]["status"] == "NOT_FOUND"
    assert openai["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_each_code_has_a_page(gateway: Gateway, code: str) -> None:
    page = await gateway.client.get(f"/problems/{code}")

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert PROBLEMS[code].title in page.text.replace("&#x27;", "'")
    assert "`" not in page.text


async def test_an_upstream_429_has_retry_after(tmp_path: Path) -> None:
    with emulator_process(EMULATOR_REQUESTS_PER_MINUTE="1") as emulator:
        async with running_gateway(emulator.url, tmp_path) as gateway:
            await gateway.generate(("prompt", "x"))
            answer = await gateway.generate(("prompt", "x"))

    check(answer, 429, "rate-limited")
    assert 0 < int(answer.headers["retry-after"]) <= 60
