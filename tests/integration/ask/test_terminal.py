"""The output of `ask` on a terminal."""

import asyncio
import os
import pty
from pathlib import Path

import pytest

from tests.integration.ask.stand_in import ANSWER, PATIENCE_S, StandIn, deltas, event, gives

UPLOAD_BYTES = 4_000_000


class Terminal:
    """A terminal whose output is gathered in a thread."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()

    def _gather(self) -> bytes:
        shown = b""
        while True:
            try:
                shown += os.read(self._master, 65_536)
            except OSError:
                # Its last writer is gone.
                return shown

    async def shown_by(self, process: asyncio.subprocess.Process) -> bytes:
        """Wait for the process, and give all that the terminal was told."""
        os.close(self.slave)
        try:
            async with asyncio.timeout(PATIENCE_S):
                shown, _ = await asyncio.gather(asyncio.to_thread(self._gather), process.wait())
                return shown
        finally:
            os.close(self._master)


@pytest.fixture
def upload(tmp_path: Path) -> str:
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(UPLOAD_BYTES))
    return str(path)


async def test_a_terminal_sees_the_upload_and_the_stages_and_no_trace_of_them_after(
    gateway: StandIn, upload: str
) -> None:
    gateway.answering = gives(
        [
            event("status", stage="uploading", bytes=3_200_000),
            event("status", stage="processing"),
            *deltas("Done."),
            event("status", stage="generating"),
            event("done", response=ANSWER),
        ]
    )
    terminal = Terminal()

    process = await gateway.start("-f", upload, stderr=terminal.slave)
    shown = await terminal.shown_by(process)

    assert process.stdout is not None
    assert await process.stdout.read() == b"Done.\n"
    assert b"4.0 MB" in shown
    assert b"processing the media" in shown
    assert shown.rstrip().endswith(b"\x1b[2K")


async def test_upload_progress_is_shown_on_a_terminal_only(gateway: StandIn, upload: str) -> None:
    process = await gateway.start("-f", upload)
    stdout, stderr = await process.communicate()

    assert (stdout.decode(), stderr) == ("A café ☕.\n", b"")


async def test_a_small_upload_has_no_bar(gateway: StandIn) -> None:
    gateway.answering = gives([*deltas("Hi."), event("done", response=ANSWER)])
    terminal = Terminal()

    process = await gateway.start("Hello", stderr=terminal.slave)

    assert await terminal.shown_by(process) == b""


async def test_an_answer_cannot_steer_the_terminal(gateway: StandIn) -> None:
    gateway.answering = gives([*deltas("a\x1b]52;c;aGk=\x07\tb\x9bc\n"), event("done", response=ANSWER)])
    terminal = Terminal()

    process = await gateway.start("Hello", stdout=terminal.slave)
    shown = await terminal.shown_by(process)

    assert (
        shown.decode()
        == "a\N{REPLACEMENT CHARACTER}]52;c;aGk=\N{REPLACEMENT CHARACTER}\tb\N{REPLACEMENT CHARACTER}c\r\n"
    )


async def test_an_answer_to_a_file_is_written_as_it_came(gateway: StandIn) -> None:
    gateway.answering = gives([*deltas("a\x1b[1mb"), event("done", response=ANSWER)])

    process = await gateway.start("Hello")
    stdout, _ = await process.communicate()

    assert stdout == b"a\x1b[1mb\n"
