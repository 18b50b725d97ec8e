"""Captions, detections, segmentations and comparisons, against pictures whose contents are known."""

import base64
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emulator_tests.unit.drawing import FORMATS, MIME_TYPES, draw, save
from tests.emulator_process import Emulator
from tests.gateway import MEDIA, TRUTH, Gateway, media, running_gateway
from tests.integration.api.tasks.asking import (
    COMMON,
    ask,
    assert_boxes_agree,
    box_of,
    labels_and_boxes,
    overlap,
    pixels,
    problem,
    true_boxes,
)

TRUE = true_boxes(TRUTH["shapes.png"])
SIZE = (640, 480)
SHAPES = ("file", media("shapes.png"))
SAME_SHAPES = ["shapes.png", "shapes.jpg", "shapes.webp", "shapes.heic", "shapes-exif6.jpg"]
MORE_FORMATS = ("GIF", "BMP", "TIFF")


def box_2d(x_min: int, y_min: int, x_max: int, y_max: int) -> list[int]:
    width, height = SIZE
    return [
        round(1000 * y_min / height),
        round(1000 * x_min / width),
        round(1000 * y_max / height),
        round(1000 * x_max / width),
    ]


def noise(image_format: str, *, orientation: int) -> bytes:
    """Draw a picture of many bytes, 900 by 600 as stored."""
    pixels = np.random.default_rng(1).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, image_format, exif=exif.tobytes(), lossless=True)
    return out.getvalue()


