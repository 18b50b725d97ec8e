import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emulator_tests.integration.calls import MEDIA, Emulator, Json, as_inline, media_part, text_of, user
from emulator_tests.unit.drawing import draw, save
from emulator_tests.unit.tasks.asking import (
    CAPTION,
    COMPARISON,
    DETECTION,
    PAGES,
    SCENES,
    SEGMENTATION,
    TRANSCRIPTION,
    labelled,
    overlap,
    read_mask,
)

PNG = media_part("shapes.png", "image/png")
RED = {"box_2d": [125, 78, 375, 328], "label": "red rectangle"}
FIRST = {"start": "00:00.51", "end": "00:02.98", "speaker": "Speaker 1", "text": "[loud passage 1, 0.51 s to 2.98 s]"}


def wanting(schema: Json, **options: object) -> Json:
    """Make the configuration of a request for JSON."""
    return {"responseMimeType": "application/json", "responseJsonSchema": schema, **options}


def ask(emulator: Emulator, schema: Json, *parts: Json | str, fault: Json | None = None) -> Any:
    """Ask for an answer that satisfies a schema, and parse it."""
    return json.loads(text_of(emulator.generate(*parts, config=wanting(schema), fault=fault)))


def candidate_of(answer: Json) -> tuple[str, str]:
    """Return text and finish reason."""
    candidate = answer["candidates"][0]
    return candidate["content"]["parts"][0]["text"], candidate["finishReason"]


def chunks_of(emulator: Emulator, body: Json) -> Iterator[Json]:
    yield from emulator.call("streamGenerateContent", body).json()


def test_shapes_are_detected(emulator: Emulator) -> None:
    found = ask(emulator, DETECTION, PNG, "Whatever the words are.")

    assert found[0] == RED
    assert [item["label"] for item in found] == ["red rectangle", "green ellipse", "blue triangle"]


def test_answers_are_compact_json(emulator: Emulator) -> None:
    text = text_of(emulator.generate(PNG, config=wanting(labelled("red"))))

    assert text == '[{"box_2d":[125,78,375,328],"label":"red"}]'


def test_an_openapi_schema_asks_for_the_same(emulator: Emulator) -> None:
    item = {
        "type": "OBJECT",
        "properties": {"box_2d": {"type": "ARRAY", "items": {"type": "INTEGER"}}, "label": {"type": "STRING"}},
    }
    config = {"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY", "items": item}}

    assert json.loads(text_of(emulator.generate(PNG, config=config)))[0] == RED


def test_masks_are_those_of_the_shapes(emulator: Emulator) -> None:
    drawing = draw(seed=60, cell=300, columns=2, colours=("blue",))
    width, height = drawing.image.size

    found = ask(emulator, SEGMENTATION, as_inline(save(drawing.image, "WEBP", orientation=8), "image/webp"))

    masks = [read_mask(item["mask"], item["box_2d"], width, height) for item in found]
    assert len(masks) == len(drawing.shapes)
    assert all(max(overlap(mask, shape.mask) for mask in masks) >= 0.98 for shape in drawing.shapes)


def test_a_file_is_seen_as_its_bytes_would_be(emulator: Emulator) -> None:
    file = emulator.upload((MEDIA / "shapes.heic").read_bytes(), "image/heic")

    found = ask(emulator, DETECTION, {"fileData": {"fileUri": file["uri"], "mimeType": "image/heic"}})

    assert found[0] == RED


def test_a_picture_is_captioned(emulator: Emulator) -> None:
    assert ask(emulator, CAPTION, PNG)["tags"] == ["red", "green", "blue", "rectangle", "ellipse", "triangle"]


def test_pictures_are_compared_in_the_order_of_the_prompt(emulator: Emulator) -> None:
    less = media_part("shapes-one-missing.png", "image/png")

    found = ask(emulator, COMPARISON, "Picture 0:", less, "Picture 1:", PNG)

    assert [(one["image_index"], one["box_2d"]) for one in found["differences"]] == [(1, RED["box_2d"])]


def test_sound_is_told_passage_by_passage(emulator: Emulator) -> None:
    found = ask(emulator, TRANSCRIPTION, media_part("speech.mp3", "audio/mp3"))

    assert found["language"] == "und"
    assert [one["text"] for one in found["segments"]] == [
        "[loud passage 1, 0.51 s to 2.98 s]",
        "[loud passage 2, 4.33 s to 6.61 s]",
    ]


