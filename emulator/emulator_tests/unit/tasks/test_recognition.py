import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator_tests.unit.tasks.asking import (
    BOX,
    CAPTION,
    COMPARISON,
    DETECTION,
    PAGES,
    SCENES,
    SEGMENTATION,
    TEXT,
    TRANSCRIPTION,
    Json,
    ask,
    file_part,
    list_of,
    object_of,
)
from gemini_emulator.generation.tasks.performing import perform
from gemini_emulator.generation.tasks.recognition import TaskKind, recognise
from gemini_emulator.schemas.openapi import to_json_schema
from gemini_emulator.schemas.validity import is_valid

PNG = file_part("shapes.png", "image/png")
GENERATED: Json = {
    # As pydantic writes `found: list[Item] | None`.
    "$defs": {
        "Item": object_of({"box_2d": BOX, "label": {"anyOf": [TEXT, {"type": "null"}]}}),
        "Wrapper": object_of(
            {"found": {"anyOf": [list_of({"$ref": "#/$defs/Item"}), {"type": "null"}], "default": None}}
        ),
    },
    "$ref": "#/$defs/Wrapper",
}
OPENAPI: Json = {
    "type": "ARRAY",
    "items": {
        "type": "OBJECT",
        "nullable": True,
        "properties": {
            "label": {"type": "STRING", "enum": ["red", "blue"], "format": "enum"},
            "box_2d": {"type": "ARRAY", "items": {"type": "INTEGER"}, "maxItems": "4"},
        },
        "propertyOrdering": ["box_2d", "label"],
        "required": ["label", "box_2d"],
    },
}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (DETECTION, TaskKind.DETECTION),
        (SEGMENTATION, TaskKind.DETECTION),
        (object_of({"anything": DETECTION, "count": {"type": "integer"}}), TaskKind.DETECTION),
        (CAPTION, TaskKind.CAPTION),
        (COMPARISON, TaskKind.COMPARISON),
        (TRANSCRIPTION, TaskKind.TRANSCRIPTION),
        (PAGES, TaskKind.PAGES),
        (SCENES, TaskKind.SCENES),
        (GENERATED, TaskKind.DETECTION),
    ],
)
def test_a_task_is_known_by_its_property_names(schema: Json, kind: TaskKind) -> None:
    task = recognise(schema)

    assert task is not None
    assert task.kind is kind


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "array"},
        list_of(TEXT),
        list_of(object_of({"label": TEXT})),
        object_of({"caption": TEXT}),
        object_of({"one": DETECTION, "other": DETECTION}),
        object_of({"segments": list_of(object_of({"text": TEXT}))}),
        object_of({"pages": TEXT}),
        {"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"},
    ],
)
def test_other_schemas_are_no_task(schema: Json) -> None:
    assert recognise(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": 7},
        {"$ref": "#/nowhere"},
        {"type": "array", "items": {"$ref": "https://example.com/schema"}},
        object_of({"box_2d": BOX, "x": {"$ref": "#/nowhere"}}),
    ],
)
def test_malformed_schemas_are_left_to_others(schema: Json) -> None:
    assert perform(schema, [PNG], "") is None


def test_generated_schemas_get_true_answers() -> None:
    assert [item["label"] for item in ask(GENERATED, PNG)["found"]] == [
        "red rectangle",
        "green ellipse",
        "blue triangle",
    ]


def test_openapi_schemas_get_true_answers_in_their_order() -> None:
    found = ask(to_json_schema(OPENAPI), PNG)

    assert found == [{"box_2d": [125, 78, 375, 328], "label": "red"}, {"box_2d": [583, 188, 917, 500], "label": "blue"}]
    assert list(found[0]) == ["box_2d", "label"]


def test_a_schema_that_the_truth_does_not_satisfy_gets_no_answer() -> None:
    assert perform({**DETECTION, "minItems": 4}, [PNG], "") is None
    assert perform(labelled_by_pattern(), [PNG], "") is None


def labelled_by_pattern() -> Json:
    """Make a schema whose labels can be none that is seen."""
    return list_of(object_of({"box_2d": BOX, "label": {**TEXT, "pattern": "^[0-9]+$"}}))


def test_texts_end_where_the_schema_says() -> None:
    assert ask(object_of({"caption": {**TEXT, "maxLength": 8}, "alt_text": TEXT}), PNG)["caption"] == "Emulated"


def test_required_properties_without_a_schema_get_a_value() -> None:
    answer = ask({**CAPTION, "required": ["caption", "author"]}, PNG)

    assert set(answer) == {"caption", "alt_text", "tags", "author"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=9), inside, max_size=3),
    max_leaves=6,
)
keywords = st.sampled_from(["type", "properties", "required", "items", "enum", "const", "$ref", "anyOf", "maxItems"])
MEDIA = [PNG, file_part("speech.wav", "audio/wav"), file_part("report.pdf", "application/pdf")]
TASKS = [DETECTION, SEGMENTATION, CAPTION, COMPARISON, TRANSCRIPTION, PAGES, GENERATED]


def schemas_within(value: object) -> Iterator[Json]:
    """Return all objects of a document."""
    if isinstance(value, dict):
        yield value
    for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from schemas_within(inside)


@given(task=st.sampled_from(TASKS), keyword=keywords, value=json_values, place=st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_a_damaged_schema_gets_an_answer_that_satisfies_it_or_none(
    task: Json, keyword: str, value: object, place: int
) -> None:
    schema = json.loads(json.dumps(task))
    places = list(schemas_within(schema))
    places[place % len(places)][keyword] = value

    answer = perform(schema, MEDIA, "")

    assert answer is None or is_valid(schema, answer)


@given(task=st.sampled_from([TRANSCRIPTION, PAGES, SCENES]), said=json_values, name=st.sampled_from(["end", "page"]))
@settings(max_examples=100, deadline=None)
def test_any_prompt_gets_an_answer(task: Json, said: object, name: str) -> None:
    lists = {key: [{name: said}] for key in ("segments", "pages", "scenes")}

    assert perform(task, MEDIA, json.dumps(said)) is not None
    assert perform(task, MEDIA, json.dumps(lists)) is not None
