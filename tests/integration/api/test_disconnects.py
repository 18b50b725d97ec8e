"""A client that disconnects: its running work is cancelled, and nothing is left over."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway
from tests.integration.api.test_inline_or_upload import sound
from tests.raw_http import connection, form, head, part
from tests.waiting import eventually

BODY = form(part("prompt", b"Hello " * 50))


async def test_a_client_that_leaves_while_gemini_thinks_cancels_the_call(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "slow", delay_s=600)

    async with connection(gateway.port) as line:
        await line.send(head(length=len(BODY)) + BODY)
        await eventually(lambda: emulator.state["in_flight"] > 0)
        line.reset()
        await eventually(lambda: emulator.state["aborted"] > 0)


async def test_a_client_that_leaves_a_stream_cancels_the_call(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("streamGenerateContent", "drip", delay_s=600)
    body = form(part("stream", b"true"), part("prompt", b"Hello " * 50))

    async with connection(gateway.port) as line:
        await line.send(head(length=len(body)) + body)
        await line.reader.readuntil(b"event: delta")
    await eventually(lambda: emulator.state["aborted"] > 0)


async def test_a_client_that_leaves_in_mid_upload_cancels_the_session(
    small_gateway: Gateway, emulator: Emulator
) -> None:
    async with connection(small_gateway.port) as line:
        await line.send(head(length=1 << 30) + part("file", sound(900_000), "a.wav")[:-2])
        await eventually(lambda: len(emulator.open_sessions()) == 1)
        line.reset()
    await eventually(lambda: not emulator.open_sessions())

    assert emulator.files == []


async def test_a_reset_under_back_pressure_is_noticed(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault("files.upload", "slow", delay_s=600)

    async with (
        running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=262_144) as gateway,
        connection(gateway.port) as line,
    ):
        sending = asyncio.create_task(line.send(head(length=1 << 30) + part("file", sound(16 << 20), "a.wav")[:-2]))
        await eventually(lambda: emulator.state["in_flight"] > 0)
        line.reset()
        await asyncio.gather(sending, return_exceptions=True)
        await eventually(lambda: not emulator.open_sessions())

    assert emulator.files == []


async def test_a_disconnect_during_processing_leaves_no_file(small_gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "processing", delay_s=600, then="ACTIVE")
    body = form(part("file", sound(300_000), "a.wav"))

    async with connection(small_gateway.port) as line:
        await line.send(head(length=len(body)) + body)
        await eventually(lambda: len(emulator.files) == 1)
        line.reset()
    await eventually(lambda: not emulator.files)


async def test_held_bytes_are_released_after_a_disconnect(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_buffered_bytes=1_048_576) as gateway:
        for _ in range(3):
            async with connection(gateway.port) as line:
                await line.send(head(length=1 << 30) + part("file", sound(900_000), "a.wav")[:-2])
                await asyncio.sleep(0.1)
                line.reset()

        async def fits() -> bool:
            return (await gateway.generate(("file", ("a.wav", sound(900_000))))).status_code == 200

        for _ in range(100):
            if await fits():
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("the bytes of clients that left are still counted")


async def test_a_server_that_stops_lets_running_calls_end(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault("generateContent", "slow", delay_s=0.5)

    async with AsyncExitStack() as client:
        async with running_gateway(emulator.url, tmp_path, shutdown_grace_s=20) as gateway:
            line = await client.enter_async_context(connection(gateway.port))
            await line.send(head(length=len(BODY)) + BODY)
            await eventually(lambda: emulator.state["in_flight"] > 0)
        answer = await line.answer()

    assert answer.status == 200
