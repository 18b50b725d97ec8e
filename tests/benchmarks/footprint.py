"""The footprint of a process, from Linux's /proc: CPU seconds, memory and its peak, bytes written, unnamed files."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Process:
    """One process, by its id."""

    pid: int

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def _field(self, file: str, name: str) -> int:
        return int(self._read(file).partition(f"{name}:")[2].split(maxsplit=1)[0])

    def cpu_s(self) -> float:
        """CPU seconds so far, user and system, all threads; the kernel counts in hundredths."""
        # The command's name stands in brackets and may hold spaces.
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_mib(self) -> float:
        """Resident memory now."""
        return self._field("status", "VmRSS") / 1024

    def peak_mib(self) -> float:
        """Most resident memory since the start, or the last `reset_peak`."""
        return self._field("status", "VmHWM") / 1024

    def reset_peak(self) -> None:
        """Reset the peak."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def written_mib(self) -> float:
        """Bytes that it made the kernel write to storage so far."""
        return self._field("io", "write_bytes") / MIB

    def unnamed_files_mib(self) -> float:
        """Size of the open files that have no name any more, as temporary files have."""
        size = 0
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            # It may be closed while we look.
            with suppress(OSError):
                target = str(link.readlink())
                if target.startswith("/") and target.endswith("(deleted)"):
                    size += link.stat().st_size
        return size / MIB
