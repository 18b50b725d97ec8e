"""The client's side of a Live session: clients that have left, and clients that read nothing."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from app.native.live import client
from app.native.live.client import ClientClosedError, LiveClient, LiveMessage
from app.native.live.closing import Closing


class Line:
    """A WebSocket whose messages are scripted."""

    def __init__(self, *messages: Message, has_left: bool = False) -> None:
        self.left = list(messages)
        self.sent: list[Message] = []
        self.has_left = has_left

    async def receive(self) -> Message:
        return self.left.pop(0)

    async def send(self, message: Any) -> None:
        if self.has_left:
            raise ConnectionResetError
        self.sent.append(message)


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ({"text": "é"}, LiveMessage("é".encode(), is_text=True)),
        ({"bytes": b"a"}, LiveMessage(b"a", is_text=False)),
        ({"bytes": b"a", "text": None}, LiveMessage(b"a", is_text=False)),
        ({"bytes": None, "text": ""}, LiveMessage(b"", is_text=True)),
    ],
)
async def test_a_message_goes_on_in_a_frame_of_its_kind(received: Message, message: LiveMessage) -> None:
    line = Line({"type": "websocket.receive", **received})

    assert await LiveClient(line.receive, line.send).message() == message
    await LiveClient(line.receive, line.send).send(message)
    (sent,) = line.sent
    assert sent.get("text", sent.get("bytes")) == (received.get("text") if message.is_text else received["bytes"])


async def test_the_close_of_a_client_is_an_error_with_its_code() -> None:
    line = Line({"type": "websocket.disconnect", "code": 4000, "reason": "bye"})

    with pytest.raises(ClientClosedError) as closed:
        await LiveClient(line.receive, line.send).message()

    assert closed.value.closing == Closing(4000, "bye")


async def test_a_client_that_has_left_is_not_an_error_of_the_gateway() -> None:
    line = Line(has_left=True)

    with pytest.raises(ClientClosedError):
        await LiveClient(line.receive, line.send).send(LiveMessage(b"a", is_text=False))
    await LiveClient(line.receive, line.send).close(Closing(1000))


async def test_a_client_that_reads_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CLOSE_S", 0.05)

    async def never(message: Message) -> None:
        await asyncio.Event().wait()

    await LiveClient(Line().receive, never).close(Closing(1000))
