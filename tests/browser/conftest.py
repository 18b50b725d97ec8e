"""A gateway for the browser, in front of an emulator of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator, emulator_process
from tests.gateway import Gateway, running_gateway


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with emulator_process() as emulator:
        yield emulator


@pytest.fixture
async def gateway(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(emulator.url, tmp_path) as gateway:
        yield gateway
