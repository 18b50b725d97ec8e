import json
from typing import Any

import pytest
from google.genai import errors as sdk_errors
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    FileNotReadyError,
    GatewayError,
    RateLimitedError,
    RejectedByModelError,
    Surface,
    UnknownModelError,
    UpstreamCredentialsError,
    UpstreamQuotaError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
    render,
)
from app.gemini.refusals import (
    LONGEST_RETRY_S,
    MAX_CODE_CHARS,
    MAX_MESSAGE_CHARS,
    GeminiBusyError,
    GeminiFailedError,
    GeminiTimeoutError,
    GeminiTooLargeError,
    NamedFileError,
    error_of,
    read_refusal,
    sdk_error,
)

KEY = "AIza" + "SyA0b1C2d3E4f5G6h7I8j9K0l1M2n3O4p5Q"
BAD_KEY = "API key not valid. Please pass a valid API key."
NOT_ACTIVE = "The File {} is not in an ACTIVE state and usage is not allowed."
NO_FILE = "You do not have permission to access the File {} or it may not exist."
NO_REGION = "User location is not supported for the API use."


def body(status: int, code: str, message: str = "Sorry.", details: list[dict[str, Any]] | None = None) -> bytes:
    error: dict[str, Any] = {"code": status, "message": message, "status": code}
    return json.dumps({"error": error | ({"details": details} if details else {})}).encode()


def error(status: int, answer: bytes, *, model: str | None = None) -> GatewayError:
    return error_of(read_refusal(status, answer), model=model)


def quota(quota_id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]}


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


KEY_INVALID = [
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
    {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "message": BAD_KEY},
]


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, body(400, "INVALID_ARGUMENT", BAD_KEY, KEY_INVALID), UpstreamCredentialsError),
        (400, body(400, "INVALID_ARGUMENT", "Unsupported MIME type: image/x"), RejectedByModelError),
        (
            400,
            body(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
            RejectedByModelError,
        ),
        (400, body(400, "FAILED_PRECONDITION", NO_REGION), UpstreamCredentialsError),
        (400, body(400, "FAILED_PRECONDITION", "Billing is not enabled."), UpstreamCredentialsError),
        (400, body(400, "FAILED_PRECONDITION", NOT_ACTIVE.format("abc")), FileNotReadyError),
        (401, body(401, "UNAUTHENTICATED"), UpstreamCredentialsError),
        (403, body(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers."), UpstreamCredentialsError),
        (403, body(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), UpstreamCredentialsError),
        (403, body(403, "PERMISSION_DENIED", NO_FILE.format("abc")), NamedFileError),
        (404, body(404, "NOT_FOUND", "operations/1 is not found."), GeminiFailedError),
        (413, body(413, "FAILED_PRECONDITION"), GeminiTooLargeError),
        (429, body(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), GeminiBusyError),
        (429, body(429, "RESOURCE_EXHAUSTED", details=[retry_info("47s")]), GeminiBusyError),
        (429, body(429, "RESOURCE_EXHAUSTED", details=[quota("RequestsPerDayPerProject")]), UpstreamQuotaError),
        (429, body(429, "RESOURCE_EXHAUSTED", details=[retry_info("3601s")]), UpstreamQuotaError),
        (499, body(499, "CANCELLED"), GeminiFailedError),
        (500, body(500, "INTERNAL"), GeminiFailedError),
        (502, b"<html>Bad Gateway</html>", GeminiFailedError),
        (503, body(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), UpstreamUnavailableError),
        (504, body(504, "DEADLINE_EXCEEDED"), GeminiTimeoutError),
    ],
)
def test_each_thing_that_gemini_says_is_mapped(status: int, answer: bytes, kind: type[GatewayError]) -> None:
    found = error(status, answer)

    assert type(found) is kind
    assert isinstance(found, UpstreamRefusedError)


def test_an_unknown_model_is_named() -> None:
    message = "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent."

    unknown = error(404, body(404, "NOT_FOUND", message), model="gemini-9")

    assert isinstance(unknown, UnknownModelError)
    assert unknown.status == 422
    assert "'gemini-9'" in unknown.detail


@pytest.mark.parametrize("status", range(300, 600))
def test_no_refusal_of_gemini_logs_a_client_out_or_passes_as_a_success(status: int) -> None:
    theirs = error(status, b"")

    assert theirs.status >= 400
    assert theirs.status not in {401, 403}


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (NO_FILE.format("abc123"), "abc123"),
        (NO_FILE.format("files/a-b-c"), "a-b-c"),
        (NO_FILE.format("x" * 40), "x" * 40),
    ],
)
def test_the_file_that_is_missing_is_known(message: str, name: str) -> None:
    missing = error(403, body(403, "PERMISSION_DENIED", message))

    assert isinstance(missing, NamedFileError)
    assert (missing.name, missing.status, missing.code) == (name, 404, "file-not-found")


