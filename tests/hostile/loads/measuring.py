"""The cost of a hostile load to a gateway in a process of its own, in units that a busy machine does not change.

Memory is the growth of the process's resident set up to its peak. A delay of /healthz is the CPU time that the
gateway's main thread, on which the event loop runs, spends between a probe's request and its answer.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.footprint import MIB, Process

PROBE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PAUSE_S = 0.01
PROBE_S = 60.0


@dataclass(slots=True)
class Load:
    """One load: the bytes sent, and the cost while the block ran."""

    sent_bytes: int = 0
    grown_bytes: int = 0
    cpu_s: float = 0.0
    longest_delay_s: float = 0.0
    probes: int = 0

    @property
    def sent_mib(self) -> float:
        """The bytes sent, in MiB."""
        return self.sent_bytes / MIB


def loop_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process's main thread, counted in nanoseconds by the kernel."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


class _Prober(threading.Thread):
    """Asks for /healthz again and again over one connection."""

    def __init__(self, port: int, pid: int, load: Load) -> None:
        super().__init__(name="prober")
        self._port = port
        self._pid = pid
        self._load = load
        self._ends = threading.Event()
        self._failure: Exception | None = None

    def run(self) -> None:
        """Probe until the end."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=PROBE_S) as connection:
                while not self._ends.wait(PAUSE_S):
                    self._probe(connection)
        except OSError as error:
            self._failure = error

    def _probe(self, connection: socket.socket) -> None:
        before = loop_cpu_s(self._pid)
        connection.sendall(PROBE)
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:100]
        self._load.longest_delay_s = max(self._load.longest_delay_s, loop_cpu_s(self._pid) - before)
        self._load.probes += 1

    def end(self) -> None:
        """Stop, and raise the error of a failed probe."""
        self._ends.set()
        self.join()
        if self._failure is not None:
            raise self._failure


@contextmanager
def measuring(port: int, pid: int) -> Iterator[Load]:
    """Measure a load until the block ends; the block adds the bytes that it sends."""
    load, process = Load(), Process(pid)
    prober = _Prober(port, pid, load)
    process.reset_peak()
    rss, cpu_s = process.rss_mib(), process.cpu_s()
    prober.start()
    try:
        yield load
    finally:
        prober.end()
    load.grown_bytes = int((process.peak_mib() - rss) * MIB)
    load.cpu_s = process.cpu_s() - cpu_s
