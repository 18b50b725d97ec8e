"""The main job: a prompt and any media in, an answer out."""

import hashlib

import httpx
import pytest

from tests.emulator_process import Emulator
from tests.gateway import GOOD_MEDIA, KEY, MEDIA, Gateway, media

IMAGE = ("file", media("shapes.png", "image/png"))


def digest(name: str) -> str:
    return hashlib.sha256((MEDIA / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", GOOD_MEDIA)
async def test_every_good_file_arrives_inline_byte_for_byte(gateway: Gateway, name: str) -> None:
    answer = (await gateway.generate(("prompt", "What is it?"), ("file", media(name)))).json()

    assert answer["files"][0]["delivery"] == "inline"
    assert answer["files"][0]["sha256"] == digest(name)
    assert f"sha256={digest(name)}" in answer["text"]


@pytest.mark.parametrize("name", GOOD_MEDIA)
async def test_every_good_file_arrives_streamed_byte_for_byte(
    small_gateway: Gateway, emulator: Emulator, name: str
) -> None:
    answer = (await small_gateway.generate(("prompt", "What is it?"), ("file", media(name)))).json()

    if (MEDIA / name).stat().st_size > 1_000:
        assert answer["files"][0]["delivery"] == "uploaded"
    assert answer["files"][0]["sha256"] == digest(name)
    assert f"sha256={digest(name)}" in answer["text"]


async def test_the_order_of_the_parts_is_the_order_of_the_prompt(gateway: Gateway, emulator: Emulator) -> None:
    await gateway.generate(("prompt", "first"), IMAGE, ("prompt", "second"), ("file", media("report.pdf")))

    parts = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"]
    kinds = [part.get("text") or part["inlineData"]["mimeType"] for part in parts]
    assert kinds == ["first", "image/png", "second", "application/pdf"]


async def test_the_answer_has_every_field_of_the_contract(gateway: Gateway) -> None:
    answer = (await gateway.generate(("prompt", "Hello"), IMAGE, ("metadata", '{"trace": 7}'))).json()

    assert set(answer) == {
        "id",
        "created_at",
        "model",
        "requested_model",
        "text",
        "parsed",
        "finish_reason",
        "block_reason",
        "finish_message",
        "thoughts",
        "warnings",
        "usage",
        "files",
        "metadata",
    }
    assert answer["finish_reason"] == "stop"
    assert answer["metadata"] == {"trace": 7}
    assert answer["usage"]["input_by_modality"]["image"] > 0
    assert answer["usage"]["total_tokens"] > 0
    assert answer["usage"]["estimated_cost_usd"] > 0
    assert "Hello" in answer["text"]


async def test_emulated_answers_say_so(gateway: Gateway) -> None:
    answer = await gateway.generate(("prompt", "Hello"))

    assert answer.headers["x-gateway-emulator"] == "1"


async def test_options_reach_gemini_under_its_names(gateway: Gateway, emulator: Emulator) -> None:
    await gateway.generate(
        ("model", "gemini-3.5-flash"),
        ("system_instruction", "Be brief."),
        ("temperature", "0.5"),
        ("top_p", "0.9"),
        ("top_k", "5"),
        ("max_output_tokens", "1000"),
        ("stop", "END, or so"),
        ("stop", "STOP"),
        ("seed", "7"),
        ("thinking_level", "low"),
        ("include_thoughts", "True"),
        ("safety", "off"),
        ("prompt", "Hello"),
        ("media_resolution", "low"),
    )

    request = emulator.requests("generateContent")[-1]
    assert "gemini-3.5-flash:" in request["path"]
    assert request["json"]["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert request["json"]["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 5,
        "maxOutputTokens": 1000,
        "stopSequences": ["END, or so", "STOP"],
        "seed": 7,
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    assert {setting["threshold"] for setting in request["json"]["safetySettings"]} == {"OFF"}


async def test_only_options_set_by_the_client_are_sent(gateway: Gateway, emulator: Emulator) -> None:
    await gateway.generate(("prompt", "Hello"))

    assert set(emulator.requests("generateContent")[-1]["json"]) == {"contents"}


async def test_thoughts_come_apart_from_the_text(gateway: Gateway) -> None:
    answer = (await gateway.generate(("prompt", "Hello"), ("include_thoughts", "yes"))).json()

    assert answer["thoughts"]
    assert answer["thoughts"] not in answer["text"]
    assert answer["usage"]["thinking_tokens"] > 0


async def test_fields_of_a_file_hold_for_the_file_that_follows(gateway: Gateway, emulator: Emulator) -> None:
    await gateway.generate(
        ("prompt", "When?"),
        ("start", "0:01"),
        ("end", "2.5"),
        ("fps", "5"),
        ("media_resolution", "ultra_high"),
        ("file", media("scenes.mp4")),
        IMAGE,
    )

    video, image = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][1:]
    assert video["videoMetadata"] == {"startOffset": "1s", "endOffset": "2.5s", "fps": 5.0}
    assert video["mediaResolution"] == {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}
    assert "videoMetadata" not in image


async def test_contents_gives_the_order_of_unordered_parts(gateway: Gateway, emulator: Emulator) -> None:
    kept = (await gateway.post_form("/api/v1/files", ("file", media("report.pdf")))).json()
    contents = f'[{{"text": "Before:"}}, {{"file": 1}}, {{"file_id": "{kept["id"]}"}}, {{"file": 0, "start": 1}}]'

    for order in (0, 1):
        parts = [("contents", contents), ("file", media("speech.mp3")), IMAGE]
        shuffled = parts if order == 0 else [*parts[1:], parts[0]]
        answer = await gateway.generate(*shuffled)
        assert answer.status_code == 200, answer.text

    for request in emulator.requests("generateContent")[-2:]:
        text, image, pdf, sound = request["json"]["contents"][0]["parts"]
        assert text == {"text": "Before:"}
        assert image["inlineData"]["mimeType"] == "image/png"
        assert pdf["fileData"]["mimeType"] == "application/pdf"
        assert sound["videoMetadata"] == {"startOffset": "1s"}


async def test_earlier_turns_precede_the_prompt(gateway: Gateway, emulator: Emulator) -> None:
    turns = '[{"role": "user", "content": [{"text": "1+1?"}]}, {"role": "assistant", "content": [{"text": "2"}]}]'

    await gateway.generate(("messages", turns), ("prompt", "and 2+2?"))

    contents = emulator.requests("generateContent")[-1]["json"]["contents"]
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]


async def test_an_answer_that_conforms_is_parsed(gateway: Gateway) -> None:
    schema = '{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}'

    answer = (await gateway.generate(("prompt", "A number"), ("response_schema", schema))).json()

    assert answer["parsed"]["n"] >= 3


async def test_an_answer_that_does_not_conform_is_not_parsed(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "answer", text='{"n": "three"}')
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}}'

    answer = (await gateway.generate(("prompt", "A number"), ("response_schema", schema))).json()

    assert answer["text"] == '{"n": "three"}'
    assert answer["parsed"] is None


