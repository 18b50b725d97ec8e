"""A gateway in a process of its own, whose memory and delays are measured under load."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from tests.emulator_process import Emulator
from tests.gateway_process import GatewayProcess, gateway_process
from tests.hostile.loads.measuring import Load, measuring


class Measure(Protocol):
    """Measures a block."""

    def __call__(self) -> AbstractContextManager[Load]:
        """Return a block that measures the gateway."""


@pytest.fixture(scope="session")
def gateway(_emulator: Emulator) -> Iterator[GatewayProcess]:
    with gateway_process(_emulator.url) as process:
        yield process


@pytest.fixture
def port(gateway: GatewayProcess) -> int:
    return urlsplit(gateway.url).port or 0


@pytest.fixture
def measure(gateway: GatewayProcess, port: int) -> Measure:
    return lambda: measuring(port, gateway.process.pid)
