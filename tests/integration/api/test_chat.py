"""Conversations, token counts and models: the JSON side of the surface."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway

PNG = media("shapes.png")[1]


def turn(*content: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(content)}


async def chat(gateway: Gateway, *messages: dict[str, Any], **options: Any) -> Any:
    return await gateway.client.post("/api/v1/chat", json={"messages": list(messages), **options})


async def test_a_conversation_goes_on(gateway: Gateway, emulator: Emulator) -> None:
    answer = await chat(
        gateway,
        turn({"text": "My name is Ada."}),
        turn({"text": "Hello Ada."}, role="assistant"),
        turn({"text": "Who am I?"}),
        temperature=0.5,
        model="gemini-3.5-flash",
        metadata={"a": 1},
    )

    assert "Who am I?" in answer.json()["text"]
    assert answer.json()["metadata"] == {"a": 1}
    sent = emulator.requests("generateContent")[-1]["json"]
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    assert sent["generationConfig"] == {"temperature": 0.5}


async def test_media_come_inside_by_id_and_by_url(gateway: Gateway, emulator: Emulator) -> None:
    kept = (await gateway.post_form("/api/v1/files", ("file", media("report.pdf")))).json()

    answer = await chat(
        gateway,
        turn(
            {"inline_data": base64.b64encode(PNG).decode(), "mime_type": "image/png"},
            {"file_id": kept["id"]},
            {"url": "https://www.youtube.com/watch?v=abc", "start": 5, "fps": 2},
        ),
    )

    assert answer.status_code == 200, answer.text
    files = answer.json()["files"]
    assert [file["delivery"] for file in files] == ["inline", "referenced", "referenced"]
    assert files[0]["size_bytes"] == len(PNG)
    assert f"sha256={files[0]['sha256']}" in answer.json()["text"]
    url = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][2]
    assert url == {
        "fileData": {"fileUri": "https://www.youtube.com/watch?v=abc"},
        "videoMetadata": {"startOffset": "5s", "fps": 2.0},
    }


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({}, "messages[0].content[0]"),
        ({"text": "a", "file_id": "b"}, "messages[0].content[0]"),
        ({"inline_data": "not base64!", "mime_type": "image/png"}, "messages[0].content[0].inline_data"),
        ({"url": "https://example.com/a.png", "mime_type": "image/png"}, "messages[0].content[0].url"),
        ({"url": "gs://bucket/a.png", "mime_type": "image/png"}, "messages[0].content[0].url"),
        ({"url": "https://generativelanguage.googleapis.com/v1beta/files/abc"}, "messages[0].content[0].url"),
        ({"txt": "a"}, "messages[0].content[0].txt"),
    ],
)
async def test_a_bad_part_is_named_by_its_path(gateway: Gateway, part: dict[str, Any], field: str) -> None:
    answer = await chat(gateway, turn(part))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_https_urls_are_a_setting_but_never_geminis_own_files(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, allow_https_urls=True) as gateway:
        allowed = [
            await chat(gateway, turn({"url": url, "mime_type": "image/png"}))
            for url in (
                "https://example.com/v1beta/files/a.png",
                "https://storage.googleapis.com/bucket/files/a.png",
                "https://firebasestorage.googleapis.com/v0/b/app/o/files%2Fa.png?alt=media&token=1-2",
            )
        ]
        foreign = await chat(gateway, turn({"url": "https://generativelanguage.googleapis.com/v1beta/files/abc"}))
        spelled = await chat(
            gateway,
            turn({"url": "https://GenerativeLanguage.googleapis.com./v1beta/files/abc", "mime_type": "image/png"}),
        )

    assert [answer.status_code for answer in allowed] == [200, 200, 200], allowed[-1].text
    assert foreign.status_code == 422
    assert spelled.status_code == 422


async def test_a_body_over_the_limit_is_refused_with_the_way_out(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=2_000) as gateway:
        answer = await chat(gateway, turn({"text": "x" * 3_000}))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert "/api/v1/files" in answer.json()["detail"]


async def test_the_content_of_a_message_may_be_a_text(gateway: Gateway, emulator: Emulator) -> None:
    answer = await chat(gateway, {"role": "user", "content": "Hello"})

    assert answer.status_code == 200, answer.text
    assert emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"] == [{"text": "Hello"}]


async def test_a_part_may_say_that_its_type_is_text(gateway: Gateway) -> None:
    answer = await chat(gateway, turn({"type": "text", "text": "Hello"}))

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "image", "file"])
async def test_parts_of_other_apis_are_refused_with_the_right_form(gateway: Gateway, kind: str) -> None:
    answer = await chat(gateway, turn({"type": kind, kind: {"url": "https://example.com/a.png"}}))

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "messages[0].content[0]")
    assert "inline_data" in error["message"]
    assert "file_id" in error["message"]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda data: base64.encodebytes(data).decode(), id="in lines"),
        pytest.param(lambda data: base64.urlsafe_b64encode(data).decode(), id="URL-safe"),
        pytest.param(lambda data: base64.b64encode(data).decode().rstrip("="), id="unpadded"),
        pytest.param(lambda data: "data:image/png;base64," + base64.b64encode(data).decode(), id="data URL"),
    ],
)
async def test_inline_data_is_base64_as_clients_write_it(gateway: Gateway, written: Callable[[bytes], str]) -> None:
    answer = await chat(gateway, turn({"inline_data": written(PNG)}, {"text": "Look"}))

    assert answer.status_code == 200, answer.text
    [file] = answer.json()["files"]
    assert (file["mime_type"], file["sha256"]) == ("image/png", hashlib.sha256(PNG).hexdigest())


@pytest.mark.parametrize("data", ["a", "a===a", "AA==AA", "data:text/plain,hello", "data:image/png;base64,%41", "ä"])
async def test_text_that_is_not_base64_is_refused(gateway: Gateway, data: str) -> None:
    answer = await chat(gateway, turn({"inline_data": data, "mime_type": "image/png"}))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "messages[0].content[0].inline_data")


async def test_a_first_message_of_the_role_system_is_the_system_instruction(
    gateway: Gateway, emulator: Emulator
) -> None:
    answer = await chat(gateway, {"role": "system", "content": "Answer in French."}, turn({"text": "Hello"}))

    assert answer.status_code == 200, answer.text
    sent = emulator.requests("generateContent")[-1]["json"]
    assert sent["systemInstruction"] == {"parts": [{"text": "Answer in French."}]}
    assert [content["role"] for content in sent["contents"]] == ["user"]


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([turn({"text": "Hello"}), turn({"text": "x"}, role="system")], {}),
        ([turn({"text": "x"}, role="system")], {}),
        ([turn({"text": "x"}, role="system"), turn({"text": "Hello"})], {"system_instruction": "y"}),
        ([turn({"url": "https://youtu.be/a"}, role="system"), turn({"text": "Hello"})], {}),
    ],
)
async def test_another_use_of_the_role_system_is_refused(
    gateway: Gateway, messages: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    answer = await chat(gateway, *messages, **options)

    assert answer.status_code == 422
    assert "system" in answer.json()["detail"]


async def test_the_place_of_a_wrong_part_counts_the_system_message(gateway: Gateway) -> None:
    answer = await chat(gateway, {"role": "system", "content": "x"}, turn({"inline_data": "?"}))

    assert answer.json()["errors"][0]["field"] == "messages[1].content[0].inline_data"


@pytest.mark.parametrize(
    ("body", "field", "message", "allowed"),
    [
        ({"system": "x"}, "system", "Did you mean 'system_instruction'?", "system_instruction"),
        ({"schema": {}}, "schema", "Did you mean 'response_schema'?", "response_schema"),
        ({"temprature": 1}, "temprature", "Did you mean 'temperature'?", "temperature"),
        ({"temperature": 3}, "temperature", "must be at most 2", "<= 2"),
        ({"temperature": "hot"}, "temperature", "must be a number", "a number"),
        ({"top_k": 1.5}, "top_k", "must be a whole number", "a whole number"),
        ({"thinking_level": "much"}, "thinking_level", "must be one of", "'minimal', 'low'"),
        ({"model": ""}, "model", "must have at least 1 character", "at least 1 character"),
        ({"stop": "x"}, "stop", "must be a list", "a list"),
        ({"messages": "x"}, "messages", "must be a list", "a list"),
        ({"messages": []}, "messages", "must have at least 1 item", "at least 1 item"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "is missing", None),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role", "must be one of", "'user'"),
        ({"messages": [turn({"txt": "x"})]}, "messages[0].content[0].txt", "Did you mean 'text'?", "text"),
    ],
)
async def test_errors_of_a_json_body_name_the_nearest_field_and_the_allowed_values(
    gateway: Gateway, body: dict[str, Any], field: str, message: str, allowed: str | None
) -> None:
    answer = await gateway.client.post("/api/v1/chat", json={"messages": [turn({"text": "Hello"})], **body})

    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["field"] == field
    assert message in error["message"]
    assert error["allowed"] is None if allowed is None else allowed in error["allowed"]


async def test_json_for_generate_is_sent_to_chat(gateway: Gateway) -> None:
    answer = await gateway.client.post("/api/v1/generate", json={"prompt": "Hello"})

    assert answer.status_code == 415
    assert "/api/v1/chat" in answer.json()["detail"]


async def test_upper_case_types_of_a_schema_are_asked_for_in_lower_case(gateway: Gateway) -> None:
    answer = await chat(gateway, turn({"text": "Hello"}), response_schema={"type": "OBJECT"})

    assert answer.status_code == 422
    assert "Write types in lower case: 'object', not 'OBJECT'" in answer.json()["detail"]


async def test_json_without_a_content_type_is_taken(gateway: Gateway) -> None:
    body = json.dumps({"messages": [turn({"text": "Hello"})]})

    answer = await gateway.client.post("/api/v1/chat", content=body)

    assert "content-type" not in answer.request.headers
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_only_json_is_taken(gateway: Gateway, kind: str) -> None:
    answer = await gateway.client.post("/api/v1/chat", content=b"{}", headers={"content-type": kind})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": []}', b'{"messages": [{"role": "x"}]}'])
async def test_broken_bodies_are_refused(gateway: Gateway, body: bytes) -> None:
    answer = await gateway.client.post("/api/v1/chat", content=body, headers={"content-type": "application/json"})

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_counting_tokens_uploads_no_file(gateway: Gateway, emulator: Emulator) -> None:
    answer = await gateway.post_form("/api/v1/count-tokens", ("prompt", "Hello"), ("file", media("shapes.png")))

    counted = answer.json()
    assert set(counted) == {"model", "total_tokens", "by_modality", "estimated_cost_usd"}
    assert counted["total_tokens"] == sum(counted["by_modality"].values())
    assert counted["by_modality"]["image"] > 0
    assert emulator.requests("files.start") == []


async def test_counting_tokens_refuses_media_over_the_inline_limit(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000) as gateway:
        answer = await gateway.post_form("/api/v1/count-tokens", ("prompt", "x"), ("file", media("shapes.jpg")))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert emulator.requests("files.start") == []


async def test_models_that_take_media_are_listed(gateway: Gateway) -> None:
    listed = (await gateway.client.get("/api/v1/models")).json()

    models = {model["id"]: model for model in listed["data"]}
    assert models["gemini-3.8-flash"]["is_default"] is True
    assert models["gemini-3.8-flash"]["input_token_limit"] == 1_048_576
    assert "gemini-2.0-flash" in models["gemini-3.5-flash-lite"]["aliases"]
    assert "gemini-embedding-2" not in models


async def test_a_model_is_found_by_name_and_alias(gateway: Gateway) -> None:
    found = [
        (await gateway.client.get(f"/api/v1/models/{name}")).json()["id"]
        for name in ("gemini-3.8-flash", "models/gemini-3.8-flash", "gemini-2.5-pro")
    ]

    assert found == ["gemini-3.8-flash"] * 3
    assert (await gateway.client.get("/api/v1/models/nope")).json()["code"] == "unknown-model"


async def test_models_page(gateway: Gateway) -> None:
    first = (await gateway.client.get("/api/v1/models?limit=3")).json()
    rest = (await gateway.client.get("/api/v1/models", params={"after": first["next"]})).json()
    whole = (await gateway.client.get("/api/v1/models")).json()

    assert first["data"] + rest["data"] == whole["data"]
