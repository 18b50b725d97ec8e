import math

import pytest

from emulator_tests.integration.calls import Emulator, Json, as_inline, error_of, media_part, user

EMBEDDER = "gemini-embedding-2"


def embed(emulator: Emulator, *texts: str, dimensions: int | None = None) -> list[list[float]]:
    requests = [
        {"model": f"models/{EMBEDDER}", "content": {"parts": [{"text": text}]}, "outputDimensionality": dimensions}
        for text in texts
    ]
    answer = emulator.call("batchEmbedContents", {"requests": requests}, model=EMBEDDER)
    assert answer.status_code == 200, answer.text
    return [embedding["values"] for embedding in answer.json()["embeddings"]]


def test_tokens_are_counted_in_both_forms_of_the_request(emulator: Emulator) -> None:
    contents = [user("12345678", media_part("shapes.png", "image/png"))]

    plain = emulator.call("countTokens", {"contents": contents})
    whole = emulator.call(
        "countTokens",
        {
            "generateContentRequest": {
                "model": "models/gemini-3.8-flash",
                "contents": contents,
                "systemInstruction": {"parts": [{"text": "1234"}]},
            }
        },
    )

    assert plain.json() == {
        "totalTokens": 1122,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 1120}],
    }
    assert whole.json()["totalTokens"] == 1123


def test_counting_needs_exactly_one_form(emulator: Emulator) -> None:
    contents = [user("Hi")]

    neither = emulator.call("countTokens", {})
    both = emulator.call("countTokens", {"contents": contents, "generateContentRequest": {"contents": contents}})

    assert error_of(neither)[:2] == (400, "INVALID_ARGUMENT")
    assert error_of(both)[:2] == (400, "INVALID_ARGUMENT")


def test_vectors_are_of_unit_length_and_the_same_for_the_same_text(emulator: Emulator) -> None:
    first, second, third = embed(emulator, "one", "two", "one")

    assert len(first) == 3072
    assert math.isclose(sum(value * value for value in first), 1.0)
    assert first == third
    assert first != second


@pytest.mark.parametrize("dimensions", [1, 768, 3072])
def test_vectors_have_the_dimensions_that_are_asked_for(emulator: Emulator, dimensions: int) -> None:
    assert [len(vector) for vector in embed(emulator, "one", dimensions=dimensions)] == [dimensions]


def test_a_single_content_gets_the_same_vector_as_in_a_batch(emulator: Emulator) -> None:
    answer = emulator.call("embedContent", {"content": {"parts": [{"text": "one"}]}}, model=EMBEDDER)

    assert answer.json() == {"embedding": {"values": embed(emulator, "one")[0]}}


def test_media_make_a_difference(emulator: Emulator) -> None:
    contents: list[Json] = [{"parts": [as_inline(data, "image/png")]} for data in (b"a", b"b")]

    first, second = (emulator.call("embedContent", {"content": content}, model=EMBEDDER) for content in contents)

    assert first.json() != second.json()


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("batchEmbedContents", {}),
        ("batchEmbedContents", {"requests": [{"content": {"parts": [{"text": "a"}]}}] * 101}),
        ("batchEmbedContents", {"requests": [{"content": {}}]}),
        ("embedContent", {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}),
        ("embedContent", {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3073}),
    ],
)
def test_media_that_cannot_be_embedded_are_refused(emulator: Emulator, verb: str, body: Json) -> None:
    assert error_of(emulator.call(verb, body, model=EMBEDDER))[:2] == (400, "INVALID_ARGUMENT")


def test_models_refuse_unsupported_methods(emulator: Emulator) -> None:
    generated = emulator.generate("Hi", model=EMBEDDER)
    embedded = emulator.call("embedContent", {"content": {"parts": [{"text": "a"}]}})

    assert error_of(generated)[:2] == (404, "NOT_FOUND")
    assert "not supported for embedContent" in error_of(embedded)[2]
