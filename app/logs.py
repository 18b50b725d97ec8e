"""How log lines are written: one format, and those of the busiest logger gathered within one turn of the event loop.

It knows no line of anybody's.
"""

import asyncio
import logging
import time
from typing import TextIO

LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class LogLines(logging.Formatter):
    """Lines as logging writes them, but a second's date and time are worked out once, not for each of its lines."""

    _second = 0
    _time = ""

    def __init__(self) -> None:
        super().__init__(LINE_FORMAT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # logging's name
        """Give a line's date and time, in milliseconds."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._time = time.strftime(datefmt or self.default_time_format, time.localtime(second))
        return f"{self._time},{int(record.msecs):03d}"

    def format(self, record: logging.LogRecord) -> str:
        """Give a line, and what stands below it."""
        if record.exc_info or record.exc_text or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)} {record.levelname} {record.name} {record.getMessage()}"


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of one logger, `gathered`, at the end of the loop's turn, and all others at once; in order.

    Under load that is one system call for dozens of calls. A process that is killed loses what one turn gathered.
    """

    def __init__(self, stream: TextIO, *, gathered: str) -> None:
        super().__init__(stream)
        self.setFormatter(LogLines())
        self._gathered = gathered
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; logging holds the lock."""
        try:
            lines = self._lines
            lines.append(self.format(record))
            if record.name != self._gathered:
                self.flush()
            elif len(lines) == 1:
                self._flush_soon()
        except Exception:
            # As logging's own handlers do: no line is worth a failed call.
            self.handleError(record)

    def _flush_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what there is."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
            self.stream.flush()
        finally:
            self.release()


def log_to(stream: TextIO, *, gathered: str) -> None:
    """Have everything that is logged written to a stream; `gathered` is the logger whose lines may come together."""
    # What no line of ours shows is not looked up for each of them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.INFO, handlers=[LineHandler(stream, gathered=gathered)])
    # Its warnings quote what came in a request.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for name in ("httpx", "aiosqlite", "google_genai", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
