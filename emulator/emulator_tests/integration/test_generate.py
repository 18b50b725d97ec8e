import hashlib
import json

import pytest

from emulator_tests.integration.calls import (
    MEDIA,
    MODEL,
    Emulator,
    Json,
    as_inline,
    error_of,
    media_part,
    text_of,
    user,
)

FIRST_LINE = "This is the Gemini API emulator, not a model."
VIDEO = {"startOffset": "0.5s", "endOffset": "2s", "fps": 2}


def sha256_of(name: str) -> str:
    return hashlib.sha256((MEDIA / name).read_bytes()).hexdigest()


def test_a_text_is_repeated_below_a_line_that_names_the_emulator(emulator: Emulator) -> None:
    assert text_of(emulator.generate("Hello\nthere")) == f"{FIRST_LINE}\nprompt: Hello\nthere"


def test_the_answer_has_the_shape_of_the_reference(emulator: Emulator) -> None:
    answer = emulator.generate("Hi").json()

    text = f"{FIRST_LINE}\nprompt: Hi"
    assert answer.pop("turnToken") == f"turn-{answer.pop('responseId')}"
    assert answer == {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1,
            "candidatesTokenCount": 14,
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 14}],
            "totalTokenCount": 15,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}],
        },
        "modelVersion": MODEL,
    }


def test_each_medium_has_a_line_in_the_order_of_the_prompt(emulator: Emulator) -> None:
    file = emulator.upload((MEDIA / "report.pdf").read_bytes(), "application/pdf", {"name": "report"})

    answer = emulator.generate(
        {"fileData": {"fileUri": file["uri"], "mimeType": "application/pdf"}},
        "Before",
        media_part("shapes.png", "image/png"),
        "after",
    )

    assert text_of(answer).splitlines() == [
        FIRST_LINE,
        "prompt: Before",
        "after",
        f"part 1: application/pdf 2639 bytes sha256={sha256_of('report.pdf')} files/report: 3 pages: "
        '1 "Quarterly report Revenue rose to 1,250,000 euros. Costs fell to 830,000 euros."; '
        '2 "Outlook Two new products ship in March."; '
        '3 "Appendix Table 1: orders by month January 120 February 145 March 210"',
        f"part 3: image/png 2379 bytes sha256={sha256_of('shapes.png')} inline: 640x480, "
        "red rectangle [50,60,210,180], green ellipse [300,80,520,240], blue triangle [120,280,320,440]",
    ]


def test_sound_and_film_are_heard_and_seen(emulator: Emulator) -> None:
    answer = emulator.generate(media_part("speech.wav", "audio/wav"), media_part("scenes.mp4", "video/mp4"))

    sound, film = text_of(answer).splitlines()[-2:]
    assert sound.startswith(f"part 1: audio/wav 237008 bytes sha256={sha256_of('speech.wav')} inline: 7.41 s, silent")
    assert " inline: 6.00 s 320x240, red 0.00-3.00, blue 3.00-6.00, sound " in film


def test_offsets_rate_and_resolution_are_repeated(emulator: Emulator) -> None:
    film = {**media_part("scenes.mp4", "video/mp4"), "videoMetadata": VIDEO}
    picture = {**media_part("shapes.png", "image/png"), "mediaResolution": {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}}

    first, second = text_of(emulator.generate(film, picture)).splitlines()[-2:]

    assert " inline start=0.5 end=2 fps=2: 6.00 s" in first
    assert " inline resolution=MEDIA_RESOLUTION_ULTRA_HIGH: 640x480" in second


def test_both_cases_and_both_alphabets_are_read_at_every_level(emulator: Emulator) -> None:
    body: Json = {
        "contents": [{"parts": [{"inline_data": {"mime_type": "text/plain", "data": "__-_"}}]}],
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "generation_config": {"max_output_tokens": 1000, "thinking_config": {"include_thoughts": True}},
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    }

    answer = emulator.call("generateContent", body)

    expected = hashlib.sha256(bytes([0xFF, 0xFF, 0xBF])).hexdigest()
    assert "system instruction: Be brief." in text_of(answer)
    assert f"part 1: text/plain 3 bytes sha256={expected} inline: " in text_of(answer)
    assert answer.json()["usageMetadata"]["thoughtsTokenCount"] > 0


def test_earlier_turns_and_their_media_are_counted(emulator: Emulator) -> None:
    body: Json = {
        "contents": [
            user("One", media_part("shapes.png", "image/png")),
            {"role": "model", "parts": [{"text": "Two"}]},
            user("Three"),
        ]
    }

    text = text_of(emulator.call("generateContent", body))

    assert text.splitlines()[:3] == [FIRST_LINE, "earlier turns: 2", "prompt: Three"]
    assert text.splitlines()[3].startswith("part 2: image/png ")


def test_media_in_a_functions_response_are_seen_too(emulator: Emulator) -> None:
    response = {"name": "look", "response": {}, "parts": [media_part("shapes.png", "image/png")]}

    assert "part 2: image/png 2379 bytes" in text_of(emulator.generate("Use it", {"functionResponse": response}))


@pytest.mark.parametrize("uri", ["https://example.com/film.mp4", "https://www.youtube.com/watch?v=abc"])
def test_urls_are_described_as_not_fetched(emulator: Emulator, uri: str) -> None:
    answer = emulator.generate("What?", {"fileData": {"fileUri": uri, "mimeType": "video/mp4"}})

    assert text_of(answer).splitlines()[-1] == f"part 2: video/mp4 {uri}: not seen, the emulator fetches nothing"


