import json

import httpx

from emulator_tests.integration.calls import MODEL, Emulator, Json, emulator_with, error_of, user
from gemini_emulator import EmulatorConfig

SSE = "streamGenerateContent?alt=sse"
ARRAY = "streamGenerateContent"
PROMPT = "A question of some length, so that the answer comes in several chunks."


def ask(
    emulator: Emulator, verb: str = SSE, *, config: Json | None = None, fault: Json | None = None
) -> httpx.Response:
    return emulator.call(verb, {"contents": [user(PROMPT)], "generationConfig": config}, fault=fault)


def events(answer: httpx.Response) -> list[Json]:
    frames = answer.content.split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]


def texts(chunks: list[Json]) -> list[str]:
    return [
        "".join(part["text"] for part in candidate["content"].get("parts", []))
        for chunk in chunks
        for candidate in chunk["candidates"]
    ]


def test_events_are_framed_as_the_sdks_want_them(emulator: Emulator) -> None:
    answer = ask(emulator)

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert len(events(answer)) > 2


def test_the_chunks_together_are_the_whole_answer(emulator: Emulator) -> None:
    whole = emulator.generate(PROMPT).json()

    chunks = events(ask(emulator))

    assert "".join(texts(chunks)) == whole["candidates"][0]["content"]["parts"][0]["text"]
    assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]


def test_every_chunk_repeats_the_model_and_only_the_last_has_a_finish_reason(emulator: Emulator) -> None:
    chunks = events(ask(emulator))

    assert {chunk["modelVersion"] for chunk in chunks} == {MODEL}
    assert len({chunk["responseId"] for chunk in chunks}) == 1
    reasons = [chunk["candidates"][0].get("finishReason") for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["STOP"]


def test_usage_grows_from_chunk_to_chunk(emulator: Emulator) -> None:
    chunks = events(ask(emulator))

    totals = [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks]
    assert totals == sorted(set(totals))


def test_thoughts_come_in_the_first_chunk(emulator: Emulator) -> None:
    first, second, *_ = events(ask(emulator, config={"thinkingConfig": {"includeThoughts": True}}))

    assert first["candidates"][0]["content"]["parts"][0]["thought"] is True
    assert "thought" not in second["candidates"][0]["content"]["parts"][0]


def test_an_answer_without_a_word_is_one_chunk(emulator: Emulator) -> None:
    (chunk,) = events(ask(emulator, config={"stopSequences": ["T"]}))

    assert chunk["candidates"] == [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}]


def test_without_sse_the_chunks_are_one_json_array(emulator: Emulator) -> None:
    answer = ask(emulator, ARRAY)

    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert texts(answer.json()) == texts(events(ask(emulator)))


def test_an_error_before_the_first_chunk_keeps_the_clothes_of_the_stream(emulator: Emulator) -> None:
    body: Json = {"contents": [user("Hi")]}

    sse = emulator.call(SSE, body, model="gemini-2.0-flash")
    array = emulator.call(ARRAY, body, model="gemini-2.0-flash")

    assert sse.headers["content-type"] == "text/event-stream"
    assert error_of(sse)[:2] == (404, "NOT_FOUND")
    assert array.headers["content-type"] == "application/json; charset=UTF-8"
    assert array.status_code == 404
    assert array.json()[0]["error"]["status"] == "NOT_FOUND"


def test_a_pause_between_chunks_can_be_set() -> None:
    with emulator_with(EmulatorConfig(stream_chunk_delay_s=600)) as emulator:
        url = f"/v1beta/models/{MODEL}:{SSE}"
        with emulator.http.stream("POST", url, json={"contents": [user(PROMPT)]}) as answer:
            lines = answer.iter_lines()
            first = next(lines)

        emulator.wait_until_in_flight(0)
        assert first.startswith("data: ")
        assert emulator.state().number("aborted") == 1


def test_a_client_that_leaves_stops_the_answer_and_is_remembered(emulator: Emulator) -> None:
    headers = {"X-Emulator-Fault": json.dumps({"kind": "drip", "delay_s": 600})}
    body = {"contents": [user(PROMPT)]}

    with emulator.http.stream("POST", f"/v1beta/models/{MODEL}:{SSE}", json=body, headers=headers) as answer:
        lines = answer.iter_lines()
        next(lines)
        during = emulator.state().number("in_flight")
    emulator.wait_until_in_flight(0)

    assert during == 1
    assert emulator.state().number("aborted") == 1
    assert emulator.requests()[-1]["aborted"] is True


def test_an_error_in_mid_stream_is_a_frame_of_its_own(emulator: Emulator) -> None:
    fault: Json = {
        "kind": "stream_error",
        "after_chunks": 2,
        "code": 503,
        "message": "Too much.",
        "status": "UNAVAILABLE",
    }
    error = {"error": {"code": 503, "message": "Too much.", "status": "UNAVAILABLE"}}

    sse = ask(emulator, fault=fault)
    array = ask(emulator, ARRAY, fault=fault)

    assert sse.status_code == 200
    assert len(events(sse)) == 3
    assert events(sse)[-1] == error
    assert array.json()[-1] == error
    assert sse.content.endswith(b'data: {"error":{"code":503,"message":"Too much.","status":"UNAVAILABLE"}}\r\n\r\n')


def test_an_error_before_any_chunk_is_an_ordinary_one(emulator: Emulator) -> None:
    answer = ask(emulator, fault={"kind": "stream_error", "code": 500})

    assert error_of(answer)[:2] == (500, "INTERNAL")
