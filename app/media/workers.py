"""Workers: functions run in child processes, with limits on time and memory, for bytes that crash or bomb decoders.

    run(function, ...) ── waits its turn ──> a child ── pickled ──> function(...) ── pickled ──> result or error
                                               └─ killed if it takes too long, or if its caller is gone

The children are programs of their own (`worker_process`), not forks: this process has threads, an event loop, and
secrets that no child needs. Crashes stay in the child, but a child is no sandbox against malicious code. This module
knows neither the functions nor their callers.
"""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

from app.errors import BusyError
from app.media.worker_process import READY, Reply

MAX_WAITING = 64
START_TIMEOUT_S = 30.0
RETRY_AFTER_S = 2.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
_SERVE = "from app.media.worker_process import serve; serve()"

P = ParamSpec("P")
R = TypeVar("R")
_Job = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]


class WorkerTimeoutError(Exception):
    """The function exceeded its time; its process was killed."""


class WorkerDiedError(Exception):
    """The process ended before the function did: it crashed, or exceeded its memory."""


class Workers:
    """At most `count` child processes, started when first needed and kept.

    A function has `timeout_s` seconds from the moment a child accepts it, and its process `memory_bytes` bytes of
    memory. Belongs to one event loop and to one owner, who closes it.
    """

    def __init__(self, count: int, timeout_s: float, memory_bytes: int) -> None:
        self._turns = asyncio.Semaphore(count)
        self._waiting = 0
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._ending: set[Future[None]] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result of a module's function; its arguments and result must be picklable.

        Raises the function's own errors, WorkerTimeoutError, WorkerDiedError, and BusyError if too many calls wait. If
        the caller is cancelled, the function is ended too.
        """
        if self._turns.locked() and self._waiting >= MAX_WAITING:
            raise BusyError(
                f"{self._waiting} files already wait to be decoded; try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            reply = await self._call((function, args, kwargs))
        finally:
            self._turns.release()
        if reply.error is not None:
            raise reply.error from None
        return cast("R", reply.value)

    async def _call(self, job: _Job) -> Reply:
        child = self._take_child()
        self._busy.add(child)
        is_free = False
        try:
            await _within(START_TIMEOUT_S, child.start())
            reply = await _within(self._timeout_s, child.call(job))
            is_free = not reply.is_last
            return reply
        finally:
            self._busy.discard(child)
            if is_free and not self._is_closed:
                self._idle.append(child)
            else:
                self._end(child)

    def _take_child(self) -> "_Child":
        if self._is_closed:
            raise WorkerDiedError("the workers are closed")
        while self._idle:
            # The child used last has the warmest caches.
            child = self._idle.pop()
            if child.is_alive:
                return child
            self._end(child)
        return _Child(self._memory_bytes)

    def _end(self, child: "_Child") -> None:
        ending = child.end()
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all children, even at work, and wait until they are gone."""
        self._is_closed = True
        for child in (*self._idle, *self._busy):
            self._end(child)
        self._idle.clear()
        await asyncio.gather(*(asyncio.wrap_future(ending) for ending in tuple(self._ending)))


async def _within(limit_s: float, call: "asyncio.Future[R]") -> R:
    try:
        async with asyncio.timeout(limit_s):
            return await call
    except TimeoutError:
        raise WorkerTimeoutError(f"not done within {limit_s:g} s") from None
    except (OSError, EOFError, pickle.UnpicklingError):
        raise WorkerDiedError("its process ended before it did") from None


class _Child:
    """One process, and the thread that communicates with it."""

    # Each process has its own thread, because Linux kills a process with the thread that started it (PR_SET_PDEATHSIG).

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: Future[None] | None = None
        self._lock = Lock()

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> "asyncio.Future[None]":
        """Start the process unless it is running; the future is done when the process accepts jobs."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._start)

    def call(self, job: _Job) -> "asyncio.Future[Reply]":
        """Submit a job."""
        if self._ending is not None:
            raise WorkerDiedError("the workers are closed")
        return asyncio.get_running_loop().run_in_executor(self._thread, self._exchange, job)

    def end(self) -> Future[None]:
        """Kill the process, whatever it does; the future is done when it is gone."""
        if self._ending is None:
            # The thread may be about to start the process: it either sees that it must not, or has done so.
            with self._lock:
                self._ending = self._thread.submit(self._reap)
                if self._process is not None:
                    self._process.kill()
            self._thread.shutdown(wait=False)
        return self._ending

    def _start(self) -> None:
        if self._process is not None:
            return
        with self._lock:
            if self._ending is not None:
                raise EOFError
            self._process = subprocess.Popen(  # noqa: S603  # the command is fixed
                [sys.executable, "-P", "-c", _SERVE, str(os.getpid()), str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
            )
        if self._process.stdout is None or self._process.stdout.read(len(READY)) != READY:
            raise EOFError

    def _exchange(self, job: _Job) -> Reply:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise EOFError
        # A child that cannot read the whole job says why before it ends.
        with suppress(BrokenPipeError):
            pickle.dump(job, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        return cast("Reply", pickle.load(self._process.stdout))  # noqa: S301  # from a process of our own

    def _reap(self) -> None:
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # Unsent bytes are still in the buffer.
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


def _environment() -> dict[str, str]:
    """Return the part of the environment that a child needs: no keys, and this process's module paths."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # One thread each, because the number of children sets the parallelism.
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
