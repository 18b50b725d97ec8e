"""The emulator in a process of its own, as the command line runs it, and its administration."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator; tests inject faults and inspect the received calls."""

    url: str

    def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = httpx.request(method, f"{self.url}/emulator/{path}", json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def fault(self, operation: str, kind: str, **more: object) -> None:
        """Let the next calls of an operation fail in some way."""
        self._call("POST", "faults", {"operation": operation, "kind": kind, **more})

    def drop_faults(self) -> None:
        """Plan no fault any more."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Forget everything."""
        self._call("POST", "reset")

    def advance(self, seconds: float) -> None:
        """Set the emulator's clock forward."""
        self._call("POST", "clock", {"advance_s": seconds})

    @property
    def files(self) -> list[dict[str, Any]]:
        """The stored files."""
        return list(self._call("GET", "state")["files"])

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The upload sessions, the dead ones too."""
        return list(self._call("GET", "state")["sessions"])

    def open_sessions(self) -> list[dict[str, Any]]:
        """The upload sessions that could still take bytes."""
        return [session for session in self.sessions if session["status"] == "active"]

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The last 200 calls of any operation, oldest first."""
        return list(self._call("GET", "requests"))

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """The received calls of an operation, oldest first."""
        return [item for item in self.journal if item["operation"] == operation]

    @property
    def state(self) -> dict[str, Any]:
        """The counters."""
        return dict(self._call("GET", "state"))


@contextmanager
def emulator_process(**environment: str) -> Iterator[Emulator]:
    """Run an emulator until the block ends; the environment is EMULATOR_* variables."""
    command = [sys.executable, "-m", "gemini_emulator", "--port", "0", "--until-eof"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http"), "the emulator did not start"
        yield Emulator(url)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()
