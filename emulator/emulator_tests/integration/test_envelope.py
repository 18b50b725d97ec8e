import gzip
from email.utils import parsedate_to_datetime

import httpx
import pytest

from emulator_tests.integration.calls import Emulator, Json, emulator_with, error_of, user
from gemini_emulator import EmulatorConfig

GENERATE = "/v1beta/models/gemini-3.8-flash:generateContent"
BODY = {"contents": [user("Hi")]}


def test_every_answer_carries_the_headers_of_real_ones_and_the_emulators_own(emulator: Emulator) -> None:
    answers = [
        emulator.generate("Hi"),
        emulator.bare.get("/v1beta/models"),
        emulator.bare.get("/nowhere"),
        emulator.bare.get("/emulator/state"),
        emulator.start(),
    ]

    for answer in answers:
        assert answer.headers["x-gateway-emulator"] == "1"
        assert answer.headers["vary"] == "Origin, X-Origin, Referer"
        assert answer.headers["server-timing"].startswith("gfet4t7; dur=")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["x-xss-protection"] == "0"
        assert len(answer.headers.get_list("date")) == 1
    assert answers[0].headers["content-type"] == "application/json; charset=UTF-8"


def test_json_is_compressed_when_asked(emulator: Emulator) -> None:
    headers = {"Accept-Encoding": "gzip"}
    with emulator.http.stream("POST", GENERATE, json=BODY, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    plain = emulator.http.post(GENERATE, json=BODY, headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).startswith(b'{\n  "candidates": [')
    assert "content-encoding" not in plain.headers


def test_a_large_answer_is_compressed_whole(emulator: Emulator) -> None:
    answer = emulator.generate("ä" * 90_000)

    assert "ä" * 90_000 in answer.json()["candidates"][0]["content"]["parts"][0]["text"]


def test_a_call_without_a_key_is_refused(emulator: Emulator) -> None:
    code, status, message = error_of(emulator.bare.post(GENERATE, json=BODY))

    assert (code, status) == (403, "PERMISSION_DENIED")
    assert message.startswith("Method doesn't allow unregistered callers")


@pytest.mark.parametrize(
    "request_options", [{"headers": {"x-goog-api-key": "invalid"}}, {"params": {"key": "invalid"}}]
)
def test_a_wrong_key_is_refused_with_its_reason(emulator: Emulator, request_options: Json) -> None:
    answer = emulator.bare.get("/v1beta/models", **request_options)

    assert error_of(answer) == (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
    info, localized = answer.json()["error"]["details"]
    assert info == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    assert localized["@type"] == "type.googleapis.com/google.rpc.LocalizedMessage"


def test_a_key_may_come_in_the_query(emulator: Emulator) -> None:
    assert emulator.bare.get("/v1beta/models", params={"key": "any"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v1beta/models/a/b", 404),
        ("POST", "/v1beta/models/gemini-3.8-flash:predict", 404),
        ("GET", "/v1beta/files/%2e%2e", 404),
        ("POST", "/v1beta/files", 405),
        ("GET", "/v1beta/models/gemini-3.8-flash:generateContent", 404),
        ("PATCH", "/v1beta/files/abc", 405),
        ("PUT", "/upload/v1beta/files", 405),
    ],
)
def test_an_unserved_path_is_an_error_in_googles_shape(emulator: Emulator, method: str, path: str, code: int) -> None:
    assert error_of(emulator.http.request(method, path))[0] == code


def test_live_is_for_those_with_a_key(emulator: Emulator) -> None:
    headers = {
        "x-goog-api-key": "invalid",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    answer = emulator.http.get(
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", headers=headers
    )

    assert answer.status_code == 403


def test_an_unknown_query_parameter_is_refused(emulator: Emulator) -> None:
    answer = emulator.http.get("/v1beta/models", params={"size": 5})

    assert error_of(answer)[2].startswith('Invalid JSON payload received. Unknown name "size": Cannot bind query')


def test_calls_beyond_the_rate_are_told_when_to_come_back() -> None:
    with emulator_with(EmulatorConfig(requests_per_minute=2)) as emulator:
        allowed = [emulator.generate("Hi").status_code for _ in range(2)]
        refused = emulator.generate("Hi")
        other_model = emulator.generate("Hi", model="gemini-3.5-flash")
        emulator.advance(61)
        later = emulator.generate("Hi")

        assert (allowed, other_model.status_code, later.status_code) == ([200, 200], 200, 200)
        assert error_of(refused)[:2] == (429, "RESOURCE_EXHAUSTED")
        quota, links, retry = refused.json()["error"]["details"]
        (violation,) = quota["violations"]
        assert violation["quotaId"] == "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
        assert violation["quotaDimensions"]["model"] == "gemini-3.8-flash"
        assert violation["quotaValue"] == "2"
        assert links["@type"].endswith("google.rpc.Help")
        assert retry["retryDelay"] in {"59s", "60s"}


def test_the_date_follows_the_emulators_clock(emulator: Emulator) -> None:
    before = date_of(emulator.bare.get("/emulator/state"))
    emulator.advance(86_400)

    after = date_of(emulator.bare.get("/emulator/state"))

    assert 86_400 <= after - before <= 86_460


def date_of(answer: httpx.Response) -> float:
    return parsedate_to_datetime(answer.headers["date"]).timestamp()
