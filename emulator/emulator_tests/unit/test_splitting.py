"""How answers are cut into TCP segments."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.app import create_emulator
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.splitting import MOST_SINGLE_BYTES, Cut, SplitMode, Splitter, Splitting

CHUNKS = st.lists(st.binary(max_size=40), max_size=5)


@given(CHUNKS, st.none() | st.integers(0, 200))
def test_splitting_keeps_every_byte_and_sends_a_piece_for_every_chunk(chunks: list[bytes], at: int | None) -> None:
    splitter = Splitter(Cut(at))

    pieces = [splitter.pieces(chunk) for chunk in chunks]

    assert [b"".join(of_chunk) for of_chunk in pieces] == chunks
    assert all(of_chunk for of_chunk in pieces)


@given(CHUNKS, st.integers(1, 200))
def test_a_cut_counts_from_the_bodys_first_byte(chunks: list[bytes], at: int) -> None:
    splitter = Splitter(Cut(at))
    whole = b"".join(chunks)

    pieces = [piece for chunk in chunks for piece in splitter.pieces(chunk)]

    ends = {len(b"".join(pieces[: index + 1])) for index in range(len(pieces))}
    assert at in ends or at >= len(whole)


def test_byte_by_byte_holds_for_the_first_bytes_of_a_long_answer() -> None:
    pieces = Splitter(Cut()).pieces(b"x" * (MOST_SINGLE_BYTES + 500))

    assert [len(piece) for piece in pieces] == [1] * MOST_SINGLE_BYTES + [500]


@pytest.mark.parametrize(("mode", "most"), [(SplitMode.NONE, 1), (SplitMode.TWO, 2), (SplitMode.BYTES, 10)])
def test_the_emulators_mode_splits_every_answer(mode: SplitMode, most: int) -> None:
    splitting = Splitting(mode)

    for _ in range(20):
        splitter = splitting.splitter(None, 10)
        pieces = [b"0123456789"] if splitter is None else splitter.pieces(b"0123456789")
        assert len(pieces) == most


def test_two_pieces_are_cut_at_every_place_in_turn() -> None:
    splitting = Splitting(SplitMode.TWO)

    places = set()
    for _ in range(9):
        splitter = splitting.splitter(None, 10)
        assert splitter is not None
        places.add(len(splitter.pieces(b"0123456789")[0]))

    assert places == set(range(1, 10))


async def bodies(config: EmulatorConfig, path: str, *headers: tuple[bytes, bytes]) -> list[bytes]:
    """Return the body messages of one answer of the emulator's application."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"x-goog-api-key", b"k"), *headers],
    }
    await create_emulator(config)(scope, receive, send)
    return [message["body"] for message in sent if message["type"] == "http.response.body"]


async def test_a_fault_splits_one_answer_where_it_says() -> None:
    fault = (b"x-emulator-fault", b'{"kind": "split", "afterBytes": 7}')

    [whole] = await bodies(EmulatorConfig(), "/v1beta/models")
    pieces = await bodies(EmulatorConfig(), "/v1beta/models", fault)

    assert [len(piece) for piece in pieces] == [7, len(whole) - 7]
    assert b"".join(pieces) == whole


@pytest.mark.parametrize("mode", ["two", "bytes"])
async def test_a_setting_splits_every_answer_but_those_to_inspections(mode: str) -> None:
    config = EmulatorConfig(split_answers=SplitMode(mode))

    assert len(await bodies(config, "/v1beta/models")) > 1
    assert len(await bodies(config, "/emulator/state")) == 1
