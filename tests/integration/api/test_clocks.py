"""A clock that is wrong for a minute costs nobody a file: Gemini's Date, this machine's clock, a start under it."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.gemini.clock import CONFIRMING_S, KEPT_AFTER_EXPIRY_S, GeminiClock
from tests.emulator_process import Emulator
from tests.forwarder import Forwarder, forwarder
from tests.gateway import MEDIA, Gateway, running_gateway
from tests.stores import database_url
from tests.waiting import eventually_is

DAY_S = 86_400.0
NAMES = ("report.pdf", "shapes.jpg", "shapes.png", "speech.mp3", "speech.wav")


@dataclass(slots=True)
class World:
    """Gateways in front of one emulator; `pass_time` moves every clock, `machine_s` is the machine's error."""

    emulator: Emulator
    upstream: Forwarder
    folder: Path
    machine_s: float = 0.0
    gateways: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def now(self) -> float:
        return time.time() + self.upstream.ahead_s

    def clock(self) -> GeminiClock:
        return GeminiClock(
            machine=lambda: self.now + self.machine_s, monotonic=lambda: time.monotonic() + self.upstream.ahead_s
        )

    async def start(self) -> Gateway:
        gateway = running_gateway(
            self.upstream.url, self.folder, clock=self.clock(), inline_limit_bytes=1_000, chunk_bytes=262_144
        )
        return await self.gateways.enter_async_context(gateway)

    def pass_time(self, seconds: float) -> None:
        self.upstream.ahead_s += seconds
        self.emulator.advance(seconds)

    async def listings(self, count: int) -> None:
        """Wait until the gateway has listed Gemini's files so many times more: each sweep does."""
        target = len(self.emulator.requests("files.list")) + count
        # One more has begun when the last of them has been acted on.
        await eventually_is(lambda: self._has_listed(target + 1))

    async def _has_listed(self, target: int) -> bool:
        return len(self.emulator.requests("files.list")) >= target

    async def confirm(self) -> None:
        """Let clocks agree for minutes."""
        for _ in range(4):
            self.pass_time(CONFIRMING_S / 3)
            await self.listings(1)


