"""Whether an answer is JSON of the client's schema."""

import pytest

from app.api.conformance import Conformance

RECURSIVE = {"type": "array", "items": {"$ref": "#"}}


@pytest.mark.parametrize(("text", "parsed"), [("[[], []]", [[], []]), ("[1]", None), ("[[]", None), ("", None)])
def test_only_whole_and_conforming_json_is_parsed(text: str, parsed: object) -> None:
    assert Conformance(RECURSIVE).parsed(text) == parsed


@pytest.mark.parametrize("depth", [65, 260, 2_000])
def test_an_answer_nested_too_deep_to_be_written_again_is_not_parsed(depth: int) -> None:
    assert Conformance(RECURSIVE).parsed("[" * depth + "]" * depth) is None
