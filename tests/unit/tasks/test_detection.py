"""Detection: the question, and the reading of each possible answer of a model."""

import json

import pytest
from hypothesis import given

from app.tasks.boxes import PixelRectangle
from app.tasks.detections.question import MAX_LABEL_CHARS, MAX_OBJECTS, Detections, FoundObject, question, read
from app.tasks.lenient_json import UnreadableAnswerError
from tests.unit.tasks.answers import answers

CAR = {"box_2d": [125, 250, 500, 750], "label": "car"}
FOUND_CAR = FoundObject("car", PixelRectangle(x_min=250, y_min=100, x_max=750, y_max=400), (125, 250, 500, 750))


def found(value: object, *labels: str) -> Detections:
    return read(json.dumps(value), width=1000, height=800, labels=labels)


def said(label: object, *labels: str) -> list[str]:
    return [one.label for one in found([{**CAR, "label": label}], *labels).objects]


def test_without_labels_all_prominent_objects_are_requested() -> None:
    asked = question(labels=(), prompt=None, language=None)

    assert "prominent objects" in asked.instruction
    assert "[ymin, xmin, ymax, xmax]" in asked.instruction
    assert asked.schema == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "box_2d": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": 1000},
                    "minItems": 4,
                    "maxItems": 4,
                    "description": "ymin, xmin, ymax, xmax",
                },
                "label": {"type": "string"},
            },
            "required": ["box_2d", "label"],
        },
    }


def test_with_labels_only_these_are_asked_for() -> None:
    asked = question(labels=("car", "traffic\nlight"), prompt=None, language="French")

    assert "- car\n- traffic light\n" in asked.instruction
    assert "French" not in asked.instruction
    assert '"enum": ["car", "traffic\\nlight"]' in json.dumps(asked.schema)


def test_the_instruction_has_the_language_and_the_clients_prompt() -> None:
    asked = question(labels=(), prompt="ignore the shop window", language="Deutsch")

    assert "Write the labels in this language: Deutsch." in asked.instruction
    assert asked.instruction.endswith("Additional instructions: ignore the shop window")


@pytest.mark.parametrize("value", [[CAR], {"objects": [CAR]}, {"detections": [CAR]}, CAR, {"objects": CAR}])
def test_an_object_is_found_in_each_shape_of_an_answer(value: object) -> None:
    assert found(value) == Detections((FOUND_CAR,), 0, is_whole=True, warnings=())


@pytest.mark.parametrize("value", [[], {}, {"objects": []}, {"detections": []}])
def test_an_empty_list_of_objects_is_an_answer(value: object) -> None:
    assert found(value) == Detections((), 0, is_whole=True, warnings=())


@pytest.mark.parametrize("value", [{"answer": 3}, [1, 2, 3], [{"text": "a car"}], {"objects": 3}, {"cars": ["red"]}])
def test_json_without_any_objects_cannot_be_understood(value: object) -> None:
    with pytest.raises(UnreadableAnswerError):
        found(value)


@pytest.mark.parametrize("text", ["", "I see a car.", "null"])
def test_an_answer_without_json_cannot_be_understood(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(text, width=10, height=10, labels=())


def test_of_a_cut_answer_the_whole_objects_are_kept() -> None:
    text = json.dumps([CAR, CAR])[:-5]

    assert read(text, width=1000, height=800, labels=()) == Detections((FOUND_CAR,), 0, is_whole=False, warnings=())


@pytest.mark.parametrize(
    "text", ["[", '[{"box_2d": [1', '[{"box_2d": [1, 2, 3, 4], "lab', '{"objects": [{"box_2d": [1, 2, 3, 4]']
)
def test_an_answer_cut_within_its_first_object_has_no_objects(text: str) -> None:
    assert read(text, width=1000, height=800, labels=()) == Detections((), 0, is_whole=False, warnings=())


@pytest.mark.parametrize("box", [None, "big", [1, 2, 3], [500, 0, 400, 10], [0, 0, 0, 0], [2000, 2000, 3000, 3000]])
def test_an_object_without_a_usable_box_is_dropped_and_counted(box: object) -> None:
    assert found([CAR, {"box_2d": box, "label": "car"}, {"label": "car"}]) == Detections(
        (FOUND_CAR,), 2, is_whole=True, warnings=()
    )


def test_a_box_may_be_called_box() -> None:
    assert found([{"box": CAR["box_2d"], "label": "car"}]).objects == (FOUND_CAR,)


def test_labels_keep_the_clients_spelling() -> None:
    assert said(" TRAFFIC  light ", "Car", "Traffic Light") == ["Traffic Light"]


def test_unwanted_labels_are_dropped_and_counted() -> None:
    answer = found([CAR, {**CAR, "label": "cart"}, {**CAR, "label": 7}], "car", "bus")

    assert (answer.objects, answer.dropped_count) == ((FOUND_CAR,), 2)


@pytest.mark.parametrize("label", [None, 3, "", "\x00 ", ["car"]])
def test_a_missing_label_becomes_the_only_wanted_label_or_object(label: object) -> None:
    assert said(label, "car") == ["car"]
    assert said(label) == ["object"]
    assert said(label, "car", "bus") == []


@pytest.mark.parametrize(("asked", "answered"), [("cafe\u0301", "caf\u00e9"), ("caf\u00e9", "CAFE\u0301")])
def test_an_accent_may_be_a_sign_of_its_own(asked: str, answered: str) -> None:
    assert said(answered, asked) == [asked]


def test_a_label_is_one_line_of_bounded_length() -> None:
    assert said("red\ncar\x00") == ["red car"]
    assert said("x" * 100_000) == ["x" * MAX_LABEL_CHARS]


def test_at_most_1000_objects_are_kept_and_a_warning_counts_the_rest() -> None:
    answer = found([CAR] * (MAX_OBJECTS + 3))

    assert len(answer.objects) == MAX_OBJECTS
    assert not answer.is_whole
    assert [(one.code, one.detail) for one in answer.warnings] == [
        ("too-many-objects", "Objects left out because at most 1000 are kept: 3.")
    ]


@given(answers("objects", ["box_2d", "box", "label"]))
def test_any_answer_is_a_list_of_objects_or_unreadable(text: str) -> None:
    try:
        answer = read(text, width=640, height=480, labels=())
    except UnreadableAnswerError:
        return
    for one in answer.objects:
        assert 0 <= one.box.x_min < one.box.x_max <= 640
        assert 0 <= one.box.y_min < one.box.y_max <= 480
        assert all(0 <= edge <= 1000 for edge in one.box_2d)
        assert one.label
