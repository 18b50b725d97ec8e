"""The output: the answer on stdout, everything else on stderr.

While the answer is awaited, a terminal shows the progress. If stderr is not a terminal, no progress is shown. This
module knows nothing of HTTP.
"""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

# Up to this size, an upload is over before a progress bar could be read.
SMALL_UPLOAD_BYTES = 1_000_000
_STAGES = {"uploading": "passing the media on", "processing": "processing the media", "generating": "generating"}
# Control characters except tab and line feed: text that a picture makes a model write must not control a terminal.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


def say(message: str) -> None:
    """Write one line to stderr, without control characters."""
    line = " ".join(message.split()).translate(_CONTROLS)
    sys.stderr.write(_writable(f"{line}\n", sys.stderr.encoding))
    sys.stderr.flush()


def _writable(text: str, encoding: str | None) -> str:
    known = encoding or "utf-8"
    return text.encode(known, "replace").decode(known)


class Output:
    """stdout, written while the text arrives."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._is_at_line_start = True

    def write(self, text: str) -> None:
        """Write a piece of the answer and flush it."""
        if not text:
            return
        self._is_at_line_start = text.endswith("\n")
        shown = text.translate(_CONTROLS) if self._is_terminal else text
        sys.stdout.write(_writable(shown, sys.stdout.encoding))
        sys.stdout.flush()

    def end_line(self) -> None:
        """End the last line if it is not ended."""
        if not self._is_at_line_start:
            self.write("\n")


class Waiting:
    """Shows the upload and then the stage of the call, until it ends. A context manager."""

    def __init__(self, upload_bytes: int) -> None:
        # stderr itself decides, because rich would believe the environment.
        self._is_shown = sys.stderr.isatty()
        self._upload_bytes = upload_bytes
        self._shown: Progress | None = None
        self._is_uploading = False

    def __enter__(self) -> Self:
        if self._upload_bytes > SMALL_UPLOAD_BYTES:
            self._show("uploading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._is_uploading = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def sent(self, size_bytes: int) -> None:
        """Add bytes that the connection has accepted."""
        if self._shown is not None and self._is_uploading:
            self._shown.advance(self._shown.task_ids[0], size_bytes)

    def stage(self, name: str, left_bytes: int | None) -> None:
        """Show the gateway's current stage; `left_bytes` have not reached Gemini yet."""
        if self._is_uploading or self._shown is None:
            self._show("", TimeElapsedColumn())
            self._is_uploading = False
        if self._shown is not None:
            more = f", {left_bytes / 1e6:.1f} MB left" if left_bytes else ""
            self._shown.update(self._shown.task_ids[0], description=f"{_STAGES.get(name, name)}{more}")

    def end(self) -> None:
        """Clear the progress from the terminal."""
        self._clear()
        self._is_shown = False

    def _clear(self) -> None:
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def _show(self, description: str, *columns: ProgressColumn) -> None:
        self._clear()
        if self._is_shown:
            self._shown = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                *columns,
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._shown.add_task(description, total=self._upload_bytes)
            self._shown.start()
