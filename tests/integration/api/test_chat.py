"""Conversations, token counts and models: the JSON side of the surface."""

import base64
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
