"""Google's JavaScript SDK in a page, unchanged but for its base URL: every documented call, by both ways."""

from pathlib import Path

from tests.browser.frontend import frontend
from tests.closed_gateway import closed_gateway
from tests.contract.javascript import check_seen
from tests.emulator_process import Emulator, emulator_process


async def test_every_call_in_a_page_is_seen_the_same_straight_and_through_the_gateway(tmp_path: Path) -> None:
    async with frontend() as page:
        with emulator_process(EMULATOR_CORS_ORIGINS=page.origin) as straight:
            seen = await page.seen_with(straight.url, "a-key")
        with emulator_process() as behind:
            async with closed_gateway(behind, tmp_path, is_dev=False, cors_origins=(page.origin,)) as closed:
                through = await page.seen_with(closed.gateway.url, await closed.key("page"))

    check_seen(seen, through)


async def test_a_page_of_another_origin_reads_nothing(emulator: Emulator, tmp_path: Path) -> None:
    async with frontend() as page:
        straight = await page.seen_with(emulator.url, "a-key")
        async with closed_gateway(emulator, tmp_path, is_dev=False, cors_origins=("https://app.example",)) as closed:
            through = await page.seen_with(closed.gateway.url, await closed.key("page"))

    assert list(straight) == list(through) == ["refused"]
