"""The size of a request that its form and its files share."""

from hypothesis import given
from hypothesis import strategies as st

from app.gemini.request import ENVELOPE_BYTES
from app.media.request_size import RequestSize
from app.media.spill import HeldSize

SIZES = st.lists(st.integers(1, 10_000), max_size=6)


def held(size: int) -> HeldSize:
    return HeldSize(size, inline_overhead=60, reference_length=130)


def test_a_request_without_parts_has_its_frame_alone() -> None:
    assert RequestSize(1_000).fixed_bytes == ENVELOPE_BYTES


def test_a_comma_is_counted_for_every_part_but_the_last() -> None:
    size = RequestSize(1_000)
    # Two texts of ten bytes, each with its comma.
    size.parts_bytes = 22
    size.set_file_count(3)

    assert size.fixed_bytes == ENVELOPE_BYTES + 20 + 4


@given(SIZES)
def test_a_request_that_fits_spills_no_file_and_one_byte_more_does(sizes: list[int]) -> None:
    exact = ENVELOPE_BYTES + max(0, len(sizes) - 1) + sum(held(size).inline_length for size in sizes)
    for limit, is_spilling in ((exact, False), (exact - 1, bool(sizes))):
        size = RequestSize(limit)
        size.set_file_count(len(sizes))
        for index, one in enumerate(sizes):
            size.hold(index, held(one))

        assert bool(size.spilling(None, None)) is is_spilling


@given(SIZES, st.data())
def test_files_that_are_let_go_or_change_their_sizes_leave_no_trace(sizes: list[int], data: st.DataObject) -> None:
    size, plain = RequestSize(30_000), RequestSize(30_000)
    for index, one in enumerate(sizes):
        size.hold(index, held(data.draw(st.integers(1, 10_000))))
        size.hold(index, held(one))
        plain.hold(index, held(one))
    size.hold(99, held(5_000))
    size.let_go(99)
    size.let_go(98)
    size.refer(130)
    size.refer(-130)

    assert size.spilling(None, None) == plain.spilling(None, None)


def test_the_file_being_read_counts_with_its_bytes_so_far() -> None:
    size = RequestSize(ENVELOPE_BYTES + 2_000)
    size.set_file_count(2)
    size.hold(0, held(600))

    assert size.spilling(1, held(300)) == []
    assert size.spilling(1, held(900)) == [1]
