"""The gateway in a process of its own, as the command line runs it, with a client's key."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.stores import store_environment

UPSTREAM_KEY = "the-upstream-key-which-nobody-sees"
START_S = 120.0
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A running gateway: its URL, the key of its client, the environment for further keys, and its process id."""

    url: str
    key: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the process, as the system does at a shutdown."""
        self.process.terminate()
        self.process.wait(20)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(environment: dict[str, str], name: str, *options: str) -> str:
    """Make a client of a gateway with this environment; gives its key."""
    command = [sys.executable, "-m", "app.cli", "keys", "create", "--name", name, *options]
    made = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True, cwd=ROOT)
    return made.stdout.strip()


@contextmanager
def gateway_process(
    upstream: str, *limits: str, program: str = "app.cli", output: Path | None = None, **environment: str
) -> Iterator[GatewayProcess]:
    """Run a gateway that asks for keys until the block ends; `limits` are options of its client's key.

    `program` is the module of its command line, and `output` the file for its standard output and error.
    """
    with (
        tempfile.TemporaryDirectory(prefix="gateway-") as folder,
        Path(os.devnull if output is None else output).open("wb") as written,
    ):
        database = {**store_environment(Path(folder)), **environment}
        key = make_key(database, "tests", *limits)
        port = free_port()
        settings = {"GEMINI_API_KEY": UPSTREAM_KEY, "GEMINI_BASE_URL": upstream, "SHUTDOWN_GRACE_S": "1", **database}
        process = subprocess.Popen(
            [sys.executable, "-m", program, "serve", "--port", str(port)],
            env=os.environ | settings,
            cwd=ROOT,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            yield GatewayProcess(url, key, database, process)
        finally:
            process.terminate()
            process.wait(20)


def wait_for(url: str) -> None:
    """Wait until a gateway listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/healthz", timeout=1).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError("the gateway did not start")
