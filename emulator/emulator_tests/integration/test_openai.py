"""OpenAI's path: Google's extras, several choices, embeddings of any size and encoding."""

import base64

import httpx
import numpy as np
import pytest

from emulator_tests.integration.calls import Emulator, Json


def chat(emulator: Emulator, **more: object) -> httpx.Response:
    body: Json = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}], **more}
    return emulator.http.post("/v1beta/openai/chat/completions", json=body)


def embed(emulator: Emulator, **more: object) -> httpx.Response:
    body: Json = {"model": "gemini-embedding-2", "input": "Hi", **more}
    return emulator.http.post("/v1beta/openai/embeddings", json=body)


def test_extra_body_switches_thoughts_on(emulator: Emulator) -> None:
    extra = {"google": {"thinking_config": {"include_thoughts": True, "thinking_level": "low"}}}

    plain, thinking = chat(emulator).json()["usage"], chat(emulator, extra_body=extra).json()["usage"]

    assert thinking["total_tokens"] > thinking["prompt_tokens"] + thinking["completion_tokens"]
    assert plain["total_tokens"] == plain["prompt_tokens"] + plain["completion_tokens"]


def test_extra_body_names_a_cache(emulator: Emulator) -> None:
    kept: Json = {"model": "models/gemini-3.8-flash", "contents": [{"role": "user", "parts": [{"text": "x" * 400}]}]}
    cache = emulator.http.post("/v1beta/cachedContents", json=kept).json()["name"]

    with_cache = chat(emulator, extra_body={"google": {"cached_content": cache}})
    missing = chat(emulator, extra_body={"google": {"cached_content": "cachedContents/nothing"}})

    assert with_cache.json()["usage"]["prompt_tokens"] > 100
    assert missing.status_code == 403


def test_n_gives_several_choices_of_an_older_model(emulator: Emulator) -> None:
    answer = chat(emulator, model="gemini-2.5-flash", n=2).json()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert chat(emulator, n=2).status_code == 400


@pytest.mark.parametrize("more", [{"reasoning_effort": "huge"}, {"n": 0}])
def test_options_out_of_range_are_refused(emulator: Emulator, more: Json) -> None:
    assert chat(emulator, **more).status_code == 400


def test_embeddings_have_the_dimensions_that_were_asked_for(emulator: Emulator) -> None:
    vector = embed(emulator, dimensions=768).json()["data"][0]["embedding"]

    assert len(vector) == 768
    assert embed(emulator, dimensions=0).status_code == 400


def test_embeddings_come_in_base64_on_request(emulator: Emulator) -> None:
    packed = embed(emulator, dimensions=8, encoding_format="base64").json()["data"][0]["embedding"]
    plain = embed(emulator, dimensions=8, encoding_format="float").json()["data"][0]["embedding"]

    assert np.allclose(np.frombuffer(base64.b64decode(packed), dtype="<f4"), plain)
    assert embed(emulator, encoding_format="hex").status_code == 400


def test_a_listed_model_is_found_with_its_slash_escaped(emulator: Emulator) -> None:
    answer = emulator.http.get("/v1beta/openai/models/models%2Fgemini-3.8-flash")

    assert answer.json()["id"] == "models/gemini-3.8-flash"
