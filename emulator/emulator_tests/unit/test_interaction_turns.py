"""How the input of an interaction becomes turns."""

import pytest

from gemini_emulator.failures import ApiFailureError
from gemini_emulator.interactions.turns import steps_of, turns_of


def test_contents_that_follow_each_other_are_one_turn() -> None:
    given = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert turns_of(steps_of(given), []) == [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]


def test_steps_alternate_and_thoughts_are_left_out() -> None:
    given = [
        {"type": "user_input", "content": [{"type": "text", "text": "a"}]},
        {"type": "thought", "signature": "eA=="},
        {"type": "function_call", "id": "1", "name": "f", "arguments": {"x": 1}},
        {"type": "function_result", "call_id": "1", "result": "done"},
    ]

    assert turns_of(steps_of(given), []) == [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f", "args": {"x": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f", "response": {"result": "done"}}}]},
    ]


@pytest.mark.parametrize(
    "given",
    [
        None,
        [1],
        {"text": "no type"},
        {"type": "dream"},
        {"type": "image", "mime_type": "image/png"},
        {"type": "function_result", "call_id": "unknown", "result": "x"},
        {"type": "text", "text": "a", "colour": "red"},
    ],
)
def test_an_invalid_interaction_input_is_refused(given: object) -> None:
    with pytest.raises(ApiFailureError):
        turns_of(steps_of(given), [])
