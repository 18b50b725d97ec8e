import pytest

from emulator_tests.integration.calls import Emulator, Json, as_inline, emulator_with, error_of, user
from gemini_emulator import EmulatorConfig

TURN = user("Hello")
SCHEMA: Json = {"type": "STRING"}


def violations(answer: Json) -> list[tuple[str, str]]:
    error = answer["error"]
    assert isinstance(error, dict)
    detail = error["details"][0]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    return [(item.get("field", ""), item["description"]) for item in detail["fieldViolations"]]


def test_an_unknown_name_is_refused_with_googles_words(emulator: Emulator) -> None:
    answer = emulator.call("generateContent", {"contents": [{**TURN, "x": 1}]})

    message = "Invalid JSON payload received. Unknown name \"x\" at 'contents[0]': Cannot find field."
    assert error_of(answer) == (400, "INVALID_ARGUMENT", message)
    assert violations(answer.json()) == [("contents[0]", message)]


def test_every_mistake_is_named_at_its_place(emulator: Emulator) -> None:
    body: Json = {
        "contents": [TURN, {"parts": [{"text": 5}]}],
        "generationConfig": {"maxOutputTokens": "many", "stopSequences": [1]},
        "nonsense": {},
    }

    answer = emulator.call("generateContent", body)

    assert [field for field, _ in violations(answer.json())] == [
        "contents[1].parts[0].text",
        "generation_config.max_output_tokens",
        "generation_config.stop_sequences[0]",
        "",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [TURN], "generationConfig": {"temperature": "warm"}},
        {"contents": [TURN], "generationConfig": {"topK": True}},
        {"contents": [TURN], "generationConfig": {"seed": 2**31}},
        {"contents": [TURN], "generationConfig": {"seed": 1.5}},
        {"contents": [TURN], "generationConfig": {"mediaResolution": "SHARP"}},
        {"contents": [TURN], "generationConfig": {"thinkingConfig": {"thinkingLevel": "DEEP"}}},
        {"contents": [TURN], "generationConfig": {"thinkingConfig": {"includeThoughts": "yes"}}},
        {"contents": [TURN], "generationConfig": [1]},
        {"contents": [TURN], "safetySettings": [{"category": "HARM_CATEGORY_HUMOUR"}]},
        {"contents": [TURN], "labels": {"a": 1}},
        {"contents": [TURN], "tools": [{"crystalBall": {}}]},
        {"contents": [user({"inlineData": {"mimeType": "image/png", "data": "%%%%"}})]},
        {"contents": [user({"inlineData": {"mimeType": "image/png", "data": 5}})]},
        {"contents": [user({"text": "a", "inlineData": {"mimeType": "image/png", "data": "YQ=="}})]},
        {"contents": [user({**as_inline(b"a", "video/mp4"), "videoMetadata": {"startOffset": "1:30"}})]},
        {"contents": [TURN], "systemInstruction": TURN, "system_instruction": TURN},
    ],
)
def test_an_unknown_proto_field_is_refused_with_a_violation(emulator: Emulator, body: Json) -> None:
    answer = emulator.call("generateContent", body)

    assert answer.status_code == 400
    assert len(violations(answer.json())) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contents": []},
        {"contents": [{"role": "user", "parts": []}]},
        {"contents": [{"role": "user", "parts": [{"thought": True}]}]},
        {"contents": [{"role": "robot", "parts": [{"text": "a"}]}]},
        {"contents": [TURN], "cachedContent": "cachedContents/abc"},
        {"contents": [TURN], "generationConfig": {"temperature": 2.1}},
        {"contents": [TURN], "generationConfig": {"topP": 1.1}},
        {"contents": [TURN], "generationConfig": {"maxOutputTokens": 0}},
        {"contents": [TURN], "generationConfig": {"candidateCount": 2}},
        {"contents": [TURN], "generationConfig": {"stopSequences": ["a", "b", "c", "d", "e", "f"]}},
        {"contents": [TURN], "generationConfig": {"responseMimeType": "text/html"}},
        {"contents": [TURN], "generationConfig": {"responseSchema": SCHEMA}},
        {"contents": [TURN], "generationConfig": {"responseJsonSchema": {"type": "string"}}},
        {
            "contents": [TURN],
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": SCHEMA,
                "responseJsonSchema": {"type": "string"},
            },
        },
        {
            "contents": [TURN],
            "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": "string"},
        },
        {
            "contents": [TURN],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 5, "thinkingLevel": "LOW"}},
        },
        {"contents": [user(as_inline(b"", "image/png"))]},
        {"contents": [user({**as_inline(b"a", "video/mp4"), "videoMetadata": {"fps": 25}})]},
        {"contents": [user({**as_inline(b"a", "video/mp4"), "videoMetadata": {"fps": 0}})]},
        {
            "contents": [
                user({**as_inline(b"a", "video/mp4"), "videoMetadata": {"startOffset": "2s", "endOffset": "1s"}})
            ]
        },
        {"contents": [user({"fileData": {"fileUri": "gs://bucket/object", "mimeType": "image/png"}})]},
        {"contents": [user({"fileData": {"fileUri": "http://example.com/a.png", "mimeType": "image/png"}})]},
    ],
)
def test_options_that_gemini_lacks_are_refused(emulator: Emulator, body: Json) -> None:
    assert emulator.call("generateContent", body).status_code in {400, 403}


