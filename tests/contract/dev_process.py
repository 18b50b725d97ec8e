"""`gemini-gateway dev` in a process of its own, as a reader of the README runs it, but on a free port."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(sys.prefix) / "bin"
STARTS_WITHIN_S = 60.0
_GATEWAY = re.compile(r"for development on (http://127\.0\.0\.1:\d+)")
_EMULATOR = re.compile(r"emulator answers, on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True)
class DevProcess:
    """Where the gateway and its emulator are."""

    url: str
    emulator_url: str

    def here(self, script: str) -> str:
        """Turn a script of the README, which speaks to fixed ports, to this process."""
        return (
            script.replace("http://127.0.0.1:8000", self.url)
            .replace("http://127.0.0.1:8001", self.emulator_url)
            .replace("gemini-gateway ask ", f"gemini-gateway ask --url {self.url} ")
        )


@contextmanager
def dev_process(folder: Path) -> Iterator[DevProcess]:
    """Run it in `folder`, where it keeps its state, until the block ends."""
    log = folder / "dev.log"
    command = [str(TOOLS / "gemini-gateway"), "dev", "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment()
        )
    try:
        yield DevProcess(_announced(_GATEWAY, log, process), _announced(_EMULATOR, log, process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def environment(**more: str) -> dict[str, str]:
    """Return a reader's environment variables: the virtual environment's tools first in PATH, and no settings."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "NO_PROXY": "*", **more}


def _announced(pattern: re.Pattern[str], log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := pattern.search(log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"dev did not start:\n{log.read_text()}")
