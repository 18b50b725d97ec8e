"""Long decode: one answer over several requests, joined by continuation tokens."""

import base64
from collections.abc import Iterator

import pytest
from google import genai
from google.genai import types

from emulator_tests.integration.calls import Emulator, Json, emulator_with, error_of, user
from gemini_emulator import EmulatorConfig

MODEL = "gemini-4-argon"
LONG = {"maxOutputTokens": 100_000}
HOP_TOKENS = 10


@pytest.fixture(scope="module")
def hopping() -> Iterator[Emulator]:
    with emulator_with(EmulatorConfig(hop_tokens=HOP_TOKENS)) as emulator:
        yield emulator


def ask(emulator: Emulator, token: str = "", *, config: Json = LONG, text: str = "Hi", model: str = MODEL) -> Json:
    body: Json = {"contents": [user(text)], "generationConfig": config}
    answer = emulator.call("generateContent", {**body, **({"continuationToken": token} if token else {})}, model=model)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def hops_of(emulator: Emulator, config: Json = LONG) -> list[Json]:
    hops = [ask(emulator, config=config)]
    while hops[-1]["candidates"][0]["finishReason"] == "CONTINUATION":
        hops.append(ask(emulator, hops[-1]["candidates"][0]["continuationToken"], config=config))
    return hops


def joined(hops: list[Json]) -> str:
    return "".join(hop["candidates"][0]["content"]["parts"][0]["text"] for hop in hops)


def test_hops_join_to_the_whole_answer(hopping: Emulator) -> None:
    hops = hops_of(hopping)

    whole = ask(hopping, config={})["candidates"][0]["content"]["parts"][0]["text"]
    assert joined(hops) == whole
    assert [hop["candidates"][0]["finishReason"] for hop in hops] == ["CONTINUATION"] * (len(hops) - 1) + ["STOP"]
    assert "continuationToken" not in hops[-1]["candidates"][0]


def test_each_hop_reads_the_prompt_and_all_output_again(hopping: Emulator) -> None:
    counts = [hop["usageMetadata"]["promptTokenCount"] for hop in hops_of(hopping)]

    assert counts == [1 + HOP_TOKENS * number for number in range(len(counts))]


def test_a_token_is_taken_in_either_alphabet(hopping: Emulator) -> None:
    first = ask(hopping, config=LONG)["candidates"][0]["continuationToken"]
    url_safe = base64.urlsafe_b64encode(base64.b64decode(first)).decode().rstrip("=")

    assert ask(hopping, url_safe).keys() >= {"candidates"}


@pytest.mark.parametrize("more", [{"text": "Other"}, {"config": {**LONG, "seed": 7}}])
def test_a_token_continues_its_own_request_only(hopping: Emulator, more: Json) -> None:
    token = ask(hopping)["candidates"][0]["continuationToken"]
    body: Json = {
        "contents": [user(str(more.get("text", "Hi")))],
        "generationConfig": more.get("config", LONG),
        "continuationToken": token,
    }

    assert error_of(hopping.call("generateContent", body, model=MODEL))[0] == 400


def test_a_hop_in_one_piece_has_at_most_32768_tokens(emulator: Emulator) -> None:
    emulator.plan({"operation": "generateContent", "kind": "answer", "text": "x" * 150_000, "count": 1})

    hop = ask(emulator)["candidates"][0]

    assert hop["finishReason"] == "CONTINUATION"
    assert len(hop["content"]["parts"][0]["text"]) == 4 * 32_768


def test_a_spent_budget_has_a_token_that_a_raised_budget_continues(emulator: Emulator) -> None:
    body: Json = {"contents": [user("Hi")], "generationConfig": {"maxOutputTokens": 65_537}}
    told: Json = {"operation": "generateContent", "kind": "answer", "text": "short"}
    emulator.plan(told)
    emulator.plan({"operation": "generateContent", "kind": "finish", "reason": "MAX_TOKENS", "chars": 2})

    spent = emulator.call("generateContent", body, model=MODEL).json()["candidates"][0]
    emulator.plan(told)
    raised: Json = {**body, "generationConfig": {"maxOutputTokens": 70_000}}
    raised["continuationToken"] = spent["continuationToken"]
    rest = emulator.call("generateContent", raised, model=MODEL).json()["candidates"][0]

    assert (spent["content"]["parts"], spent["finishReason"]) == ([{"text": "sh"}], "MAX_TOKENS")
    assert (rest["content"]["parts"], rest["finishReason"]) == ([{"text": "ort"}], "STOP")


def test_chunks_of_a_stream_carry_checkpoints(hopping: Emulator) -> None:
    body: Json = {"contents": [user("x" * 400)], "generationConfig": LONG}
    large = EmulatorConfig(hop_tokens=50)
    with emulator_with(large) as emulator:
        chunks = emulator.call("streamGenerateContent", body, model=MODEL).json()
        checkpoint = chunks[0]["candidates"][0]["continuationToken"]
        resumed = emulator.call("generateContent", {**body, "continuationToken": checkpoint}, model=MODEL).json()

    first, *others = ["".join(part["text"] for part in one["candidates"][0]["content"]["parts"]) for one in chunks]
    assert resumed["candidates"][0]["content"]["parts"][0]["text"].startswith("".join(others))
    assert chunks[-1]["candidates"][0]["finishReason"] == "CONTINUATION"
    assert first


@pytest.mark.parametrize(("model", "config"), [(MODEL, {"maxOutputTokens": 65_536}), ("gemini-3.8-flash", LONG)])
def test_an_ordinary_limit_and_an_older_model_give_one_answer(hopping: Emulator, model: str, config: Json) -> None:
    assert ask(hopping, model=model, config=config)["candidates"][0]["finishReason"] == "STOP"


def test_an_older_model_refuses_a_token(hopping: Emulator) -> None:
    body: Json = {"contents": [user("Hi")], "continuationToken": "YWJj"}

    assert error_of(hopping.call("generateContent", body))[0] == 400


def test_googles_sdk_follows_the_tokens_by_itself(hopping: Emulator) -> None:
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=hopping.base_url))

    answer = client.models.generate_content(
        model=MODEL, contents="Hi", config=types.GenerateContentConfig(max_output_tokens=100_000)
    )

    assert answer.text == ask(hopping, config={})["candidates"][0]["content"]["parts"][0]["text"]
