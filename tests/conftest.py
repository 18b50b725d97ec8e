"""Settings and fixtures of all tests: stores, one emulator for the whole run, and gateways in front of it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import sizes
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator, emulator_process
from tests.gateway import Gateway, running_gateway
from tests.stores import chosen

# A deadline per example would let the speed of the machine decide the result.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--stores`, `--nightly` and `--split-answers`."""
    parser.addoption(
        "--stores",
        choices=("files", "servers"),
        default="files",
        help="stores of the gateways: SQLite and memory, or PostgreSQL and Valkey",
    )
    parser.addoption("--nightly", action="store_true", help="try every case of the hostile tests, which takes long")
    parser.addoption(
        "--split-answers",
        choices=("none", "two", "bytes"),
        default="none",
        help="cut every answer of the emulators into TCP segments: two, cut anywhere, or one for every byte",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Apply the options."""
    # Emulators are processes: they read the setting from their environment.
    os.environ["EMULATOR_SPLIT_ANSWERS"] = config.getoption("--split-answers")
    sizes.chosen.is_nightly = config.getoption("--nightly")
    chosen.is_servers = config.getoption("--stores") == "servers"


def pytest_unconfigure() -> None:
    """Stop the servers that the tests started."""
    chosen.close()


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    """Run the emulator of all tests; its batches and background work end at once."""
    with emulator_process(EMULATOR_BATCH_DELAY_S="0", EMULATOR_BACKGROUND_DELAY_S="0") as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    """Return the emulator without files, faults or counters of earlier tests."""
    _emulator.reset()
    return _emulator


@pytest.fixture
async def gateway(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Run a gateway that is open to everybody."""
    async with running_gateway(emulator.url, tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    """Run a gateway that asks for keys."""
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05) as closed:
        yield closed