@pytest.mark.parametrize(
    ("details", "delay_s"),
    [([], 30.0), ([retry_info("47s")], 47.0), ([retry_info("0.5s")], 0.5), ([retry_info("soon")], 30.0)],
)
def test_the_retry_wait_is_geminis_or_half_a_minute(details: list[dict[str, Any]], delay_s: float) -> None:
    limited = error(429, body(429, "RESOURCE_EXHAUSTED", details=[quota("RequestsPerMinute"), *details]))

    assert isinstance(limited, RateLimitedError)
    assert limited.retry_after_s == delay_s


def test_a_quota_of_the_day_is_not_worth_a_retry() -> None:
    spent = error(429, body(429, "RESOURCE_EXHAUSTED", details=[quota("PerDayPerModel"), retry_info("9s")]))

    assert (spent.status, spent.retryable, spent.retry_after_s) == (503, False, None)


def test_geminis_status_and_message_are_passed_on() -> None:
    refused = error(400, body(400, "INVALID_ARGUMENT", "Schema too deep."))

    assert refused.upstream is not None
    assert (refused.upstream.status, refused.upstream.code) == (400, "INVALID_ARGUMENT")
    assert refused.upstream.message == "Schema too deep."
    assert "Schema too deep." in refused.detail


@pytest.mark.parametrize("wrap", ["[%s]", "[%s\n]\n", "%s"])
def test_an_error_in_an_array_is_read_too(wrap: str) -> None:
    answer = (wrap % body(403, "PERMISSION_DENIED", NO_FILE.format("abc")).decode()).encode()

    assert isinstance(error(403, answer), NamedFileError)


def test_the_shape_of_interactions_is_read_too() -> None:
    refusal = read_refusal(400, b'{"error": {"code": "invalid_request", "message": "No."}}')

    assert (refusal.code, refusal.message) == ("invalid_request", "No.")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[[]]",
        b"{}",
        b'"error"',
        b'{"error": null}',
        b'{"error": "no"}',
        b'{"error": {"details": 7}}',
        b'{"error": {"details": [null, {"violations": [1]}, {"retryDelay": 5}, {"reason": null}]}}',
    ],
)
def test_an_answer_in_no_known_shape_is_judged_by_its_status(answer: bytes) -> None:
    assert isinstance(error(400, answer), RejectedByModelError)
    assert isinstance(error(503, answer), UpstreamUnavailableError)
    assert isinstance(error(403, answer), UpstreamCredentialsError)


