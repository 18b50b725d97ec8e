"""Forms as bytes, and the parts that reading them must give."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest

from app.errors import GatewayError
from app.media.multipart import FormReader
from app.media.part_heads import PartHead

BOUNDARY = b"frontier"


@dataclass(frozen=True, slots=True)
class Part:
    head: PartHead
    data: bytes


def field(name: str, data: bytes) -> Part:
    return Part(PartHead(name, None, None, None), data)


def part(*headers: bytes, data: bytes = b"", boundary: bytes = BOUNDARY) -> bytes:
    return b"--" + boundary + b"\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n" + data + b"\r\n"


def form(*parts: bytes, boundary: bytes = BOUNDARY) -> bytes:
    return b"".join(parts) + b"--" + boundary + b"--\r\n"


def named(name: bytes, data: bytes, boundary: bytes = BOUNDARY) -> bytes:
    return part(b'Content-Disposition: form-data; name="' + name + b'"', data=data, boundary=boundary)


async def arriving(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def read(pieces: Sequence[bytes], boundary: bytes = BOUNDARY, max_parts: int = 100) -> list[Part]:
    reader = FormReader(arriving(pieces), boundary, max_parts=max_parts)
    return [Part(head, b"".join([bytes(piece) async for piece in reader.data()])) async for head in reader]


async def refusal(*pieces: bytes, max_parts: int = 100) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await read(pieces, max_parts=max_parts)
    return caught.value


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]
