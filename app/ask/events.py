"""Server-sent events, read from bytes that are cut anywhere.

This module knows only the framing (HTML standard, event streams). Lines end with LF or CR LF; a lone CR, which nobody
sends, does not end a line.
"""

from collections.abc import Iterable, Iterator

from app.ask.failures import GatewayFailedError

# More than any model's whole answer; a larger event does not come from a gateway.
MAX_EVENT_BYTES = 32 * 1024 * 1024


def event_data(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event as soon as it is whole; comments and an unfinished last event are skipped.

    Raises GatewayFailedError for an event above MAX_EVENT_BYTES.
    """
    data: list[bytes] = []
    size_bytes = 0
    for line in _lines(pieces):
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
            size_bytes += len(line)
            _check(size_bytes)
        elif not line and data:
            yield b"\n".join(data)
            data, size_bytes = [], 0


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        searched = len(held)
        held += piece
        start = 0
        while (end := held.find(b"\n", max(start, searched))) >= 0:
            yield bytes(held[start:end]).removesuffix(b"\r")
            start = end + 1
        del held[:start]
        _check(len(held))


def _check(size_bytes: int) -> None:
    if size_bytes > MAX_EVENT_BYTES:
        raise GatewayFailedError(f"An event of the stream has more than {MAX_EVENT_BYTES} bytes; is --url right?")
