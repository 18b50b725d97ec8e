"""The lines of the log: the same as logging's own, whichever second they fall into."""

import logging

import pytest

from app.cli import LINE_FORMAT, LogLines


def record_at(seconds: float) -> logging.LogRecord:
    record = logging.LogRecord("gateway.access", logging.INFO, __file__, 0, "GET %s", ("/",), None)
    record.created, record.msecs = seconds, (seconds % 1) * 1_000
    return record


@pytest.mark.parametrize("seconds", [1_764_000_000.0, 1_764_000_000.25, 1_764_000_001.999, 1_764_000_000.5])
def test_a_line_is_as_logging_itself_writes_it(seconds: float) -> None:
    lines = LogLines(LINE_FORMAT)
    lines.format(record_at(1_764_000_000.75))

    assert lines.format(record_at(seconds)) == logging.Formatter(LINE_FORMAT).format(record_at(seconds))