@pytest.fixture
async def world(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("app.media.background_tasks.SWEEP_INTERVAL_S", 0.05)
    monkeypatch.setattr("app.media.file_sweep.LIST_INTERVAL_S", 0.0)
    monkeypatch.setattr("app.media.file_sweep.RETRY_LIST_S", 0.0)
    async with forwarder(emulator.url) as upstream:
        world = World(emulator, upstream, tmp_path)
        async with world.gateways:
            yield world


async def upload(gateway: Gateway) -> list[str]:
    parts = [("file", (name, (MEDIA / name).read_bytes())) for name in NAMES]
    return [(await gateway.post_form("/api/v1/files", part)).json()["id"] for part in parts]


async def usable(gateway: Gateway, ids: list[str]) -> list[int]:
    return [(await gateway.generate(("prompt", "What is it?"), ("file_id", file_id))).status_code for file_id in ids]


async def rows(folder: Path, table: str = "uploads") -> int:
    engine = create_async_engine(database_url(folder))
    async with engine.connect() as connection:
        count = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
    await engine.dispose()
    return int(count or 0)


@pytest.mark.parametrize("skew_s", [3 * DAY_S, 30 * DAY_S, -3 * DAY_S])
async def test_a_wrong_date_header_for_a_minute_expires_and_deletes_no_file(world: World, skew_s: float) -> None:
    gateway = await world.start()
    ids = await upload(gateway)
    await world.listings(1)
    world.upstream.date_ahead_s = skew_s
    world.pass_time(31)
    await world.listings(2)
    during = await usable(gateway, ids)
    world.pass_time(31)
    await world.listings(2)
    world.upstream.date_ahead_s = 0.0
    await world.confirm()

    assert during == [200] * 5
    assert await usable(gateway, ids) == [200] * 5
    assert (await rows(world.folder), await rows(world.folder, "files")) == (5, 5)
    assert len(world.emulator.files) == 5


@pytest.mark.parametrize("skew_s", [3 * DAY_S, -3 * DAY_S])
async def test_a_wrong_machine_clock_for_a_minute_expires_and_deletes_no_file(world: World, skew_s: float) -> None:
    gateway = await world.start()
    ids = await upload(gateway)
    await world.listings(1)
    world.machine_s = skew_s
    world.pass_time(62)
    await world.listings(2)
    during = await usable(gateway, ids)
    world.machine_s = 0.0
    await world.confirm()

    assert during == [200] * 5
    assert await usable(gateway, ids) == [200] * 5
    assert (await rows(world.folder), await rows(world.folder, "files")) == (5, 5)


async def test_a_start_under_a_wrong_machine_clock_expires_and_deletes_no_file(world: World) -> None:
    ids = await upload(await world.start())
    await world.gateways.aclose()
    world.machine_s = 30 * DAY_S
    gateway = await world.start()
    await world.listings(2)
    during = await usable(gateway, ids)
    world.machine_s = 0.0
    await world.confirm()

    assert during == [200] * 5
    assert await usable(gateway, ids) == [200] * 5
    assert (await rows(world.folder), await rows(world.folder, "files")) == (5, 5)
    assert len(world.emulator.files) == 5


async def test_a_file_within_ten_minutes_of_its_expiry_is_not_taken_for_a_new_call(world: World) -> None:
    gateway = await world.start()
    ids = await upload(gateway)
    world.pass_time(2 * DAY_S - 300)
    await world.listings(1)
    answer = await gateway.generate(("prompt", "What is it?"), ("file_id", ids[0]))

    assert (answer.status_code, answer.json()["code"]) == (404, "file-not-found")
    assert (await gateway.client.get(f"/api/v1/files/{ids[0]}")).status_code == 200


async def test_rows_of_expired_files_are_kept_for_days_and_dropped_when_the_list_confirms(world: World) -> None:
    gateway = await world.start()
    ids = await upload(gateway)
    world.pass_time(2 * DAY_S + 60)
    await world.listings(2)
    expired = await usable(gateway, ids)
    kept = await rows(world.folder)
    world.pass_time(KEPT_AFTER_EXPIRY_S)
    await world.listings(2)

    assert expired == [404] * 5
    assert kept == 5
    assert (await rows(world.folder), await rows(world.folder, "files")) == (0, 0)


async def test_a_file_that_gemini_still_lists_keeps_its_row_however_long_ago_it_expired(world: World) -> None:
    gateway = await world.start()
    await upload(gateway)
    # Only the gateway's time passes: by its clock, Gemini should have let the files expire.
    world.upstream.ahead_s += 2 * DAY_S + KEPT_AFTER_EXPIRY_S + 60
    await world.listings(3)

    assert await rows(world.folder) == 5


async def test_a_file_without_a_row_is_counted_in_the_log_and_not_deleted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.start()
    async with httpx.AsyncClient(base_url=world.emulator.url, headers={"x-goog-api-key": "k"}) as gemini:
        for name in ("a" * 40, "somebody-elses"):
            body = f'--b\r\nContent-Type: application/json\r\n\r\n{{"file": {{"name": "files/{name}"}}}}\r\n'
            body += "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
            headers = {"content-type": "multipart/related; boundary=b", "x-goog-upload-protocol": "multipart"}
            answer = await gemini.post("/upload/v1beta/files", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
    await world.listings(2)
    world.pass_time(DAY_S)
    await world.listings(2)

    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.files"]
    assert sum("1 files at Gemini have this gateway's kind of name and no row here (5 bytes)" in line for line in lines)
    assert len(world.emulator.files) == 2


async def test_the_row_of_a_lost_file_is_forgotten_after_two_lists(world: World) -> None:
    gateway = await world.start()
    ids = await upload(gateway)
    lost = world.emulator.files[0]["name"]
    async with httpx.AsyncClient(base_url=world.emulator.url, headers={"x-goog-api-key": "k"}) as gemini:
        assert (await gemini.delete(f"/v1beta/{lost}")).status_code == 200
    await world.listings(2)
    kept_at_first = await rows(world.folder)
    world.pass_time(3_700)
    await world.listings(3)

    assert kept_at_first == 5
    assert await rows(world.folder) == 4
    assert sorted(await usable(gateway, ids)) == [200] * 4 + [404]
