"""One emulator for all tests of the REST surface, forgetful between them, and a gateway in front of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator, emulator_process
from tests.gateway import Gateway, running_gateway


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with emulator_process() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.reset()
    return _emulator


@pytest.fixture
async def gateway(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(emulator.url, tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def small_gateway(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that inlines next to nothing, so that every file is streamed through."""
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=262_144) as gateway:
        yield gateway