SECRETS = [
    f"API key {KEY} was reported as leaked.",
    f"Consumer 'api_key:{KEY}' has been suspended.",
    f"Bad URL https://x.googleapis.com/v1beta/models?key={'k3y' * 12}&alt=sse",
    "Token AQ.Ab8RN6KsecretSecretSecret is expired.",
    "Generative Language API has not been used in project 739512345678 before or it is disabled.",
    "Enable it by visiting https://console.developers.google.com/apis/api/g/overview?project=739512345678 then retry.",
    "Permission denied on resource project acme-prod-7395.",
    "Permission denied on resource projects/acme-prod.",
    "Permission denied: projects/739512345678/locations/global.",
    "Permission denied: Consumer 'project_number:739512345678' has been suspended.",
    "Permission denied: Consumer 'projects/739512345678' has been suspended.",
    "Project #739512345678 has no quota.",
    "Ask jane.doe+keys@acme-prod.example.com for access.",
]
PRIVATE = [KEY, "k3yk3y", "secretSecret", "739512345678", "acme-prod", "jane.doe", "AIza"]


@pytest.mark.parametrize("message", SECRETS)
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_no_key_no_project_and_no_address_is_passed_on(status: int, message: str) -> None:
    refused = error(status, body(status, "X", message), model="m")

    told = f"{refused.detail} {refused.upstream} {refused}"
    assert [secret for secret in PRIVATE if secret in told] == []


@given(st.integers(0, MAX_MESSAGE_CHARS + 3_000))
def test_no_key_is_passed_on_wherever_a_long_message_is_cut(place: int) -> None:
    refusal = read_refusal(500, body(500, "INTERNAL", "word " * (place // 5) + KEY + " end" * 2_000))

    assert "AIza" not in refusal.message
    assert len(refusal.message) <= MAX_MESSAGE_CHARS


@pytest.mark.parametrize("filler", ["a", "a.", "@", "key ", "project ", "AIza"])
def test_a_message_as_long_as_an_answer_may_be_is_read_without_delay(filler: str) -> None:
    answer = body(400, "INVALID_ARGUMENT", filler * (1_000_000 // len(filler)))

    refusal = read_refusal(400, answer)

    assert 0 < len(refusal.message) <= MAX_MESSAGE_CHARS


def test_an_ordinary_message_is_left_as_it_is() -> None:
    message = "Unknown name \"keyboard\" at 'contents[0]': the project's files are in images/png at 10:30."

    assert read_refusal(400, body(400, "INVALID_ARGUMENT", message)).message == message


@pytest.mark.parametrize(
    "details",
    [
        {"error": {"code": 403, "message": NO_FILE.format("abc"), "status": "PERMISSION_DENIED"}},
        [{"error": {"code": 403, "message": NO_FILE.format("abc"), "status": "PERMISSION_DENIED"}}],
        {"code": 403, "message": NO_FILE.format("abc"), "status": "PERMISSION_DENIED"},
    ],
)
def test_an_error_that_the_sdk_raised_means_the_same(details: object) -> None:
    theirs = sdk_errors.APIError(403, details)

    assert isinstance(sdk_error(theirs), NamedFileError)


def test_an_error_of_the_sdk_that_tells_nothing_is_judged_by_its_status() -> None:
    assert isinstance(sdk_error(sdk_errors.APIError(503, {})), UpstreamUnavailableError)


@pytest.mark.parametrize("delay", ["9" * 400 + "s", "999999999999s", "1e999s", "nans", "-5s", "٣s"])
@pytest.mark.parametrize("status", [429, 503])
def test_no_retry_delay_of_geminis_is_longer_than_an_hour_or_breaks_the_answer(delay: str, status: int) -> None:
    failure = error(status, body(status, "X", details=[{"retryDelay": delay}]))

    assert 0 < (failure.retry_after_s or 1) <= LONGEST_RETRY_S
    for surface in Surface:
        assert render(failure, surface, request_id="r").status in {429, 503}


@pytest.mark.parametrize("name", ["message", "status", "code", "details"])
def test_an_error_whose_fields_are_nested_deeply_is_read(name: str) -> None:
    answer = f'{{"error": {{"{name}": {"[" * 1_020}{"]" * 1_020}}}}}'.encode()

    assert read_refusal(400, answer).message == ""


def test_the_code_of_an_error_is_short() -> None:
    assert len(read_refusal(400, body(400, "X" * 10_000)).code) <= MAX_CODE_CHARS
