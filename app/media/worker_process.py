"""The child's half of a worker: takes pickled calls from one pipe, and answers on another, until the first one ends.

    jobs:    (function, args, kwargs), pickled, one after the other
    replies: READY once, then a Reply for each job, pickled

It is started as a program of its own and imports the standard library alone, so that it is there at once. It must not
know who calls it, or what the functions do.
"""

import ctypes
import os
import pickle
import signal
import sys
import traceback
from typing import BinaryIO, NamedTuple, cast

READY = b"\n"
_PR_SET_PDEATHSIG = 1


class Reply(NamedTuple):
    """What a job returned, or the error that it raised; after the last one, the process ends."""

    value: object = None
    error: Exception | None = None
    is_last: bool = False


def serve() -> None:
    """Work until the pipe of jobs ends. The arguments are the parent's process id and the memory in bytes."""
    parent_pid, memory_bytes = (int(argument) for argument in sys.argv[1:3])
    # The parent ends this process when it is done; a Ctrl-C or a stop is meant for the parent, and comes to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _die_with(parent_pid)
    _limit_memory(memory_bytes)
    jobs, replies = _take_pipes()
    replies.write(READY)
    replies.flush()
    while _work(jobs, replies):
        pass


def _die_with(parent_pid: int) -> None:
    # Elsewhere than on Linux, the end of the pipe tells that the parent is gone, once the job at hand is done.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            sys.exit()


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # Windows has none

        # What is written to counts, not what libraries map or reserve: RLIMIT_AS would count that too.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move both pipes away from where a library that prints, or reads, would find them."""
    jobs, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(jobs, "rb"), os.fdopen(replies, "wb")


def _work(jobs: BinaryIO, replies: BinaryIO) -> bool:
    """Do one job; gives whether another may follow."""
    try:
        function, args, kwargs = pickle.load(jobs)  # noqa: S301  # it comes from the parent
    except EOFError:
        return False
    except Exception as error:
        # What is left of the job in the pipe would be taken for the next one.
        _send(replies, Reply(error=_portable(error), is_last=True))
        return False
    try:
        reply = Reply(function(*args, **kwargs))
    except MemoryError:
        # Whatever was left half done is given back at once, and completely.
        return False
    except Exception as error:
        reply = Reply(error=_portable(error))
    _send(replies, reply)
    return True


def _send(replies: BinaryIO, reply: Reply) -> None:
    try:
        data = pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        raise
    except Exception as error:
        data = pickle.dumps(Reply(error=_portable(error)), pickle.HIGHEST_PROTOCOL)
    replies.write(data)
    replies.flush()


def _portable(error: Exception) -> Exception:
    """Give an error that can be sent: itself with a note of where it was raised, else what it says."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return cast("Exception", pickle.loads(pickle.dumps(error)))  # noqa: S301  # it was pickled just now
    except Exception:
        return RuntimeError(f"{type(error).__qualname__}: {error}")