async def test_an_answer_cut_off_is_200_with_its_reason(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=4)

    answer = await gateway.generate(("prompt", "Hello"))

    assert answer.status_code == 200
    assert answer.json()["finish_reason"] == "max_tokens"


async def test_a_refused_prompt_is_200_and_blocked(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "block", reason="PROHIBITED_CONTENT")

    answer = (await gateway.generate(("prompt", "Hello"))).json()

    assert (answer["finish_reason"], answer["block_reason"], answer["text"]) == ("blocked", "prohibited_content", "")


async def test_a_shut_down_model_is_replaced_by_its_alias(gateway: Gateway) -> None:
    answer = (await gateway.generate(("model", "models/gemini-2.0-flash"), ("prompt", "Hello"))).json()

    assert answer["model"] == "gemini-3.5-flash-lite"
    assert answer["requested_model"] == "models/gemini-2.0-flash"


async def test_parameters_that_a_model_ignores_are_warned_of(gateway: Gateway) -> None:
    answer = (await gateway.generate(("prompt", "Hello"), ("temperature", "0.1"))).json()

    assert [(w["code"], w["field"]) for w in answer["warnings"]] == [("ignored-parameter", "temperature")]


async def test_bytes_win_over_a_wrong_declaration_of_the_same_kind(gateway: Gateway) -> None:
    answer = (await gateway.generate(("file", ("a.jpg", media("shapes.png")[1], "image/jpg")))).json()

    assert answer["files"][0]["mime_type"] == "image/png"
    assert answer["files"][0]["declared_mime_type"] == "image/jpg"
    assert answer["warnings"][0]["code"] == "mime-type-mismatch"


async def test_accept_text_plain_returns_bare_text(gateway: Gateway) -> None:
    answer = await gateway.generate(("prompt", "Hello"), headers={"accept": "text/plain"})

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Hello" in answer.text


async def test_options_may_be_in_the_query(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.post_form(
        "/api/v1/generate?seed=5&model=gemini-3.5-flash&media_resolution=low", ("prompt", "Hello")
    )

    assert answer.status_code == 200, answer.text
    config = emulator.requests("generateContent")[-1]["json"]["generationConfig"]
    assert config == {"seed": 5, "mediaResolution": "MEDIA_RESOLUTION_LOW"}


async def test_empty_values_are_no_fields(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.generate(
        ("model", ""), ("prompt", ""), ("file_id", ""), ("seed", ""), ("file", ("", b"")), ("prompt", "Hello")
    )

    assert answer.status_code == 200, answer.text
    assert emulator.requests("generateContent")[-1]["json"] == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]
    }


async def test_unicode_and_line_ends_arrive_as_they_were_sent(gateway: Gateway, emulator: Emulator) -> None:
    text = 'Grüße\r\n\r\n"quoted" \\ \u2028 \N{PARTY POPPER} --end--\r\n'

    answer = await gateway.generate(("prompt", text), ("file", ('Übersicht 漢字 "x".pdf', media("report.pdf")[1])))

    assert emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][0]["text"] == text
    assert answer.json()["files"][0]["filename"] == 'Übersicht 漢字 "x".pdf'


async def test_the_key_goes_to_gemini_and_nowhere_else(gateway: Gateway, emulator: Emulator) -> None:
    answers: list[httpx.Response] = [
        await gateway.generate(("prompt", "Hello")),
        await gateway.client.get("/openapi.json"),
        await gateway.client.get("/docs"),
        await gateway.client.get("/readyz"),
        await gateway.generate(("prompt", "Hello"), ("model", "no-such-model")),
    ]

    assert emulator.requests("generateContent")[-1]["key_seen"] is True
    assert not any(KEY in answer.text or KEY in str(answer.headers) for answer in answers)
