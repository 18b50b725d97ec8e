"""A gateway of its own kind for tests of uploads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway


@pytest.fixture
async def small_gateway(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that inlines next to nothing, so that every file is streamed through."""
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=262_144) as gateway:
        yield gateway
