"""Logs: one format for all lines; lines of the busiest logger are written together, once per turn of the event loop."""

import asyncio
import logging
from typing import TextIO

LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of the logger `gathered` at the end of the loop's turn, and other lines at once, in order."""

    # Under load, this is one system call for dozens of requests. A killed process loses the lines of one turn.

    def __init__(self, stream: TextIO, *, gathered: str) -> None:
        super().__init__(stream)
        self.setFormatter(logging.Formatter(LINE_FORMAT))
        self._gathered = gathered
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line; logging holds the lock."""
        try:
            lines = self._lines
            lines.append(self.format(record))
            if record.name != self._gathered:
                self.flush()
            elif len(lines) == 1:
                self._flush_soon()
        except Exception:
            # As logging's own handlers do: no line is worth a failed request.
            self.handleError(record)

    def _flush_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the collected lines."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
            self.stream.flush()
        finally:
            self.release()


def log_to(stream: TextIO, *, gathered: str) -> None:
    """Write all log lines to a stream; lines of the logger `gathered` are written once per turn."""
    logging.basicConfig(level=logging.INFO, handlers=[LineHandler(stream, gathered=gathered)])
    # Warnings of this logger quote bytes of requests, which may be a client's data.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for name in ("httpx", "aiosqlite", "google_genai", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
