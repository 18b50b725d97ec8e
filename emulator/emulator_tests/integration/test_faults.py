import hashlib
import json
import socket
from collections import deque

import httpx
import pytest

from emulator_tests.integration.calls import GRANULE, MODEL, Emulator, Json, error_of, text_of, user

STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
BODY: Json = {"contents": [user("A question of some length, so that several chunks are needed to answer it.")]}


def test_a_planned_status_hits_the_next_call_of_its_operation_once(emulator: Emulator) -> None:
    emulator.plan({"operation": "generateContent", "kind": "status", "code": 503})

    other = emulator.http.get("/v1beta/models")
    hit = emulator.generate("Hi")
    after = emulator.generate("Hi")

    assert (other.status_code, after.status_code) == (200, 200)
    assert error_of(hit) == (503, "UNAVAILABLE", "The model is overloaded. Please try again later.")


def test_a_planned_status_fault_answers_with_its_status(emulator: Emulator) -> None:
    fault: Json = {
        "kind": "status",
        "code": 429,
        "message": "Slow down.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}],
        "retry_delay_s": 47,
    }

    answer = emulator.generate("Hi", fault=fault)

    assert error_of(answer) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    assert answer.json()["error"]["details"] == [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "47s"},
    ]


def test_a_request_refused_by_a_status_fault_is_in_the_journal(emulator: Emulator) -> None:
    emulator.plan({"operation": "*", "kind": "status", "code": 500, "count": 2})
    url = f"{emulator.base_url}/upload/v1beta/files?upload_id=any"

    emulator.generate("Hi")
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    generated, uploaded = emulator.requests()
    assert (generated["status"], uploaded["status"]) == (500, 500)
    assert generated["json"] == {"contents": [user("Hi")], "generationConfig": None}
    assert uploaded["body_bytes"] == GRANULE


def test_count_and_skip_say_which_calls_are_hit(emulator: Emulator) -> None:
    emulator.plan({"operation": "generateContent", "kind": "status", "code": 500, "skip": 1, "count": 2})

    codes = [emulator.generate("Hi").status_code for _ in range(5)]

    assert codes == [200, 500, 500, 200, 200]


def test_faults_that_spoil_a_call_come_one_after_the_other(emulator: Emulator) -> None:
    emulator.plan({"operation": "generateContent", "kind": "status", "code": 503})
    emulator.plan({"operation": "*", "kind": "block", "reason": "SAFETY"})
    emulator.plan({"operation": "generateContent", "kind": "answer", "text": "never seen"})

    first, second, third = (emulator.generate("Hi") for _ in range(3))

    assert first.status_code == 503
    assert second.json()["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "never seen" not in third.text


def test_a_fault_of_any_operation_waits_for_one_that_it_fits(emulator: Emulator) -> None:
    emulator.plan({"operation": "*", "kind": "block", "reason": "OTHER"})

    listed = emulator.http.get("/v1beta/models")
    hit = emulator.generate("Hi")

    assert listed.status_code == 200
    assert "candidates" not in hit.json()


def test_plans_can_be_dropped(emulator: Emulator) -> None:
    emulator.plan({"operation": "*", "kind": "status", "code": 500, "count": 100})

    emulator.bare.delete("/emulator/faults")

    assert emulator.generate("Hi").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"operation": "generateContent"},
        {"operation": "generateContent", "kind": "nonsense"},
        {"operation": "nonsense", "kind": "lost_ack"},
        {"operation": "generateContent", "kind": "status"},
        {"operation": "generateContent", "kind": "status", "code": 200},
        {"operation": "generateContent", "kind": "partial", "bytes": 5},
        {"operation": "generateContent", "kind": "slow"},
        {"operation": "generateContent", "kind": "slow", "delay": 5},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(emulator: Emulator, fault: Json) -> None:
    planned = emulator.bare.post("/emulator/faults", json=fault)

    assert error_of(planned)[:2] == (400, "INVALID_ARGUMENT")


