"""Log lines: one format, and the lines of the access log written together, once a turn of the event loop."""

import asyncio
import io
import logging

import pytest

from app.logs import LineHandler


class Stream(io.StringIO):
    """A stream that notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def loggers_to(stream: Stream) -> tuple[logging.Logger, logging.Logger]:
    """Return the logger whose lines are gathered, and another."""
    loggers = logging.Logger("busy"), logging.Logger("other")  # noqa: LOG001  # such as no other test sees
    handler = LineHandler(stream, gathered="busy")
    for logger in loggers:
        logger.addHandler(handler)
    return loggers


async def test_the_lines_of_one_turn_are_written_together_at_its_end() -> None:
    stream = Stream()
    logger, _ = loggers_to(stream)
    for path in "abc":
        logger.info("GET %s", path)
    before = list(stream.writes)
    await asyncio.sleep(0)

    assert before == []
    assert len(stream.writes) == 1
    assert [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()] == ["a", "b", "c"]


async def test_other_loggers_lines_are_written_at_once_after_the_gathered_ones() -> None:
    stream = Stream()
    busy, other = loggers_to(stream)
    busy.info("first")
    other.info("second")

    assert [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()] == ["first", "second"]


def test_outside_of_the_loop_every_line_is_written_at_once() -> None:
    stream = Stream()
    busy, _ = loggers_to(stream)
    busy.info("first")
    busy.info("second")

    assert len(stream.writes) == 2


async def test_a_line_that_cannot_be_formatted_fails_no_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stream = Stream()
    loggers_to(stream)[0].info("%d", "none")
    await asyncio.sleep(0)

    assert stream.getvalue() == ""
