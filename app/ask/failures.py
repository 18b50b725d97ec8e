"""The exit codes for scripts, and the errors that lead to them. This module knows neither HTTP nor the terminal."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit status of the command."""

    ANSWERED = 0
    FAILED = 1
    WRONG_USAGE = 2
    REFUSED = 3
    BLOCKED = 4
    CUT_OFF = 5
    UNREACHABLE = 6


class AskError(Exception):
    """The base of the errors; its message is for the person who asked."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class GatewayFailedError(AskError):
    """The gateway or Gemini failed, the answer was cut, or the server is not a gateway."""


class WrongUsageError(AskError):
    """The request cannot be sent: an unreadable file, or an invalid URL."""

    exit_code = ExitCode.WRONG_USAGE


class RefusedError(AskError):
    """The gateway refused the request, which must be changed before it is sent again."""

    exit_code = ExitCode.REFUSED


class UnreachableError(AskError):
    """No server answers at the gateway's address."""

    exit_code = ExitCode.UNREACHABLE
