"""Spellings that other clients use: numbered enums, parts without data, `$alt`, array streams, the download path."""

import json
from typing import Any

import pytest

from emulator_tests.integration.calls import MODEL, Emulator, Json, error_of, media_part, text_of, user

NUMBERED = {"$alt": "json;enum-encoding=int"}


@pytest.mark.parametrize("value", ["STATIC", "AGENTIC", 2])
def test_media_processing_is_an_enum(emulator: Emulator, value: object) -> None:
    picture = {**media_part("shapes.png", "image/png"), "mediaProcessing": value}

    assert "red rectangle" in text_of(emulator.generate("What?", picture))


def test_media_processing_refuses_an_object(emulator: Emulator) -> None:
    code, _, message = error_of(emulator.generate({"text": "Hi", "mediaProcessing": {"type": "static"}}))

    assert (code, "contents[0].parts[0].media_processing" in message) == (400, True)


@pytest.mark.parametrize("part", [{"thought": True}, {"thoughtSignature": "YWJj"}])
def test_a_model_part_may_hold_only_a_thought_or_its_signature(emulator: Emulator, part: Json) -> None:
    model = {"role": "model", "parts": [part, {"text": "b"}]}

    answer = emulator.call("generateContent", {"contents": [user("a"), model, user("c")]})

    assert "earlier turns: 2" in text_of(answer)


def test_a_user_part_needs_data_beside_a_signature(emulator: Emulator) -> None:
    assert error_of(emulator.generate({"thoughtSignature": "YWJj"}))[0] == 400


def test_enums_in_a_request_may_be_numbers(emulator: Emulator) -> None:
    body: Json = {
        "contents": [user("Hi")],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": 6, "properties": {"name": {"type": 1}}, "required": ["name"]},
            "responseModalities": [1],
        },
        "safetySettings": [{"category": 7, "threshold": 4}],
    }

    assert set(json.loads(text_of(emulator.call("generateContent", body)))) == {"name"}


def test_a_function_is_called_in_mode_any_as_a_number(emulator: Emulator) -> None:
    body: Json = {
        "contents": [user("Hi")],
        "tools": [{"functionDeclarations": [{"name": "look"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": 2}},
    }

    parts = emulator.call("generateContent", body).json()["candidates"][0]["content"]["parts"]

    assert parts[0]["functionCall"]["name"] == "look"


def test_a_number_without_a_name_is_no_enum_value(emulator: Emulator) -> None:
    assert error_of(emulator.generate("Hi", config={"responseModalities": [99]}))[0] == 400


@pytest.mark.parametrize("name", ["alt", "$alt"])
def test_enums_of_an_answer_are_numbers_on_request(emulator: Emulator, name: str) -> None:
    path = f"/v1beta/models/{MODEL}:generateContent"

    answer = emulator.http.post(path, json={"contents": [user("Hi")]}, params={name: NUMBERED["$alt"]}).json()

    assert answer["candidates"][0]["finishReason"] == 1
    assert answer["usageMetadata"]["promptTokensDetails"][0]["modality"] == 1


def test_a_stream_with_dollar_alt_is_server_sent_events(emulator: Emulator) -> None:
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"

    answer = emulator.http.post(path, json={"contents": [user("Hi")]}, params={"$alt": "sse"})

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.startswith("data: {")


def test_an_array_stream_ends_with_its_bracket(emulator: Emulator) -> None:
    answer = emulator.http.post(
        f"/v1beta/models/{MODEL}:streamGenerateContent", json={"contents": [user("Hi")]}, params=NUMBERED
    )

    assert answer.content.endswith(b"}]")
    assert answer.json()[-1]["candidates"][0]["finishReason"] == 1


def test_an_answer_counts_its_tokens_by_modality(emulator: Emulator) -> None:
    usage = emulator.generate("Hi").json()["usageMetadata"]

    assert usage["candidatesTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["candidatesTokenCount"]}]


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent"])
def test_an_answer_can_lack_a_finish_reason(emulator: Emulator, verb: str) -> None:
    emulator.plan({"operation": verb, "kind": "finish", "reason": ""})

    answer: Any = emulator.call(verb, {"contents": [user("Hi")]}).json()

    last = answer[-1] if isinstance(answer, list) else answer
    assert "finishReason" not in last["candidates"][0]
    assert last["usageMetadata"]["candidatesTokenCount"] > 0


def test_older_models_give_several_candidates(emulator: Emulator) -> None:
    answer = emulator.generate("Hi", config={"candidateCount": 2}, model="gemini-2.5-flash").json()

    assert [candidate["index"] for candidate in answer["candidates"]] == [0, 1]
    single = emulator.generate("Hi", model="gemini-2.5-flash").json()["usageMetadata"]["candidatesTokenCount"]
    assert answer["usageMetadata"]["candidatesTokenCount"] == 2 * single


@pytest.mark.parametrize(
    "config",
    [
        {"candidateCount": 0},
        {"candidateCount": 2},
        {"logprobs": 2},
        {"speechConfig": {"voiceConfig": {}, "multiSpeakerVoiceConfig": {}}},
        {
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["a"]}},
        },
    ],
)
def test_options_that_gemini_refuses_are_refused(emulator: Emulator, config: Json) -> None:
    assert error_of(emulator.generate("Hi", config=config))[0] == 400


@pytest.mark.parametrize("path", ["/v1beta/models/x", "/v1beta/tunedModels"])
def test_a_method_that_models_lack_is_not_found(emulator: Emulator, path: str) -> None:
    assert error_of(emulator.http.patch(path, json={}))[:2] == (404, "NOT_FOUND")


def test_results_of_a_batch_are_at_the_download_path_too(emulator: Emulator) -> None:
    line = json.dumps({"key": "a", "request": {"contents": [user("Hi")]}}).encode()
    file = emulator.upload(line, "application/jsonl")
    body: Json = {"batch": {"displayName": "b", "inputConfig": {"fileName": file["name"]}}}
    batch = emulator.call("batchGenerateContent", body).json()["name"]
    emulator.advance(60)
    results = emulator.http.get(f"/v1beta/{batch}").json()["response"]["responsesFile"]

    straight = emulator.http.get(f"/v1beta/{results}:download", params={"alt": "media"})
    documented = emulator.http.get(f"/download/v1beta/{results}:download", params={"alt": "media"})

    assert json.loads(documented.content)["key"] == "a"
    assert documented.content == straight.content
