"""Overlap: with both links limited to the same rate, how many transfer times a call takes."""

from collections.abc import AsyncIterator
from time import perf_counter

from tests.benchmarks.footprint import MIB
from tests.benchmarks.forms import GATEWAY_PATH, SERVICE_PATH
from tests.benchmarks.large_upload import send_all, uploads, warm_up
from tests.benchmarks.processes import Server, gateway, service, upstream
from tests.benchmarks.report import Check, Result

RATE = 64 * MIB
MOST_TRANSFERS = 1.15
COLUMNS = ("both links at 64 MiB/s", "seconds", "transfer times")


async def _seconds(server: Server, path: str, size_bytes: int) -> float:
    await warm_up(server, path)
    began_at = perf_counter()
    await send_all(server, uploads(path, size_bytes), rate=RATE)
    return perf_counter() - began_at


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Send the same file through the gateway and through the plain service."""
    size_bytes = (192 if is_quick else 512) * MIB
    transfer_s = size_bytes / RATE
    with upstream(read_rate=RATE) as gemini:
        with gateway(gemini) as server:
            ours_s = await _seconds(server, GATEWAY_PATH, size_bytes)
        with service("plain", gemini) as server:
            plain_s = await _seconds(server, SERVICE_PATH, size_bytes)
    rows = [("gateway", ours_s, ours_s / transfer_s), ("plain", plain_s, plain_s / transfer_s)]
    check = Check("transfer times of a call", ours_s / transfer_s, MOST_TRANSFERS)
    yield Result(f"Overlap: {size_bytes // MIB} MiB, client and upstream equally slow", COLUMNS, rows, [check])
