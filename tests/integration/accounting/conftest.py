"""One emulator for all tests of accounting."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator, emulator_process
from tests.gateway import MEDIA


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with emulator_process(EMULATOR_BATCH_DELAY_S="0", EMULATOR_BACKGROUND_DELAY_S="0") as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.reset()
    return _emulator


@pytest.fixture
def media() -> Path:
    return MEDIA
