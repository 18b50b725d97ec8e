"""Gemini's own upload protocol: memory, CPU beside the smallest relay's, time beside the SDK's own."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from statistics import median
from time import perf_counter

from google import genai
from google.genai import types

from tests.benchmarks.footprint import MIB
from tests.benchmarks.forms import Media, video
from tests.benchmarks.large_upload import COLUMNS, EIGHT_GROWTH_MIB, GIB, ONE_GROWTH_MIB, Cost, watched
from tests.benchmarks.processes import BenchmarkError, Server, gateway_with_keys, service, upstream
from tests.benchmarks.report import Check, Result
from tests.benchmarks.small_calls import ratio
from tests.benchmarks.traffic import Connection, connections

PATH = "/upload/v1beta/files"
CHUNK_BYTES = 8 * MIB
"""What the SDKs send at a time."""
LINK_BYTES_PER_S = 100e6
ROOM_BYTES = "50000000000"
"""Everything that is uploaded stays: more than a client may store by default."""
MOST_CPU = 1.5
MOST_TIME = 1.05


def _head(path: str, length: int, key: str, **fields: object) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", f"x-goog-api-key: {key}"]
    lines += [f"X-Goog-Upload-{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _pieces(head: bytes, data: Iterator[bytes], length: int) -> Iterator[bytes]:
    yield head
    while length > 0:
        piece = next(data)
        yield piece
        length -= len(piece)


def _cut(media: Media) -> Iterator[bytes]:
    """Yield the media's bytes in pieces that never cross the end of a chunk."""
    left = CHUNK_BYTES
    for piece in media.data():
        view = memoryview(piece)
        while view:
            part, view = view[:left], view[left:]
            left = left - len(part) or CHUNK_BYTES
            yield bytes(part)


async def _send(connection: Connection, key: str, media: Media) -> None:
    said = b'{"file":{"mimeType":"video/mp4"}}'
    fields = {"Protocol": "resumable", "Command": "start", "Header-Content-Length": media.size_bytes}
    answer = await connection.call(_head(PATH, len(said), key, **fields) + said)
    _, found, rest = (
        answer.body.partition(b"pload-url: ")
        if b"pload-url: " in answer.body
        else answer.body.partition(b"pload-URL: ")
    )
    if not found:
        raise BenchmarkError("the start of an upload gave no address")
    path = "/" + rest.partition(b"\r\n")[0].decode().partition("://")[2].partition("/")[2]
    data, offset = _cut(media), 0
    while offset < media.size_bytes:
        length = min(CHUNK_BYTES, media.size_bytes - offset)
        is_last = offset + length == media.size_bytes
        command = "upload, finalize" if is_last else "upload"
        head = _head(path, length, key, Command=command, Offset=offset)
        await connection.send(_pieces(head, data, length))
        offset += length


async def _cost(server: Server, key: str, size_bytes: int, count: int = 1) -> Cost:
    async with (
        watched(server, size_bytes * count) as cost,
        connections(server.port, count) as pool,
        asyncio.TaskGroup() as group,
    ):
        for number, connection in enumerate(pool):
            group.create_task(_send(connection, key, video(size_bytes, number=number)))
    return cost


def _by_sdk(server: Server, key: str, data: bytes) -> float:
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.port}")
    client = genai.Client(api_key=key, http_options=options)
    began_at = perf_counter()
    client.files.upload(file=io.BytesIO(data), config={"mime_type": "video/mp4"})
    elapsed_s = perf_counter() - began_at
    client.close()
    return elapsed_s


def _ours(gemini: Server) -> AbstractContextManager[tuple[Server, str]]:
    return gateway_with_keys(gemini, STORED_BYTES_PER_CLIENT=ROOM_BYTES)


async def _memory_and_cpu(*, is_quick: bool) -> Result:
    large, each, rounds = (256 * MIB, 64 * MIB, 3) if is_quick else (GIB, 256 * MIB, 5)
    with upstream() as gemini, service("bare-relay", gemini) as bare, _ours(gemini) as (ours, key):
        for server in (ours, bare):
            await _cost(server, key, 32 * MIB)
        one = await _cost(ours, key, large)
        eight = await _cost(ours, key, each, 8)
        turns = [(await _cost(ours, key, large), await _cost(bare, key, large)) for _ in range(rounds)]
    cpu = [own.cpu_s_per_gib for own, _ in turns]
    floor = [other.cpu_s_per_gib for _, other in turns]
    more = ratio(cpu, floor)
    rows = [
        one.row(f"gateway, {large // MIB} MiB"),
        eight.row(f"gateway, 8 x {each // MIB} MiB"),
        turns[0][1].row(f"bare relay, {large // MIB} MiB"),
    ]
    checks = [
        Check("one upload: memory growth, MiB", one.growth_mib, ONE_GROWTH_MIB),
        Check("eight at once: memory growth, MiB", eight.growth_mib, EIGHT_GROWTH_MIB),
        Check("CPU a GiB, times the bare relay's", more, MOST_CPU),
    ]
    return Result("Native uploads, in chunks of 8 MiB", COLUMNS, rows, checks)


async def _time(*, is_quick: bool) -> Result:
    size, rounds = (128 * MIB, 3) if is_quick else (256 * MIB, 5)
    data = b"".join(video(size).data())
    straight, through = [], []
    with upstream(read_rate=LINK_BYTES_PER_S) as gemini, _ours(gemini) as (ours, key):
        await asyncio.to_thread(_by_sdk, ours, key, data[: 16 * MIB])
        for _ in range(rounds):
            straight.append(await asyncio.to_thread(_by_sdk, gemini, key, data))
            through.append(await asyncio.to_thread(_by_sdk, ours, key, data))
    more = ratio(through, straight)
    rows: list[tuple[str, *tuple[float | None, ...]]] = [
        ("straight", median(straight), 1.0),
        ("through the gateway", median(through), more),
    ]
    check = Check("seconds, times those of the SDK's direct upload", more, MOST_TIME)
    return Result(f"google-genai uploads {size // MIB} MiB at 100 MB/s", ("way", "seconds", "x"), rows, [check])


async def run(*, is_quick: bool) -> AsyncIterator[Result]:
    """Measure uploads with a client's key, isolation and the ledger on."""
    yield await _memory_and_cpu(is_quick=is_quick)
    yield await _time(is_quick=is_quick)
