"""The operator's data in Gemini's errors is masked; an error without such data is returned unchanged."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamFailedError
from app.gemini.masking import AT_ONCE_BYTES, Masking, is_error_event

KEY = "a-key-of-no-known-form"
FORMER = "the-key-before-it"
PROJECT = "739512345678"
MASKING = Masking(lambda: (KEY, FORMER))

PRIVATE = [
    f"API key {KEY} is blocked.",
    f"API key {FORMER} was reported as leaked.",
    f"Consumer 'api_key:AIza{'x' * 35}' has been suspended.",
    "Token AQ.Ab8RN6KsecretSecretSecret is expired.",
    f"Quota exceeded for consumer 'project_number:{PROJECT}'.",
    f"Generative Language API has not been used in project {PROJECT} before or it is disabled.",
    f"https://console.developers.google.com/apis/api/g/overview?project={PROJECT}",
    "Permission denied on resource project acme-prod-7395.",
    "Permission denied on project 'acme-prod'.",
    "Permission denied on resource projects/acme-prod/locations/global.",
    "Permission denied on projects/example.com:acme-prod.",
    "consumer: organizations/acme-prod",
    "Ask jane.doe+keys@acme-prod.example.com for access.",
    f"gateway@acme-prod-{PROJECT}.iam.gserviceaccount.com lacks a role.",
]
HELD_BACK = [KEY, FORMER, "AIza", "secretSecret", PROJECT, "acme-prod", "jane.doe"]
ORDINARY = [
    "Unknown name \"keyboard\" at 'contents[0]': the project's files are in images/png at 10:30.",
    "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
    "You do not have permission to access the File 0a1b2c or it may not exist.",
    "The model is overloaded. Please try again later. [key: value]",
    "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set.",
]


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", **more}}


def private(text: str) -> list[str]:
    return [secret for secret in HELD_BACK if secret in text]


@pytest.mark.parametrize("message", PRIVATE)
def test_a_text_shows_no_key_no_project_and_no_address(message: str) -> None:
    assert private(MASKING.text(message)) == []


@pytest.mark.parametrize("message", PRIVATE)
@pytest.mark.parametrize("shape", ["%s", "[%s]", "[%s\n]\n"])
def test_a_json_body_shows_none_of_it_and_stays_json(message: str, shape: str) -> None:
    body = (shape % json.dumps(error(message), indent=2)).encode()

    masked = MASKING.body(body)

    assert private(masked.decode()) == []
    assert is_error_event(masked)


@pytest.mark.parametrize("message", PRIVATE)
def test_escapes_hide_nothing(message: str) -> None:
    # Google's servers write quotes and equals signs as escapes.
    escaped = "".join(f"\\u{ord(character):04x}" for character in message)
    body = f'{{"error": {{"message": "{escaped}"}}}}'.encode()

    assert private(json.loads(MASKING.body(body))["error"]["message"]) == []


@pytest.mark.parametrize("message", PRIVATE)
def test_an_error_about_invalid_json_shows_no_byte_of_the_body(message: str) -> None:
    assert private(MASKING.body(f"<html>\n<p>{message}</p>\xff".encode("latin-1")).decode("latin-1")) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"consumer": "projects/739512345678"},
        {"containerInfo": PROJECT},
        {"project_id": "acme-prod"},
        {"projectNumber": int(PROJECT)},
        {"serviceAccount": "acme-prod"},
    ],
)
def test_fields_of_the_details_that_name_the_project_alone_are_masked(metadata: dict[str, Any]) -> None:
    body = json.dumps(error("Denied.", details=[{"reason": "RATE_LIMIT_EXCEEDED", "metadata": metadata}])).encode()

    masked = json.loads(MASKING.body(body))

    assert private(json.dumps(masked)) == []
    assert masked["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"


def test_a_name_that_is_given_twice_hides_nothing() -> None:
    body = f'{{"error": {{"message": "{PRIVATE[0]}", "message": "ordinary"}}}}'.encode()

    assert private(MASKING.body(body).decode()) == []


@pytest.mark.parametrize("message", ORDINARY)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_ordinary_error_is_returned_byte_for_byte(message: str, indent: int | None) -> None:
    body = json.dumps(error(message, details=[{"violations": [{"quotaId": "PerProjectPerModel"}]}]), indent=indent)

    assert MASKING.body(body.encode()) == body.encode()


@pytest.mark.parametrize("body", [b"", b"null", b"7", b"<html>Bad Gateway</html>", b"\xff\xfe", b'{"error": null}'])
def test_a_body_in_no_known_shape_is_returned_byte_for_byte(body: bytes) -> None:
    assert MASKING.body(body) == body


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from([KEY, FORMER]))
def test_the_key_is_shown_nowhere(before: str, behind: str, key: str) -> None:
    for body in (orjson.dumps(error(before + key + behind)), (before + key + behind).encode()):
        assert key not in MASKING.body(body).decode("latin-1")


@pytest.mark.parametrize("filler", ["a", "a.", "@", "key=", "project ", "projects/", "AIza", "consumer:", "\\u0040"])
def test_an_error_of_the_largest_size_is_masked_in_linear_time(filler: str) -> None:
    # A pattern that is quadratic would take minutes, and the test's time-out would end it.
    body = f'{{"error": {{"message": "{filler * ((1 << 19) // len(filler))}"}}}}'.encode()

    assert is_error_event(MASKING.body(body))


async def test_a_long_error_is_masked_as_a_short_one() -> None:
    body = orjson.dumps(error("word " * AT_ONCE_BYTES + PRIVATE[0]))

    assert await MASKING.error(body) == MASKING.body(body)
    assert private((await MASKING.error(body)).decode()) == []


@pytest.mark.parametrize(
    ("data", "is_error"),
    [
        (b'{"error": {"code": 503}}', True),
        (b'[{"error": {"code": 503}}]', True),
        (b'{"event_type": "error", "error": {"message": "No."}}', True),
        (b'{"error": "no"}', True),
        (b'{"error": {"code"', True),
        (b'{"candidates": [{"content": {"parts": [{"functionCall": {"args": {"error": {}}}}]}}]}', False),
        (b'{"candidates": [{"content": {"parts": [{"text": "\\"error\\""}]}}]}', False),
        (b'{"error": null, "id": "x"}', False),
        (b"[DONE]", False),
        (b"", False),
    ],
)
def test_an_event_is_an_error_by_its_own_error_alone(data: bytes, is_error: bool) -> None:
    assert is_error_event(data) is is_error


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


@pytest.mark.parametrize("depth", [300, 600, 1_020, 5_000])
def test_an_error_nested_deeply_is_masked(depth: int) -> None:
    body = f'{{"error": {"[" * depth}"{KEY}"{"]" * depth}}}'.encode()

    assert MASKING.body(body) == body.replace(KEY.encode(), b"...")


@pytest.mark.parametrize(
    "shape",
    ['{"error": {"message": "%s"', '{"error": {"message": "\\ud800 %s"}}', '{"error": "%s", }', '"%s', '"\\q %s"'],
)
def test_an_escaped_key_is_masked_in_json_that_only_a_lenient_reader_takes(shape: str) -> None:
    assert escaped(KEY)[:18] not in MASKING.body((shape % escaped(KEY)).encode()).decode()


def test_masking_leaves_every_other_byte_of_an_error_as_it_came() -> None:
    body = b'{ "error" : {"a":1.50, "b": 12345678901234567890123, "message":"Key %b \xc3\xa9", "c": "\\u00e9" }\r\n}'

    assert MASKING.body(body % KEY.encode()) == body % b"..."


WITH_ERRORS = [
    '{"name": "batches/a", "done": true, "error": %s}',
    '{"name": "files/a", "state": "FAILED", "error": %s}',
    '{"file": {"name": "files/a", "error": %s}}',
    '{"files": [{"name": "files/a"}, {"name": "files/b", "error": %s}]}',
    '{"operations": [{"done": true, "error": %s}]}',
    '{"metadata": {"output": {"inlinedResponses": {"inlinedResponses": [{"response": {}}, {"error": %s}]}}}}',
    '{"response": {"inlinedEmbedContentResponses": {"inlinedResponses": [{"error": %s}]}}}',
    '{"id": "v1_a", "status": "failed", "error": %s}',
    '{"error": %s}',
]


@pytest.mark.parametrize("shape", WITH_ERRORS)
async def test_an_error_inside_a_whole_answer_is_masked(shape: str) -> None:
    told = json.dumps(error(PRIVATE[0], details=[{"metadata": {"consumer": PROJECT}}])["error"])

    masked = await MASKING.document((shape % told).encode())

    assert private(masked.decode()) == []
    assert json.loads(masked).keys() == json.loads(shape % "1").keys()


@pytest.mark.parametrize("shape", WITH_ERRORS)
async def test_an_ordinary_error_inside_a_whole_answer_passes_byte_for_byte(shape: str) -> None:
    body = (shape % json.dumps(error(ORDINARY[0])["error"], indent=3)).encode()

    assert await MASKING.document(body) == body


@pytest.mark.parametrize(
    "answer",
    [
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {"error": PRIVATE[0]}}}]}}]},
        {"metadata": {"output": {"inlinedResponses": {"inlinedResponses": [{"metadata": {"error": PRIVATE[0]}}]}}}},
        {"response": {"inlinedResponses": {"inlinedResponses": [{"response": {"error": PRIVATE[0]}}]}}},
        {"steps": [{"content": [{"text": f'"error": {PRIVATE[0]}'}]}]},
    ],
)
async def test_words_of_a_model_or_a_client_in_a_whole_answer_are_never_masked(answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()

    assert await MASKING.document(body) == body


async def test_a_long_answer_that_only_mentions_errors_passes_byte_for_byte() -> None:
    body = json.dumps({"text": ['"error": no'] * AT_ONCE_BYTES, "error": None}).encode()

    assert await MASKING.document(body) == body


@pytest.mark.parametrize("end", ['}, "x": "\\ud800"}', "}, }", "", "}} x"])
async def test_an_error_in_an_answer_that_only_a_lenient_reader_takes_is_masked(end: str) -> None:
    body = f'{{"error": {{"message": "Key {escaped(KEY)}"{end}'.encode()

    assert await MASKING.document(body) == body.replace(escaped(KEY).encode(), b"...")


async def test_an_error_in_an_answer_too_deep_to_be_written_again_is_refused() -> None:
    body = f'{{"error": {{"message": "{KEY}", "details": {"[" * 400}{"]" * 400}}}}}'.encode()

    with pytest.raises(UpstreamFailedError):
        await MASKING.document(body)
