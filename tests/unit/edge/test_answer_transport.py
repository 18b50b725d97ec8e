"""The answer's transport: the pieces it sends, and when."""

import asyncio
from collections.abc import Iterable

from app.edge.cycle import AnswerTransport


class Wire(asyncio.Transport):
    """Takes down each system call's worth of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        self.sent.append(b"".join(pieces))

    def is_closing(self) -> bool:
        return b"closed" in self.sent

    def close(self) -> None:
        self.sent.append(b"closed")


class Connection:
    """A connection that lingers by saying so."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.transport: asyncio.Transport = self.wire
        self.loop = asyncio.get_running_loop()

    def linger(self) -> None:
        self.wire.sent.append(b"lingers")


async def test_the_head_and_the_first_body_bytes_leave_in_one_write() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head ")
    answer.write(bytearray(b"body "))
    answer.write(memoryview(b"end"))
    assert connection.wire.sent == []
    await asyncio.sleep(0)

    assert connection.wire.sent == [b"head body end"]


async def test_a_long_beginning_is_not_held() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head ")
    answer.write(b"x" * 20_000)
    answer.write(b"more")
    assert connection.wire.sent == [b"head " + b"x" * 20_000, b"more"]
    await asyncio.sleep(0)

    assert len(connection.wire.sent) == 2


async def test_buffered_answer_bytes_are_sent_before_the_connection_closes() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head ")
    answer.write(b"body")
    answer.flush()
    connection.transport.close()
    await asyncio.sleep(0)

    assert connection.wire.sent == [b"head body", b"closed"]


async def test_a_head_that_nothing_follows_leaves_in_the_next_turn_of_the_loop() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head")
    await asyncio.sleep(0)
    answer.write(b"body")

    assert connection.wire.sent == [b"head", b"body"]


async def test_a_close_comes_after_the_written_bytes() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head")
    answer.close()
    await asyncio.sleep(0)

    assert connection.wire.sent == [b"head", b"closed"]
    assert answer.is_closing()


async def test_a_gentle_close_is_the_connections() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)
    answer.lingers = True

    answer.write(b"head")
    answer.close()

    assert connection.wire.sent == [b"head", b"lingers"]


async def test_a_head_is_not_sent_to_a_client_that_left_meanwhile() -> None:
    connection = Connection()
    answer = AnswerTransport(connection)

    answer.write(b"head")
    connection.transport.close()
    await asyncio.sleep(0)

    assert connection.wire.sent == [b"closed"]
