"""Helpers of the tasks' tests: requests, and comparisons of their answers."""

import base64
import io
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.gateway import Gateway

COMMON = {"id", "model", "usage", "file", "finish_reason", "complete", "warnings", "metadata"}
Box = tuple[int, int, int, int]


async def ask(gateway: Gateway, task: str, *parts: Any, **more: Any) -> Any:
    """Run a task and give its answer; it must succeed."""
    answer = await gateway.post_form(f"/api/v1/{task}", *parts, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer: httpx.Response, status: int, code: str) -> Any:
    """Return the problem document in an answer."""
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), answer.text
    return told


def labels_and_boxes(answer: dict[str, Any]) -> list[tuple[str, Box]]:
    """Return the objects of an answer in the form of the truth, sorted."""
    return sorted((item["label"], box_of(item["box"])) for item in answer["objects"])


def box_of(box: dict[str, int]) -> Box:
    """Return a box's edges: x_min, y_min, x_max, y_max."""
    return box["x_min"], box["y_min"], box["x_max"], box["y_max"]


def true_boxes(truth: dict[str, Any]) -> list[tuple[str, Box]]:
    """Return the objects of a file of known contents, sorted."""
    return sorted((item["label"], box_of(item["box_px"])) for item in truth["objects"])


def assert_boxes_agree(found: list[tuple[str, Box]], true: list[tuple[str, Box]], size: tuple[int, int]) -> None:
    """Compare boxes: within two pixels, or a thousandth of the side."""
    assert [label for label, _ in found] == [label for label, _ in true]
    allowed = [max(2.0, side / 1000) for side in (*size, *size)]
    for (_, box), (_, true_box) in zip(found, true, strict=True):
        assert all(abs(a - b) <= most for a, b, most in zip(box, true_box, allowed, strict=True)), (box, true_box)


def pixels(mask: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Lay a mask over an empty picture of this size (width, height)."""
    canvas = np.zeros((size[1], size[0]), dtype=np.bool_)
    with Image.open(io.BytesIO(base64.b64decode(mask["png"]))) as image:
        assert image.format == "PNG"
        assert image.size == (mask["width"], mask["height"])
        shown = np.asarray(image.convert("L")) > 127
    canvas[mask["y"] : mask["y"] + mask["height"], mask["x"] : mask["x"] + mask["width"]] = shown
    assert np.count_nonzero(shown) == mask["area"]
    return canvas


def overlap(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Return intersection over union."""
    return float(np.count_nonzero(found & true) / np.count_nonzero(found | true))
