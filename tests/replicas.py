"""Several gateways in processes of their own that share PostgreSQL and Valkey, and a clock that a test sets."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.gateway_process import ROOT, UPSTREAM_KEY, free_port, make_key, wait_for
from tests.servers import PostgresServer, ValkeyServer
from tests.stores import SECRET_KEY


@dataclass(slots=True)
class Replica:
    """One process. `log` is its output."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """The output so far."""
        return self.log_file.read_text()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait(10)


@dataclass(slots=True)
class Cluster:
    """The stores shared by replicas; `start` adds a replica."""

    environment: dict[str, str]
    folder: Path
    replicas: list[Replica] = field(default_factory=list)

    @property
    def clock(self) -> Path:
        """The file that every replica reads the time from."""
        return self.folder / "clock"

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        self.set_clock(float(self.clock.read_text()) + seconds)

    def set_clock(self, now: float) -> None:
        """Set the clock, atomically for its readers."""
        new = self.folder / "clock.new"
        new.write_text(str(now))
        new.replace(self.clock)

    def key(self, name: str, *limits: str) -> str:
        """Make a client; gives its key."""
        return make_key(self.environment, name, *limits)

    def keys_command(self, *arguments: str) -> None:
        """Run one of the commands on keys."""
        command = [sys.executable, "-m", "app.cli", "keys", *arguments]
        subprocess.run(command, env=os.environ | self.environment, cwd=ROOT, check=True, capture_output=True)

    def launch(self) -> Replica:
        """Start a replica; it may not listen yet."""
        port = free_port()
        log_file = self.folder / f"replica-{len(self.replicas)}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.clocked", str(self.clock), "serve", "--port", str(port)],
                env=os.environ | self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        replica = Replica(f"http://127.0.0.1:{port}", process, log_file)
        self.replicas.append(replica)
        return replica

    def start(self, count: int = 1) -> list[Replica]:
        """Start replicas at the same time, and wait until they listen."""
        started = [self.launch() for _ in range(count)]
        for replica in started:
            wait_for(replica.url)
        return started


@contextmanager
def cluster(
    upstream: str, postgres: PostgresServer, valkey: ValkeyServer, folder: Path, **environment: str
) -> Iterator[Cluster]:
    """Yield a cluster without replicas, and stop its replicas at the end. The clock begins at a full minute."""
    shared = {
        "GEMINI_API_KEY": UPSTREAM_KEY,
        "GEMINI_BASE_URL": upstream,
        "DATABASE_URL": postgres.new_database(),
        "REDIS_URL": valkey.url,
        "SECRET_KEY": SECRET_KEY,
        "LEDGER_FLUSH_S": "0.1",
        "SHUTDOWN_GRACE_S": "5",
        **environment,
    }
    found = Cluster(shared, folder)
    found.set_clock(time.time() // 60 * 60)
    try:
        yield found
    finally:
        for replica in found.replicas:
            replica.process.terminate()
        for replica in found.replicas:
            replica.process.wait(20)
