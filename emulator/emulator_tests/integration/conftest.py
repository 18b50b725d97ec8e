"""One emulator for all tests, as if new for each."""

from collections.abc import Iterator

import pytest

from emulator_tests.integration.calls import Emulator, emulator_with
from gemini_emulator import EmulatorConfig


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    # Videos are ready when a test says that time has passed.
    with emulator_with(EmulatorConfig(processing_delay_s=60)) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.bare.post("/emulator/reset")
    return shared_emulator
