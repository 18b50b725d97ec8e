"""One emulator for all hostile tests, and a gateway in front of it that asks for keys."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator, emulator_process


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with emulator_process() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.reset()
    return _emulator


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05) as closed:
        yield closed
