"""The choice of stores that all tests run on."""

import pytest

from tests.stores import chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose."""
    parser.addoption(
        "--stores",
        choices=("files", "servers"),
        default="files",
        help="what gateways remember in: SQLite and memory, or PostgreSQL and Valkey",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take the choice."""
    chosen.is_servers = config.getoption("--stores") == "servers"


def pytest_unconfigure() -> None:
    """Stop the servers that were started."""
    chosen.close()
