"""The processes of a benchmark: each started on a free loopback port, and always stopped.

Starting and stopping block: while they go on there is nothing else to do.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.footprint import Process

ROOT = Path(__file__).parents[2]
START_S = 30.0
STOP_S = 10.0
GATEWAY = ("app.cli", "serve")
KEY = "benchmark-key"


class BenchmarkError(Exception):
    """A benchmark that could not be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its name, its port on 127.0.0.1, its footprint."""

    name: str
    port: int
    process: Process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield Path(name)


def _database(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/bench.db"


def _environment(extra: dict[str, str]) -> dict[str, str]:
    # Nothing of the caller's: a proxy or a GEMINI_... variable would change what is measured.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def _started(
    name: str, arguments: Sequence[str], environment: dict[str, str], folder: Path | None = None
) -> Iterator[Server]:
    port = _free_port()
    with ExitStack() as stack:
        folder = folder or stack.enter_context(_folder())
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments, "--port", str(port)],
                env=_environment({**environment, "DATABASE_URL": _database(folder)}),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is the runner's alone; it stops the servers in order.
                start_new_session=True,
            )
        try:
            _wait_until_listening(process, name, port, log)
            yield Server(name, port, Process(process.pid))
        finally:
            _stop(process)


def _wait_until_listening(process: subprocess.Popen[bytes], name: str, port: int, log: Path) -> None:
    for _ in range(int(START_S / 0.1)):
        if process.poll() is not None:
            raise BenchmarkError(f"{name} did not start:\n{log.read_text()[-2000:]}")
        if _listens(port):
            return
        time.sleep(0.1)
    raise BenchmarkError(f"{name} does not listen after {START_S:g} s:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def upstream(*, read_rate: float | None = None) -> Iterator[Server]:
    """Run the stand-in for Gemini; `read_rate` limits the bytes a second that it reads."""
    limit = [] if read_rate is None else ["--read-rate", str(read_rate)]
    with _started("upstream", ["tests.benchmarks.upstream", *limit], {}) as server:
        yield server


def _towards(gemini: Server) -> dict[str, str]:
    return {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": f"http://127.0.0.1:{gemini.port}"}


@contextmanager
def gateway(gemini: Server) -> Iterator[Server]:
    """Run the gateway as `gemini-gateway serve` does, with every setting at its default but who may call."""
    environment = {**_towards(gemini), "CLIENT_AUTH": "none"}
    with _started("gateway", GATEWAY, environment) as server:
        yield server


@contextmanager
def gateway_with_keys(gemini: Server, *limits: str, **settings: str) -> Iterator[tuple[Server, str]]:
    """Run the gateway, every setting but these at its default; gives it and the key of a client with these limits."""
    with _folder() as folder:
        create = [sys.executable, "-m", "app.cli", "keys", "create", "--name", "bench", *limits]
        environment = _environment({"DATABASE_URL": _database(folder)})
        made = subprocess.run(create, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            raise BenchmarkError(f"no key was made: {made.stderr[-500:]}")
        with _started("gateway", GATEWAY, {**_towards(gemini), **settings}, folder) as server:
            yield server, made.stdout.strip()


@contextmanager
def service(name: str, gemini: Server) -> Iterator[Server]:
    """Run one of the services that the gateway is compared with, by its name in `services`."""
    with _started(name, ["tests.benchmarks.services", name], _towards(gemini)) as server:
        yield server


@contextmanager
def gateway_beside(*names: str) -> Iterator[tuple[Server, list[Server]]]:
    """Run the gateway and these services in front of one upstream; gives the upstream, and the gateway first of all."""
    with ExitStack() as stack:
        gemini = stack.enter_context(upstream())
        ours = stack.enter_context(gateway(gemini))
        yield gemini, [ours, *(stack.enter_context(service(name, gemini)) for name in names)]
