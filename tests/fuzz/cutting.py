"""Inputs that are read in pieces: their first bytes say where the pieces are cut. No event loop is needed."""

from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, TypeVar

T = TypeVar("T")
CUT_BYTES = 3
LONGEST_SINGLE_BYTES = 600


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("the coroutine waits")


def cuttings(data: bytes) -> tuple[bytes, list[list[bytes]]]:
    """Return the body of an input, and ways to cut the body: at the places that the input names, and byte by byte."""
    body = data[CUT_BYTES:]
    edges = sorted({0, len(body), *(byte * len(body) // 255 for byte in data[:CUT_BYTES])})
    ways = [[body[start:end] for start, end in pairwise(edges)]]
    if len(body) <= LONGEST_SINGLE_BYTES:
        ways.append([bytes([byte]) for byte in body])
    return body, ways