async def test_a_caption_describes_the_picture(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/captions", SHAPES)

    assert set(answer) == COMMON | {"caption", "alt_text", "tags"}
    assert answer["finish_reason"] == "stop"
    assert answer["complete"] is True
    assert "red rectangle" in answer["caption"]
    assert answer["alt_text"]
    assert {"red", "green", "blue"} <= {word for tag in answer["tags"] for word in tag.split()}


async def test_prompt_and_language_reach_the_model(gateway: Gateway, emulator: Emulator) -> None:
    await ask(gateway, "images/captions", ("prompt", "Mind the hats."), ("language", "Welsh"), SHAPES)

    instruction = emulator.requests("generateContent")[-1]["json"]["contents"][0]["parts"][-1]["text"]
    assert "Mind the hats." in instruction
    assert "Welsh" in instruction


@pytest.mark.parametrize("name", SAME_SHAPES)
async def test_boxes_are_in_pixels_of_the_picture_as_displayed(gateway: Gateway, name: str) -> None:
    answer = await ask(gateway, "images/detections", ("file", media(name)))

    assert answer["image"] == {"width": 640, "height": 480}
    assert_boxes_agree(labels_and_boxes(answer), TRUE, SIZE)


async def test_a_detection_has_every_field_of_the_contract(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/detections", SHAPES, ("metadata", '{"trace": 7}'))

    assert set(answer) == COMMON | {"image", "objects", "dropped_count", "overlay"}
    assert set(answer["objects"][0]) == {"label", "box", "box_2d"}
    assert answer["dropped_count"] == 0
    assert answer["overlay"] is None
    assert answer["metadata"] == {"trace": 7}
    red = next(item for item in answer["objects"] if item["label"] == "red rectangle")
    assert red["box_2d"] == box_2d(50, 60, 210, 180)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", FORMATS)
async def test_boxes_and_masks_are_true_in_every_format_and_orientation(
    gateway: Gateway, image_format: str, orientation: int
) -> None:
    drawing = draw(100 + orientation, cell=150 + 9 * orientation)
    data = save(drawing.image, image_format, orientation=orientation)
    size = drawing.image.size

    answer = await ask(
        gateway, "images/segmentations", ("file", ("drawing", data, MIME_TYPES[image_format])), ("mask", "full")
    )

    assert answer["image"] == {"width": size[0], "height": size[1]}
    assert_boxes_agree(labels_and_boxes(answer), sorted((shape.label, shape.box) for shape in drawing.shapes), size)
    found = sorted(answer["objects"], key=lambda item: (item["label"], box_of(item["box"])))
    true = sorted(drawing.shapes, key=lambda shape: (shape.label, shape.box))
    for item, shape in zip(found, true, strict=True):
        if min(shape.box[2] - shape.box[0], shape.box[3] - shape.box[1]) >= 100:
            assert overlap(pixels(item["mask"], size), shape.mask) >= 0.98


@pytest.mark.parametrize("image_format", MORE_FORMATS)
async def test_boxes_are_true_in_the_formats_that_gemini_learned_later(gateway: Gateway, image_format: str) -> None:
    drawing = draw(7)
    out = io.BytesIO()
    drawing.image.save(out, image_format)

    answer = await ask(
        gateway, "images/detections", ("file", ("drawing", out.getvalue(), f"image/{image_format.lower()}"))
    )

    true = sorted((shape.label, shape.box) for shape in drawing.shapes)
    assert_boxes_agree(labels_and_boxes(answer), true, drawing.image.size)


@pytest.mark.parametrize("seed", range(6))
async def test_masks_of_large_pictures_are_true(gateway: Gateway, seed: int) -> None:
    drawing = draw(seed, cell=200 + 170 * seed, columns=2)

    answer = await ask(gateway, "images/segmentations", ("file", ("drawing.png", save(drawing.image, "PNG"))))

    found = sorted(answer["objects"], key=lambda item: (item["label"], box_of(item["box"])))
    true = sorted(drawing.shapes, key=lambda shape: (shape.label, shape.box))
    for item, shape in zip(found, true, strict=True):
        mask = item["mask"]
        assert (mask["x"], mask["y"], mask["x"] + mask["width"], mask["y"] + mask["height"]) == box_of(item["box"])
        if min(shape.box[2] - shape.box[0], shape.box[3] - shape.box[1]) >= 100:
            assert overlap(pixels(mask, drawing.image.size), shape.mask) >= 0.98


async def test_masks_may_be_left_out(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/segmentations", SHAPES, ("mask", "none"))

    assert [item["mask"] for item in answer["objects"]] == [None, None, None]


async def test_only_wanted_labels_are_found_in_the_clients_spelling(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/detections", ("labels", "Red, hippopotamus"), SHAPES, ("labels", "triangle"))

    assert sorted(item["label"] for item in answer["objects"]) == ["Red", "triangle"]


async def test_labels_may_be_in_the_query(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/detections?labels=Red", SHAPES)

    assert [item["label"] for item in answer["objects"]] == ["Red"]


async def test_objects_with_other_labels_are_dropped_and_counted(gateway: Gateway, emulator: Emulator) -> None:
    said = [{"box_2d": [0, 0, 500, 500], "label": "car"}, {"box_2d": [0, 0, 500, 500], "label": "boat"}]
    emulator.fault("generateContent", "answer", text=json.dumps(said))

    answer = await ask(gateway, "images/detections", ("labels", "car"), SHAPES)

    assert [item["label"] for item in answer["objects"]] == ["car"]
    assert answer["dropped_count"] == 1


async def test_boxes_are_clipped_and_empty_ones_dropped_and_counted(gateway: Gateway, emulator: Emulator) -> None:
    said = [
        {"box_2d": [500, 250, 1400, 1200], "label": "beyond"},
        {"box_2d": [100, 900, 800, 100], "label": "inverted"},
        {"box_2d": [100, 100, 100, 800], "label": "flat"},
        {"box_2d": "none", "label": "text"},
    ]
    emulator.fault("generateContent", "answer", text=f"Here you are:\n```json\n{json.dumps(said)}\n```\nAnything else?")

    answer = await ask(gateway, "images/detections", SHAPES)

    assert [(item["label"], box_of(item["box"])) for item in answer["objects"]] == [("beyond", (160, 240, 640, 480))]
    assert answer["dropped_count"] == 3


async def test_a_cut_answer_keeps_its_whole_objects_and_is_incomplete(gateway: Gateway, emulator: Emulator) -> None:
    whole = await ask(gateway, "images/detections", SHAPES)
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=120)

    answer = await ask(gateway, "images/detections", SHAPES)

    assert answer["finish_reason"] == "max_tokens"
    assert answer["complete"] is False
    assert 0 < len(answer["objects"]) < 3
    assert all(item in whole["objects"] for item in answer["objects"])


async def test_an_unreadable_mask_is_a_warning_and_the_box_is_kept(gateway: Gateway, emulator: Emulator) -> None:
    said = [{"box_2d": [100, 100, 500, 500], "mask": "data:image/png;base64,bm8=", "label": "car"}]
    emulator.fault("generateContent", "answer", text=json.dumps(said))

    answer = await ask(gateway, "images/segmentations", SHAPES)

    assert [(item["label"], item["mask"]) for item in answer["objects"]] == [("car", None)]
    assert [warning["code"] for warning in answer["warnings"]] == ["no-mask"]


@pytest.mark.parametrize("task", ["images/detections", "images/segmentations"])
async def test_accept_png_returns_the_picture_with_the_objects_drawn(gateway: Gateway, task: str) -> None:
    answer = await gateway.post_form(
        f"/api/v1/{task}", ("file", media("shapes-exif6.jpg")), headers={"accept": "image/png"}
    )

    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as drawn, Image.open(MEDIA / "shapes.png") as plain:
        assert drawn.size == plain.size
        assert np.any(np.asarray(drawn.convert("RGB")) != np.asarray(plain.convert("RGB")))


async def test_an_overlay_comes_in_the_answer_when_wanted(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/detections", SHAPES, ("overlay", "true"))

    assert answer["overlay"]["mime_type"] == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(answer["overlay"]["data"]))) as drawn:
        assert drawn.size == SIZE


async def test_a_file_that_was_uploaded_before_is_found_in_as_well(gateway: Gateway) -> None:
    kept = (await gateway.post_form("/api/v1/files", ("file", media("shapes-exif6.jpg")))).json()["id"]

    answer = await ask(gateway, "images/detections", ("file_id", kept))

    assert answer["file"]["delivery"] == "referenced"
    assert answer["image"] == {"width": 640, "height": 480}
    assert_boxes_agree(labels_and_boxes(answer), TRUE, SIZE)


async def test_objects_are_found_in_a_streamed_file(small_gateway: Gateway) -> None:
    answer = await ask(small_gateway, "images/detections", ("file", media("shapes-exif6.jpg")))

    assert answer["file"]["delivery"] == "uploaded"
    assert_boxes_agree(labels_and_boxes(answer), TRUE, SIZE)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "JPEG"])
async def test_a_streamed_picture_with_an_orientation_after_its_pixels_is_turned(
    small_gateway: Gateway, image_format: str
) -> None:
    data = noise(image_format, orientation=6)
    assert image_format == "JPEG" or len(data) > 4 * 262_144

    kept = await small_gateway.post_form("/api/v1/files", ("file", ("noise", data)))

    media_facts = kept.json()["media"]
    assert (media_facts["width"], media_facts["height"]) == (600, 900)


@pytest.mark.parametrize("fields", [[("overlay", "true")], []])
async def test_drawing_needs_the_file_itself(gateway: Gateway, fields: list[tuple[str, str]]) -> None:
    kept = (await gateway.post_form("/api/v1/files", SHAPES)).json()["id"]
    headers = {} if fields else {"accept": "image/png"}

    answer = await gateway.post_form("/api/v1/images/detections", ("file_id", kept), *fields, headers=headers)

    problem(answer, 409, "bytes-needed")


async def test_a_picture_may_be_drawn_on_and_kept(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/detections", SHAPES, ("overlay", "true"), ("keep_file", "true"))

    assert answer["overlay"] is not None
    assert answer["file"]["id"].startswith("file_")


@pytest.mark.parametrize("task", ["images/captions", "images/detections", "images/segmentations"])
async def test_a_truncated_picture_is_refused_before_the_model_is_asked(
    gateway: Gateway, emulator: Emulator, task: str
) -> None:
    answer = await gateway.post_form(f"/api/v1/{task}", ("file", media("truncated.png")))

    problem(answer, 422, "unreadable-file")
    assert emulator.requests("generateContent") == []


async def test_a_decompression_bomb_is_refused_before_decoding(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_pixels=300_000) as gateway:
        answer = await gateway.post_form("/api/v1/images/captions", SHAPES)

        detail = problem(answer, 422, "too-many-pixels")["detail"]
        assert "640" in detail
        assert "300000" in detail.replace(",", "")
        assert emulator.requests("generateContent") == []


async def test_the_fields_of_a_drawing_come_in_any_order(gateway: Gateway) -> None:
    fields = [("keep_file", "true"), SHAPES, ("overlay", "true")]

    answers = [await ask(gateway, "images/detections", *order) for order in itertools.permutations(fields)]

    assert all(answer["overlay"] and answer["file"]["id"] for answer in answers)


async def test_a_drawing_of_an_answer_that_was_cut_says_so_in_a_header(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=120)

    answer = await gateway.post_form("/api/v1/images/detections", SHAPES, headers={"accept": "image/png"})

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-gateway-complete"] == "false"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("IMAGE/PNG", "image/png"),
        ("image/png;q=0, */*", "application/json"),
        ("image/*", "application/json"),
        ("image/png, application/json", "application/json"),
        ("image/png, application/json;q=0", "image/png"),
    ],
)
async def test_accept_decides_between_drawing_and_json(gateway: Gateway, accept: str, content_type: str) -> None:
    answer = await gateway.post_form("/api/v1/images/detections", SHAPES, headers={"accept": accept})

    assert answer.headers["content-type"] == content_type


