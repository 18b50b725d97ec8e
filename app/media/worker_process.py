"""The child's half of a worker: reads pickled calls from one pipe and answers on another, until the first pipe ends.

    jobs:    (function, args, kwargs), pickled, one after the other
    replies: READY once, then a Reply for each job, pickled

The child is a program of its own that imports only the standard library, so that it starts at once. It knows neither
its caller nor the purpose of the functions.
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
    """The result of a job, or the error that it raised; after the last reply, the process ends."""

    value: object = None
    error: Exception | None = None
    is_last: bool = False


def serve() -> None:
    """Work until the pipe of jobs ends. The arguments are the parent's process id and the memory limit in bytes."""
    parent_pid, memory_bytes = (int(argument) for argument in sys.argv[1:3])
    # Ctrl-C and SIGTERM reach both processes but are meant for the parent, which ends this process.
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
    # On other systems than Linux, the end of the pipe shows that the parent is gone, after the current job.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            sys.exit()


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # Windows has none

        # Written memory counts, not memory that libraries map or reserve, which RLIMIT_AS would count too.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move both pipes to where a library that prints or reads does not find them."""
    jobs, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(jobs, "rb"), os.fdopen(replies, "wb")


def _work(jobs: BinaryIO, replies: BinaryIO) -> bool:
    """Do one job; return whether another may follow."""
    try:
        function, args, kwargs = pickle.load(jobs)  # noqa: S301  # it comes from the parent
    except EOFError:
        return False
    except Exception as error:
        # The rest of the job in the pipe would be read as the next job.
        _send(replies, Reply(error=_portable(error), is_last=True))
        return False
    try:
        reply = Reply(function(*args, **kwargs))
    except MemoryError:
        # Memory of an unfinished job is returned at once and completely if the process ends.
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
    """Return an error that can be pickled: the error itself with a note of its origin, else its message."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return cast("Exception", pickle.loads(pickle.dumps(error)))  # noqa: S301  # it was pickled just now
    except Exception:
        return RuntimeError(f"{type(error).__qualname__}: {error}")
