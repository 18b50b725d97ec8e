"""The client's messages of a Live session: their kind, and scans that leave turns to other work."""

import asyncio

import pytest

from app.native.live import requests
from app.native.live.requests import kind_of, scanned
from app.native.scanning import LIVE, JsonScanner


async def test_a_long_message_is_scanned_in_slices_with_turns_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every slice is over at once, so that the number of slices does not depend on the machine.
    monkeypatch.setattr(requests, "SLICE_S", 0)
    data = b'{"clientContent": {"x": [' + b"1," * 100_000 + b"1]}}"
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    segments = await scanned(JsonScanner(LIVE), data)
    counting.cancel()

    assert b"".join(segment if isinstance(segment, bytes) else segment.raw for segment in segments) == data
    assert turns >= len(data) // requests.PIECE_BYTES - 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"setup": {}}', b"setup"),
        (b' {\n "realtime_input": {}}', b"realtimeinput"),
        (b'{"realtimeInput":{}}', b"realtimeinput"),
        (b'{"set\\u0075p": {}}', b""),
        (b'{"": {}}', b""),
        (b"{}", b""),
        (b"[]", b""),
        (b"", b""),
    ],
)
def test_the_kind_of_a_message_is_its_first_name(data: bytes, kind: bytes) -> None:
    assert kind_of(data) == kind
