"""How asking can end: the exit codes that scripts go by, and the errors that lead to them.

It knows nothing of HTTP and nothing of the terminal.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the command's exit status says."""

    ANSWERED = 0
    FAILED = 1
    WRONG_USAGE = 2
    REFUSED = 3
    BLOCKED = 4
    CUT_OFF = 5
    UNREACHABLE = 6


class AskError(Exception):
    """The root of the family; its message is for the person who asked."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class GatewayFailedError(AskError):
    """The gateway or Gemini failed, the answer was cut, or whoever answered is no gateway."""


class WrongUsageError(AskError):
    """What was asked for cannot be sent: a file that cannot be read, a URL that is none."""

    exit_code = ExitCode.WRONG_USAGE


class RefusedError(AskError):
    """The gateway refused the request: it has to be changed before it is sent again."""

    exit_code = ExitCode.REFUSED


class UnreachableError(AskError):
    """Nobody answers at the gateway's address."""

    exit_code = ExitCode.UNREACHABLE
