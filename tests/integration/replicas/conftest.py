"""PostgreSQL and Valkey for all tests of replicas, and gateways that share them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.replicas import Cluster, cluster
from tests.servers import PostgresServer, ValkeyServer, postgres_server, valkey_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def _valkey() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def valkey(_valkey: ValkeyServer) -> ValkeyServer:
    _valkey.clear()
    return _valkey


@pytest.fixture
def shared(emulator: Emulator, postgres: PostgresServer, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Cluster]:
    """The stores shared by replicas; no replica is started yet."""
    with cluster(emulator.url, postgres, valkey, tmp_path) as shared:
        yield shared
