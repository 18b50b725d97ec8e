"""Settings of all tests: the stores that they run on, and no deadline for property tests."""

import os

import hypothesis
import pytest

from tests import sizes
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