def test_a_fault_header_that_makes_no_sense_is_refused(emulator: Emulator) -> None:
    answer = emulator.http.get("/v1beta/models", headers={"X-Emulator-Fault": "slow"})

    assert error_of(answer)[0] == 400


def test_a_slow_answer_has_not_begun_while_its_client_waits(emulator: Emulator) -> None:
    emulator.plan({"operation": "models.list", "kind": "slow", "delay_s": 600})
    address = httpx.URL(emulator.base_url)

    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(b"GET /v1beta/models?key=k HTTP/1.1\r\nHost: emulator\r\n\r\n")
        emulator.wait_until_in_flight(1)
    emulator.wait_until_in_flight(0)

    assert emulator.requests()[-1]["status"] == 0
    assert emulator.requests()[-1]["aborted"] is True
    assert emulator.state().number("aborted") == 1


def test_a_cut_before_anything_gives_no_answer_at_all(emulator: Emulator) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        emulator.generate("Hi", fault={"kind": "cut", "after_bytes": 0})

    emulator.wait_until_in_flight(0)
    assert emulator.state().number("aborted") == 0
    assert emulator.requests()[-1]["status"] == 0


def test_a_cut_after_bytes_gives_just_these(emulator: Emulator) -> None:
    headers = {"X-Emulator-Fault": json.dumps({"kind": "cut", "after_bytes": 10})}

    with emulator.http.stream("GET", "/v1beta/models", headers=headers) as answer:
        got = answer.iter_raw()
        first = next(got)
        with pytest.raises(httpx.RemoteProtocolError, match="received 10 bytes"):
            next(got)

    assert len(first) == 10


def test_a_cut_after_chunks_gives_just_these(emulator: Emulator) -> None:
    headers = {"X-Emulator-Fault": json.dumps({"kind": "cut", "after_chunks": 2}), "Accept-Encoding": "identity"}
    received = bytearray()

    with emulator.http.stream("POST", STREAM, json=BODY, headers=headers) as answer:
        pieces = answer.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError):
            deque(map(received.extend, pieces), maxlen=0)

    assert received.count(b"data: ") == 2
    assert received.endswith(b"\r\n\r\n")


