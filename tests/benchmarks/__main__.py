"""The runner: `python -m tests.benchmarks [--quick] [--only NAME]`.

Its exit code is 1 when a target is missed, 2 when it broke off.
"""

import argparse
import asyncio
import platform
import signal
import sys
from time import perf_counter

import uvloop

from tests.benchmarks import clients, inline_media, large_upload, native, native_upload, overlap, small_calls, streaming
from tests.benchmarks.processes import BenchmarkError

BENCHMARKS = {
    "small": small_calls.run,
    "clients": clients.run,
    "native": native.run,
    "native-upload": native_upload.run,
    "upload": large_upload.run,
    "overlap": overlap.run,
    "inline": inline_media.run,
    "stream": streaming.run,
}


async def _measure(names: list[str], *, is_quick: bool) -> bool:
    # Terminated from outside is as good as Ctrl-C: the servers stop first.
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    are_met = True
    for name in names:
        async for result in BENCHMARKS[name](is_quick=is_quick):
            result.print()
            sys.stdout.flush()
            are_met = are_met and all(check.is_met for check in result.checks)
    return are_met


def _first(group: BaseExceptionGroup[BenchmarkError]) -> BenchmarkError:
    first = group.exceptions[0]
    return first if isinstance(first, BenchmarkError) else _first(first)


def main() -> int:
    """Measure and print; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller files, fewer rounds: under two minutes")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="only this one; may be given again")
    arguments = parser.parse_args()
    if platform.system() != "Linux":
        print("The benchmarks read /proc, so they run on Linux only.")
        return 2
    began_at = perf_counter()
    code = 2
    try:
        are_met = uvloop.run(_measure(arguments.only or list(BENCHMARKS), is_quick=arguments.quick))
    except* BenchmarkError as group:
        # Many calls at once fail for the same reason.
        print(f"\nThe benchmark broke off: {_first(group)}")
    except* (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped.")
    else:
        print(f"\n{'Every target is met' if are_met else 'A target is missed'}; {perf_counter() - began_at:.0f} s.")
        code = 0 if are_met else 1
    return code


if __name__ == "__main__":
    sys.exit(main())