def test_a_film_is_told_scene_by_scene_within_its_offsets(emulator: Emulator) -> None:
    film = {**media_part("scenes.mp4", "video/mp4"), "videoMetadata": {"startOffset": "2s", "endOffset": "4.5s"}}

    assert ask(emulator, SCENES, film)["scenes"] == [
        {"start": "00:02.00", "end": "00:03.00", "description": "a red scene"},
        {"start": "00:03.00", "end": "00:04.50", "description": "a blue scene"},
    ]


def test_an_answer_continues_after_the_models_last_turn(emulator: Emulator) -> None:
    contents = [
        user(media_part("speech.wav", "audio/wav"), "Write down what is said."),
        {"role": "model", "parts": [{"text": "{}"}]},
        user("Go on."),
        {
            "role": "model",
            "parts": [{"text": "Hm", "thought": True}, {"text": '{"segments":['}, {"text": json.dumps(FIRST) + "]}"}],
        },
        user("Go on."),
    ]

    answer = emulator.call("generateContent", {"contents": contents, "generationConfig": wanting(TRANSCRIPTION)})

    (segment,) = json.loads(text_of(answer))["segments"]
    assert segment["start"] == "00:04.33"


def test_pages_continue_after_the_models_last_turn(emulator: Emulator) -> None:
    contents = [
        user(media_part("report.pdf", "application/pdf"), "As Markdown, please."),
        {"role": "model", "parts": [{"text": '{"pages":[{"page":2,"markdown":"Outlook"}]}'}]},
        user("Go on."),
    ]

    answer = emulator.call("generateContent", {"contents": contents, "generationConfig": wanting(PAGES)})

    (page,) = json.loads(text_of(answer))["pages"]
    assert page["page"] == 3
    assert page["markdown"].startswith("Appendix\n\nTable 1: orders by month\n\n")


def test_an_answer_is_cut_where_the_tokens_end(emulator: Emulator) -> None:
    whole = text_of(emulator.generate(PNG, config=wanting(DETECTION)))

    text, reason = candidate_of(emulator.generate(PNG, config=wanting(DETECTION, maxOutputTokens=15)).json())

    assert (text, reason) == (whole[:60], "MAX_TOKENS")


def test_an_answer_is_cut_where_a_fault_says(emulator: Emulator) -> None:
    fault: Json = {"kind": "finish", "reason": "MAX_TOKENS", "chars": 7}

    answer = emulator.generate(PNG, config=wanting(DETECTION), fault=fault).json()

    assert candidate_of(answer) == ('[{"box_', "MAX_TOKENS")


def test_an_answer_can_be_told_instead(emulator: Emulator) -> None:
    assert ask(emulator, DETECTION, PNG, fault={"kind": "answer", "text": "[7]"}) == [7]


def test_a_streamed_answer_is_the_whole_one_in_pieces(emulator: Emulator) -> None:
    config = wanting(SEGMENTATION)
    whole = text_of(emulator.generate(PNG, config=config))

    chunks = list(chunks_of(emulator, {"contents": [user(PNG)], "generationConfig": config}))

    assert len(chunks) > 2
    assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == whole


@pytest.mark.parametrize("schema", [DETECTION, CAPTION, COMPARISON, TRANSCRIPTION, PAGES, SCENES])
def test_without_media_nothing_is_claimed(emulator: Emulator, schema: Json) -> None:
    answer = ask(emulator, schema, "Tell me.")

    told = answer if isinstance(answer, list) else [*answer.values()]
    assert [one for one in told if one] in ([], ["und"], ["Emulated: no pictures; 0 differences."])


def test_a_schema_that_the_truth_does_not_satisfy_is_met_all_the_same(emulator: Emulator) -> None:
    assert len(ask(emulator, {**DETECTION, "minItems": 5}, PNG)) == 5


def test_many_tasks_at_once_get_their_own_answers(emulator: Emulator) -> None:
    def labels(number: int) -> list[str]:
        label = ("red", "green", "blue")[number % 3]
        return [item["label"] for item in ask(emulator, labelled(label), PNG)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(labels, range(24)))

    assert answers == [["red"], ["green"], ["blue"]] * 8
