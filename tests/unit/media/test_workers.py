"""Workers: a function's result or error comes back, and its effects on its process stay there."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from types import FunctionType, ModuleType

import psutil
import pytest

from app.errors import BusyError
from app.media.facts.documents import count_pages
from app.media.workers import MAX_WAITING, WorkerDiedError, Workers, WorkerTimeoutError
from tests.unit.media.jobs import loaded_modules, raise_what_cannot_be_sent, slow_process_id
from tests.unit.media.recordings import media

MIB = 1 << 20
FOR_EVER = 600.0
OUTLIVED_BY_ITS_CHILD = """
import asyncio, os, time
from app.media.workers import Workers

async def main():
    workers = Workers(1, 60, 2**30)
    print(await workers.run(os.getpid), flush=True)
    await workers.run(time.sleep, 600)

asyncio.run(main())
"""


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers(2, 30, 512 * MIB) as workers:
        yield workers


@pytest.fixture
async def one() -> AsyncIterator[Workers]:
    async with Workers(1, 30, 512 * MIB) as workers:
        yield workers


async def is_gone(process_id: int) -> bool:
    for _ in range(200):
        if not psutil.pid_exists(process_id) or psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.05)
    return False


async def is_at_work(workers: Workers, job: "asyncio.Task[None]") -> None:
    for _ in range(200):
        if workers._busy:
            break
        await asyncio.sleep(0.01)
    assert not job.done()


async def test_a_function_of_any_module_runs_with_its_arguments(workers: Workers) -> None:
    assert await workers.run(count_pages, media("report.pdf")) == 3
    assert await workers.run(int, "ff", base=16) == 255


async def test_large_arguments_and_results_pass(workers: Workers) -> None:
    data = os.urandom(3 * MIB)

    assert await workers.run(bytes.swapcase, data) == data.swapcase()


async def test_a_worker_process_is_started_on_first_use_and_kept(workers: Workers) -> None:
    processes = {await workers.run(os.getpid) for _ in range(5)}

    assert len(processes) == 1
    assert processes != {os.getpid()}


async def test_as_many_run_at_once_as_there_are_processes(workers: Workers) -> None:
    await asyncio.gather(workers.run(time.sleep, 0.1), workers.run(time.sleep, 0.1))

    processes = await asyncio.gather(*(workers.run(os.getpid) for _ in range(20)))

    assert len(set(processes)) <= 2


async def test_an_error_of_the_function_reaches_the_caller(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await workers.run(divmod, 1, 0)

    assert "worker_process" in raised.value.__notes__[0]


async def test_an_error_does_not_cost_the_process(one: Workers) -> None:
    before = await one.run(os.getpid)
    with pytest.raises(ValueError, match="invalid literal"):
        await one.run(int, "x")

    assert await one.run(os.getpid) == before


async def test_an_unpicklable_error_is_described(workers: Workers) -> None:
    with pytest.raises(RuntimeError, match="OneWayError: 7"):
        await workers.run(raise_what_cannot_be_sent)


async def test_a_result_that_cannot_be_sent_is_an_error(workers: Workers) -> None:
    with pytest.raises(TypeError, match="pickle"):
        await workers.run(open, os.devnull)


async def test_an_unpicklable_job_is_an_error_and_the_next_job_runs(one: Workers) -> None:
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        await one.run(len, [b"x" * 100_000, lambda: None])

    assert await one.run(len, b"abc") == 3


async def test_a_function_that_the_process_cannot_import_is_an_error(
    one: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ModuleType("only_here")
    exec("def size(data): return len(data)", here.__dict__)
    size: FunctionType = here.__dict__["size"]
    monkeypatch.setitem(sys.modules, "only_here", here)

    with pytest.raises(ModuleNotFoundError, match="only_here"):
        await one.run(size, b"x" * 3 * MIB)

    assert await one.run(len, b"abc") == 3


async def test_output_of_a_function_does_not_disturb_its_result(workers: Workers) -> None:
    assert await workers.run(os.write, 1, b"") == 0
    await workers.run(print, "", end="", flush=True)
    assert await workers.run(os.read, 0, 10) == b""


async def test_a_slow_function_is_killed_and_the_next_job_runs() -> None:
    async with Workers(1, 0.5, 512 * MIB) as workers:
        process = await workers.run(os.getpid)
        with pytest.raises(WorkerTimeoutError, match=r"0\.5 s"):
            await workers.run(time.sleep, FOR_EVER)

        assert await is_gone(process)
        assert await workers.run(len, b"abc") == 3


@pytest.mark.parametrize(
    "death", [partial(os._exit, 0), partial(signal.raise_signal, signal.SIGKILL), partial(sys.exit, 3)]
)
async def test_a_crash_costs_its_job_only(one: Workers, death: partial[None]) -> None:
    with pytest.raises(WorkerDiedError):
        await one.run(death)

    assert await one.run(len, b"abc") == 3


async def test_memory_is_limited_and_given_back(one: Workers) -> None:
    with pytest.raises(WorkerDiedError):
        await one.run(bytes, 600 * MIB)

    assert len(await one.run(bytes, 10 * MIB)) == 10 * MIB


async def test_a_process_that_died_idle_costs_no_job(one: Workers) -> None:
    process = await one.run(os.getpid)
    os.kill(process, signal.SIGKILL)
    assert await is_gone(process)

    assert await one.run(len, b"abc") == 3


async def test_a_stop_that_comes_to_the_whole_group_leaves_the_processes_to_their_owner(one: Workers) -> None:
    process = await one.run(os.getpid)
    os.kill(process, signal.SIGINT)
    os.kill(process, signal.SIGTERM)

    assert await one.run(os.getpid) == process


async def test_cancelling_ends_the_function(one: Workers) -> None:
    process = await one.run(os.getpid)
    job = asyncio.create_task(one.run(time.sleep, FOR_EVER))
    await is_at_work(one, job)

    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert await is_gone(process)
    assert await one.run(len, b"abc") == 3


async def test_cancelling_before_the_start_starts_no_process(one: Workers) -> None:
    job = asyncio.create_task(one.run(time.sleep, FOR_EVER))
    await asyncio.sleep(0)

    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert await one.run(len, b"abc") == 3


async def test_too_many_waiting_jobs_are_refused(one: Workers) -> None:
    jobs = [asyncio.create_task(one.run(time.sleep, 0.2))]
    await is_at_work(one, jobs[0])
    jobs += [asyncio.create_task(one.run(time.sleep, 0)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(BusyError) as refused:
        await one.run(len, b"abc")

    assert refused.value.retry_after_s
    await asyncio.gather(*jobs)
    assert await one.run(len, b"abc") == 3


async def test_closing_ends_every_process_also_at_work() -> None:
    workers = Workers(2, 60, 512 * MIB)
    first, second = await asyncio.gather(workers.run(slow_process_id), workers.run(slow_process_id))
    job = asyncio.create_task(workers.run(time.sleep, FOR_EVER))
    await is_at_work(workers, job)

    await workers.close()

    assert not psutil.pid_exists(first)
    assert not psutil.pid_exists(second)
    with pytest.raises(WorkerDiedError):
        await job
    with pytest.raises(WorkerDiedError, match="closed"):
        await workers.run(len, b"abc")


async def test_unused_workers_close_quietly() -> None:
    await Workers(2, 60, 512 * MIB).close()


async def test_the_processes_know_no_secrets(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret")

    assert await workers.run(os.getenv, "GEMINI_API_KEY") is None


async def test_they_start_without_the_gateway_itself(workers: Workers) -> None:
    modules = await workers.run(loaded_modules)

    assert modules.isdisjoint({"fastapi", "uvicorn", "pydantic", "sqlalchemy", "aiohttp", "app.main"})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the child finishes its job first")
async def test_they_die_with_their_parent() -> None:
    # The parent sleeps in a function of its child when it is killed.
    parent = subprocess.Popen([sys.executable, "-c", OUTLIVED_BY_ITS_CHILD], stdout=subprocess.PIPE)  # noqa: ASYNC220
    assert parent.stdout is not None
    with parent, parent.stdout:
        child = int(parent.stdout.readline())
        await asyncio.sleep(0.2)

        parent.kill()

    assert await is_gone(child)