async def test_there_must_be_room_for_a_drawing(emulator: Emulator, tmp_path: Path) -> None:
    data = noise("JPEG", orientation=1)
    async with running_gateway(emulator.url, tmp_path, max_buffered_bytes=1 << 21) as gateway:
        plain = await gateway.post_form("/api/v1/images/captions", ("file", ("noise.jpg", data)))
        drawn = await gateway.post_form("/api/v1/images/detections", ("overlay", "true"), ("file", ("noise.jpg", data)))
        again = await gateway.post_form("/api/v1/images/captions", ("file", ("noise.jpg", data)))

    assert (plain.status_code, again.status_code) == (200, 200)
    problem(drawn, 503, "busy")


async def test_drawings_give_their_room_back(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_buffered_bytes=1 << 22) as gateway:
        answers = [await ask(gateway, "images/detections", SHAPES, ("overlay", "true")) for _ in range(8)]

    assert all(answer["overlay"] for answer in answers)


async def test_other_kinds_of_files_are_refused(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/images/captions", ("file", media("speech.mp3")))

    problem(answer, 415, "unsupported-file-type")


async def test_pictures_are_compared_in_their_order(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/comparisons", SHAPES, ("file", media("shapes-one-missing.png")))

    assert set(answer) == (COMMON - {"file"}) | {"files", "summary", "differences"}
    assert [file["filename"] for file in answer["files"]] == ["shapes.png", "shapes-one-missing.png"]
    [difference] = answer["differences"]
    assert "red rectangle" in difference["description"]
    assert difference["image_index"] == 0
    assert_boxes_agree([("", box_of(difference["box"]))], [("", (50, 60, 210, 180))], SIZE)


async def test_a_difference_may_show_in_any_of_the_pictures(gateway: Gateway) -> None:
    kept = (await gateway.post_form("/api/v1/files", ("file", media("shapes-one-missing.png")))).json()["id"]

    answer = await ask(gateway, "images/comparisons", ("file_id", kept), ("file", media("shapes-exif6.jpg")))

    [difference] = answer["differences"]
    assert difference["image_index"] == 1
    assert_boxes_agree([("", box_of(difference["box"]))], [("", (50, 60, 210, 180))], SIZE)


async def test_equal_pictures_have_no_differences(gateway: Gateway) -> None:
    answer = await ask(gateway, "images/comparisons", SHAPES, SHAPES)

    assert answer["differences"] == []
    assert answer["summary"]


@pytest.mark.parametrize("count", [1, 11])
async def test_only_two_to_ten_pictures_can_be_compared(gateway: Gateway, count: int) -> None:
    answer = await gateway.post_form("/api/v1/images/comparisons", *[SHAPES] * count)

    assert str(count) in problem(answer, 422, "invalid-field")["detail"]