def test_a_stream_cut_after_its_last_chunk_has_no_end(emulator: Emulator) -> None:
    headers = {"X-Emulator-Fault": json.dumps({"kind": "cut", "after_chunks": 1000})}

    with (
        emulator.http.stream("POST", STREAM, json=BODY, headers=headers) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        answer.read()


def test_a_plain_answer_that_is_cut_after_a_chunk_lacks_its_last_byte(emulator: Emulator) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed"):
        emulator.generate("Hi", fault={"kind": "cut", "after_chunks": 1})


def test_a_lost_acknowledgement_has_taken_the_chunk(emulator: Emulator) -> None:
    url = emulator.open(size=2 * GRANULE)

    with pytest.raises(httpx.RemoteProtocolError):
        emulator.command(url, "upload", b"x" * GRANULE, offset=0, fault={"kind": "lost_ack"})

    assert emulator.command(url, "query").headers["x-goog-upload-size-received"] == str(GRANULE)


def test_a_lost_acknowledgement_of_the_end_has_made_the_file(emulator: Emulator) -> None:
    url = emulator.open(size=3)

    with pytest.raises(httpx.RemoteProtocolError):
        emulator.command(url, "upload, finalize", b"abc", offset=0, fault={"kind": "lost_ack"})
    query = emulator.command(url, "query")

    assert query.headers["x-goog-upload-status"] == "final"
    assert query.json()["file"]["sizeBytes"] == "3"


def test_an_unavailable_acknowledgement_has_taken_nothing_and_says_nothing(emulator: Emulator) -> None:
    url = emulator.open(size=GRANULE)
    emulator.plan({"operation": "files.finalize", "kind": "unavailable_ack"})

    answer = emulator.command(url, "upload, finalize", b"x" * GRANULE, offset=0)
    query = emulator.command(url, "query")

    assert answer.status_code == 503
    assert "x-goog-upload-status" not in answer.headers
    assert query.headers["x-goog-upload-size-received"] == "0"


def test_a_partial_chunk_is_taken_to_its_granule_and_cut(emulator: Emulator) -> None:
    data = b"a" * GRANULE + b"b" * GRANULE + b"c"
    url = emulator.open(size=len(data))

    with pytest.raises(httpx.HTTPError):
        emulator.command(url, "upload, finalize", data, offset=0, fault={"kind": "partial", "bytes": GRANULE + 7})
    query = emulator.command(url, "query")
    rest = emulator.command(url, "upload, finalize", data[GRANULE:], offset=GRANULE)

    assert query.headers["x-goog-upload-size-received"] == str(GRANULE)
    assert rest.status_code == 200
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_dead_session_stays_dead(emulator: Emulator) -> None:
    url = emulator.open(size=3)

    killed = emulator.command(url, "upload, finalize", b"abc", offset=0, fault={"kind": "dead_session"})
    query = emulator.command(url, "query")

    assert (killed.status_code, query.status_code) == (404, 404)
    assert "x-goog-upload-status" not in killed.headers


def test_a_finish_reason_and_a_shorter_text_can_be_asked_for(emulator: Emulator) -> None:
    fault: Json = {"kind": "finish", "reason": "SAFETY", "message": "No.", "chars": 4}

    candidate = emulator.generate("Hi", fault=fault).json()["candidates"][0]

    assert candidate["content"]["parts"] == [{"text": "This"}]
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("SAFETY", "No.")


def test_an_answer_may_end_before_its_first_word(emulator: Emulator) -> None:
    answer = emulator.generate("Hi", fault={"kind": "finish", "reason": "OTHER", "chars": 0})

    assert answer.json()["candidates"][0]["content"] == {"role": "model"}


def test_a_blocked_prompt_has_a_reason_and_no_candidates(emulator: Emulator) -> None:
    fault: Json = {"kind": "block", "reason": "PROHIBITED_CONTENT"}

    whole = emulator.generate("Hi", fault=fault).json()
    stream = emulator.call("streamGenerateContent", BODY, fault=fault).json()

    assert whole["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in whole
    assert whole["usageMetadata"]["promptTokenCount"] == 1
    assert [chunk["promptFeedback"] for chunk in stream] == [whole["promptFeedback"]]


def test_an_answer_can_be_given_word_for_word(emulator: Emulator) -> None:
    text = '```json\n{"n": "three"}\n```'

    answer = emulator.generate("Hi", config={"maxOutputTokens": 1}, fault={"kind": "answer", "text": text})

    assert text_of(answer) == text


@pytest.mark.parametrize("operation", ["files.start", "files.finalize"])
@pytest.mark.parametrize("then", ["ACTIVE", "FAILED"])
def test_a_processing_fault_sets_its_duration_and_its_final_state(
    emulator: Emulator, operation: str, then: str
) -> None:
    emulator.plan({"operation": operation, "kind": "processing", "delay_s": 100, "then": then})

    slow, ordinary = emulator.upload(b"abc"), emulator.upload(b"abc")
    emulator.advance(101)

    assert (slow["state"], ordinary["state"]) == ("PROCESSING", "ACTIVE")
    assert emulator.http.get(f"/v1beta/{slow['name']}").json()["state"] == then


def test_faults_that_only_alter_go_together(emulator: Emulator) -> None:
    emulator.plan({"operation": "generateContent", "kind": "answer", "text": "Told so."})
    emulator.plan({"operation": "generateContent", "kind": "finish", "reason": "MAX_TOKENS"})

    answer = emulator.generate("Hi")

    assert text_of(answer) == "Told so."
    assert answer.json()["candidates"][0]["finishReason"] == "MAX_TOKENS"