@pytest.mark.parametrize("mime_type", ["application/zip", "application/octet-stream", "image/svg+xml", "video/ogg", ""])
def test_an_unsupported_type_is_named(emulator: Emulator, mime_type: str) -> None:
    answer = emulator.generate(as_inline(b"abc", mime_type))

    assert error_of(answer) == (400, "INVALID_ARGUMENT", f"Unsupported MIME type: {mime_type}")


@pytest.mark.parametrize(
    "mime_type", ["text/markdown", "application/json", "image/heic", "audio/aac", "TEXT/PLAIN; a=b"]
)
def test_supported_types_are_taken(emulator: Emulator, mime_type: str) -> None:
    assert emulator.generate(as_inline(b"abc", mime_type)).status_code == 200


@pytest.mark.parametrize("name", ["presencePenalty", "frequency_penalty"])
def test_penalties_are_refused_since_3_6(emulator: Emulator, name: str) -> None:
    newer = emulator.generate("Hi", config={name: 0.5}, model="gemini-3.6-flash")
    older = emulator.generate("Hi", config={name: 0.5}, model="gemini-3.5-flash")

    assert (newer.status_code, older.status_code) == (400, 200)


def test_a_last_turn_of_the_model_is_refused_since_3_6(emulator: Emulator) -> None:
    body: Json = {"contents": [TURN, {"role": "model", "parts": [{"text": "I"}]}]}

    newer = emulator.call("generateContent", body, model="gemini-3.8-flash")
    older = emulator.call("generateContent", body, model="gemini-3.5-flash")

    assert (newer.status_code, older.status_code) == (400, 200)


def test_null_is_as_good_as_nothing(emulator: Emulator) -> None:
    body: Json = {"contents": [TURN], "generationConfig": {"temperature": None}, "tools": None}

    assert emulator.call("generateContent", body).status_code == 200


@pytest.mark.parametrize("content", [b"{", b"\xff", b'"text"', b"[]", b'{"contents": ' + b"[" * 2000])
def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator, content: bytes) -> None:
    answer = emulator.http.post("/v1beta/models/gemini-3.8-flash:generateContent", content=content)

    code, status, message = error_of(answer)
    assert (code, status) == (400, "INVALID_ARGUMENT")
    assert message.startswith("Invalid JSON payload received.")


def test_a_schema_that_is_too_deep_is_refused(emulator: Emulator) -> None:
    schema: Json = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}

    answer = emulator.generate("?", config={"responseMimeType": "application/json", "responseSchema": schema})

    assert error_of(answer)[:2] == (400, "INVALID_ARGUMENT")


def test_a_body_over_the_limit_is_refused_whether_its_length_is_said_or_not() -> None:
    with emulator_with(EmulatorConfig(request_limit_bytes=1000)) as emulator:
        path = "/v1beta/models/gemini-3.8-flash:generateContent"
        fitting = b'{"contents": [{"parts": [{"text": "a"}]}]}'.ljust(1000)

        said = emulator.http.post(path, content=fitting + b" ")
        unsaid = emulator.http.post(path, content=iter([fitting, b" "]))
        allowed = emulator.http.post(path, content=fitting)

        message = "Request payload size exceeds the limit: 1000 bytes."
        assert error_of(said) == (413, "INVALID_ARGUMENT", message)
        assert error_of(unsaid) == (413, "INVALID_ARGUMENT", message)
        assert allowed.status_code == 200
