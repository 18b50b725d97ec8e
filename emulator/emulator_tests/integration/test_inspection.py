import base64
import hashlib
from contextlib import suppress

import httpx
import orjson

from emulator_tests.integration.calls import KEY, MEDIA, Emulator, Json, as_inline, error_of, user

GENERATE = "/v1beta/models/gemini-3.8-flash:generateContent"


def test_a_call_is_remembered_with_its_exact_body(emulator: Emulator) -> None:
    body = b' {"contents": [ {"parts": [ {"text": "\\u00e4"} ] } ] }\n'

    answer = emulator.bare.post(GENERATE, content=body, params={"key": "secret"})

    assert emulator.requests() == [
        {
            "operation": "generateContent",
            "method": "POST",
            "path": GENERATE,
            "status": 200,
            "body_bytes": len(body),
            "body_sha256": hashlib.sha256(body).hexdigest(),
            "key_seen": True,
            "aborted": False,
            "usage": answer.json()["usageMetadata"],
            "json": {"contents": [{"parts": [{"text": "ä"}]}]},
        }
    ]


def test_the_last_usage_that_was_told_is_remembered_though_the_stream_was_cut(emulator: Emulator) -> None:
    with suppress(httpx.HTTPError):
        emulator.call(
            "streamGenerateContent", {"contents": [user("x" * 400)]}, fault={"kind": "cut", "after_chunks": 2}
        )

    (request,) = emulator.requests()
    assert 0 < request["usage"]["candidatesTokenCount"] < 100


def test_media_are_remembered_by_their_hash(emulator: Emulator) -> None:
    data = (MEDIA / "speech.wav").read_bytes()
    part: Json = {"inline_data": {"mime_type": "audio/wav", "data": base64.b64encode(data).decode()}}
    body = orjson.dumps({"contents": [user("Listen", part)]})

    emulator.http.post(GENERATE, content=body)

    (request,) = emulator.requests()
    seen = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert request["body_bytes"] == len(body)
    assert request["json"] == {"contents": [user("Listen", {"inline_data": {"mime_type": "audio/wav", "data": seen}})]}


def test_a_document_that_is_large_without_its_media_is_not_remembered(emulator: Emulator) -> None:
    emulator.generate("x" * 65_536)
    emulator.generate(as_inline(b"x" * 100_000, "text/plain"))

    large, small = emulator.requests()
    assert large["json"] is None
    assert small["json"] is not None


def test_bytes_that_are_uploaded_are_counted_call_by_call(emulator: Emulator) -> None:
    emulator.upload(b"abc")

    start, chunk = emulator.requests()
    assert (start["operation"], start["key_seen"]) == ("files.start", True)
    assert (chunk["operation"], chunk["key_seen"], chunk["body_bytes"]) == ("files.finalize", False, 3)


def test_the_last_200_calls_are_remembered(emulator: Emulator) -> None:
    for size in range(205):
        emulator.http.get("/v1beta/models", params={"pageSize": size})

    assert len(emulator.requests()) == 200
    assert emulator.state().counters() == {"models.list": 205}


def test_the_state_tells_files_sessions_and_counts(emulator: Emulator) -> None:
    url = emulator.open({"name": "half"}, size=5)
    emulator.upload(b"abc", file={"name": "whole"})
    emulator.http.get("/nowhere")

    state = emulator.state()

    (file,) = state.files()
    half, whole = state.sessions()
    assert (file["name"], file["sha256"]) == ("files/whole", hashlib.sha256(b"abc").hexdigest())
    assert str(half.pop("upload_id")) in url
    assert half == {"name": "files/half", "status": "active", "received": 0, "declared": 5}
    assert (whole["name"], whole["status"], whole["received"]) == ("files/whole", "final", 3)
    assert state.counters() == {"files.start": 2, "files.finalize": 1, "unknown": 1}
    assert (state.number("in_flight"), state.number("aborted")) == (0, 0)


def test_a_reset_forgets_everything(emulator: Emulator) -> None:
    emulator.upload(b"abc")
    url = emulator.open(size=5)
    emulator.plan({"operation": "*", "kind": "status", "code": 500})
    emulator.advance(1000)

    emulator.bare.post("/emulator/reset")

    state = emulator.state()
    assert (state.files(), state.sessions(), state.counters(), emulator.requests()) == ([], [], {}, [])
    assert emulator.generate("Hi").status_code == 200
    assert emulator.command(url, "query").status_code == 404


def test_the_emulators_own_calls_need_no_key_and_are_not_counted(emulator: Emulator) -> None:
    emulator.bare.get("/emulator/state")

    assert emulator.state().counters() == {}


def test_unknown_fields_are_refused_by_the_emulator(emulator: Emulator) -> None:
    assert error_of(emulator.bare.get("/emulator/secrets"))[0] == 404
    assert error_of(emulator.bare.post("/emulator/clock", json={"forward": 1}))[0] == 400
    assert error_of(emulator.bare.post("/emulator/clock", json={"advance_s": -1}))[0] == 400


def test_no_key_is_remembered(emulator: Emulator) -> None:
    emulator.generate("Hi")
    emulator.bare.get("/v1beta/models", params={"key": KEY})

    assert KEY not in emulator.bare.get("/emulator/requests").text