def test_a_very_long_prompt_is_repeated_in_part(emulator: Emulator) -> None:
    text = text_of(emulator.generate("x" * 100_001, media_part("shapes.png", "image/png")))

    assert text.splitlines()[1] == "prompt: " + "x" * 100_000 + " ... (100001 characters)"
    assert text.splitlines()[2].startswith("part 2: image/png")


def test_the_same_request_gets_the_same_answer(emulator: Emulator) -> None:
    first, second = (text_of(emulator.generate("Hi", media_part("speech.mp3", "audio/mp3"))) for _ in range(2))

    assert first == second


def test_a_json_schema_is_met(emulator: Emulator) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 7}, "kind": {"enum": ["a", "b"]}},
        "required": ["n", "kind"],
    }

    answer = emulator.generate("?", config={"responseMimeType": "application/json", "responseJsonSchema": schema})

    value = json.loads(text_of(answer))
    assert value["n"] >= 7
    assert value["kind"] in {"a", "b"}


def test_an_openapi_schema_is_met_in_its_order(emulator: Emulator) -> None:
    schema = {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING"}, "b": {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "2"}},
        "propertyOrdering": ["b", "a"],
        "required": ["a", "b"],
    }

    answer = emulator.generate("?", config={"responseMimeType": "application/json", "responseSchema": schema})

    value = json.loads(text_of(answer))
    assert list(value) == ["b", "a"]
    assert len(value["b"]) >= 2


def test_an_enum_is_answered_bare(emulator: Emulator) -> None:
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["yes", "no"]}}

    assert text_of(emulator.generate("?", config=config)) in {"yes", "no"}


def test_json_without_a_schema_is_json(emulator: Emulator) -> None:
    answer = emulator.generate("?", config={"responseMimeType": "application/json"})

    assert json.loads(text_of(answer)) == {"answer": f"{FIRST_LINE}\nprompt: ?"}


def test_a_schema_that_cannot_be_met_is_refused(emulator: Emulator) -> None:
    config = {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "integer", "minimum": 2, "maximum": 1},
    }

    assert error_of(emulator.generate("?", config=config))[:2] == (400, "INVALID_ARGUMENT")


def test_the_answer_ends_where_the_tokens_end(emulator: Emulator) -> None:
    answer = emulator.generate("Hello", config={"maxOutputTokens": 3}).json()

    candidate = answer["candidates"][0]
    assert candidate["content"]["parts"][0]["text"] == FIRST_LINE[:12]
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert answer["usageMetadata"]["candidatesTokenCount"] == 3


def test_the_answer_ends_before_the_first_stop_sequence(emulator: Emulator) -> None:
    answer = emulator.generate("Hello", config={"stopSequences": ["prompt", "emulator", "zebra"]})

    assert text_of(answer) == "This is the Gemini API "
    assert answer.json()["candidates"][0]["finishReason"] == "STOP"


def test_thoughts_come_first_and_are_counted_apart(emulator: Emulator) -> None:
    answer = emulator.generate("Hello", config={"thinkingConfig": {"includeThoughts": True}}).json()

    thought, text = answer["candidates"][0]["content"]["parts"]
    usage = answer["usageMetadata"]
    assert thought["thought"] is True
    assert "thought" not in text
    assert usage["thoughtsTokenCount"] > 0
    assert usage["totalTokenCount"] == (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )


def test_media_are_counted_by_modality(emulator: Emulator) -> None:
    usage = emulator.generate(
        "Hello",
        media_part("shapes.png", "image/png"),
        media_part("speech.wav", "audio/wav"),
        media_part("report.pdf", "application/pdf"),
        model="gemini-2.5-flash",
    ).json()["usageMetadata"]

    counted = {detail["modality"]: detail["tokenCount"] for detail in usage["promptTokensDetails"]}
    assert counted["TEXT"] == 2
    assert counted["IMAGE"] == 258
    assert 236 <= counted["AUDIO"] <= 239
    assert counted["DOCUMENT"] == 3 * 258
    assert usage["promptTokenCount"] == sum(counted.values())


def test_a_low_resolution_costs_less(emulator: Emulator) -> None:
    picture = media_part("shapes.png", "image/png")

    high = emulator.generate(picture).json()["usageMetadata"]["promptTokenCount"]
    low = emulator.generate(picture, config={"mediaResolution": "MEDIA_RESOLUTION_LOW"}).json()

    assert (high, low["usageMetadata"]["promptTokenCount"]) == (1120, 280)


def test_bytes_that_cannot_be_decoded_are_said_to_be_unreadable(emulator: Emulator) -> None:
    assert text_of(emulator.generate(as_inline(b"nonsense", "image/png"))).endswith(" inline: unreadable")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_files_uri_is_taken_under_every_version(emulator: Emulator, version: str) -> None:
    name = emulator.upload(b"abc")["name"]
    uri = f"https://generativelanguage.googleapis.com/{version}/{name}"

    answer = emulator.http.post(
        f"/{version}/models/{MODEL}:generateContent", json={"contents": [user({"fileData": {"fileUri": uri}})]}
    )

    assert f"{name}: 3 characters" in text_of(answer)
