"""The lines of the log: the same as logging's own, whichever second they fall into; those of a turn in one go."""

import asyncio
import io
import logging

import pytest

from app.logs import LINE_FORMAT, LineHandler, LogLines


def record_at(seconds: float) -> logging.LogRecord:
    record = logging.LogRecord("gateway.access", logging.INFO, __file__, 0, "GET %s", ("/",), None)
    record.created, record.msecs = seconds, (seconds % 1) * 1_000
    return record


@pytest.mark.parametrize("seconds", [1_764_000_000.0, 1_764_000_000.25, 1_764_000_001.999, 1_764_000_000.5])
def test_a_line_is_as_logging_itself_writes_it(seconds: float) -> None:
    lines = LogLines()
    lines.format(record_at(1_764_000_000.75))

    assert lines.format(record_at(seconds)) == logging.Formatter(LINE_FORMAT).format(record_at(seconds))


def test_what_was_raised_stands_below_its_line() -> None:
    record = record_at(1_764_000_000.0)
    error = ValueError("wrong")
    record.exc_info = (ValueError, error, None)

    assert LogLines().format(record) == logging.Formatter(LINE_FORMAT).format(record)


class Stream(io.StringIO):
    """A stream that notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def loggers_to(stream: Stream) -> tuple[logging.Logger, logging.Logger]:
    """The one whose lines are gathered, and another."""
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


async def test_what_others_say_is_written_at_once_behind_what_came_before_it() -> None:
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


async def test_a_line_that_cannot_be_made_fails_no_call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stream = Stream()
    loggers_to(stream)[0].info("%d", "none")
    await asyncio.sleep(0)

    assert stream.getvalue() == ""
