from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media.spill import STEP_BYTES, HeldSize, largest, spills

REFERENCE = 130
OVERHEAD = 60


def held(*sizes: int) -> dict[int, HeldSize]:
    return {index: HeldSize(size, OVERHEAD, REFERENCE) for index, size in enumerate(sizes)}


def inline_length(file: HeldSize) -> int:
    return file.inline_overhead + 4 * ceil(file.size_bytes / 3)


def encoded(files: dict[int, HeldSize], gone: set[int], fixed: int) -> int:
    """The request's length in bytes if the files in `gone` are references."""
    sizes = (file.reference_length if index in gone else inline_length(file) for index, file in files.items())
    return fixed + sum(sizes)


def order_of(files: dict[int, HeldSize], reading: int | None) -> list[int]:
    """The order in which files would go: largest first; among equals the one being read, then as they came."""
    ranked = sorted(files)
    if reading in files:
        ranked.remove(reading)
        ranked.insert(0, reading)
    return sorted(ranked, key=lambda index: files[index].size_bytes, reverse=True)


def oracle(files: dict[int, HeldSize], fixed: int, limit: int, reading: int | None) -> list[int]:
    """The rule, tried out: the shortest beginning of the order with which the request fits, else all of it."""
    order = order_of(files, reading)
    fitting = (n for n in range(len(order) + 1) if encoded(files, set(order[:n]), fixed) <= limit)
    return order[: next(fitting, len(order))]


FILES = st.dictionaries(
    st.integers(0, 12),
    st.builds(HeldSize, st.integers(0, 40) | st.integers(0, 2_000_000), st.integers(40, 90), st.integers(100, 300)),
    max_size=7,
)


@given(FILES, st.integers(0, 5_000), st.integers(0, 4_000_000), st.none() | st.integers(0, 12))
def test_the_spilled_files_follow_the_rule(
    files: dict[int, HeldSize], fixed: int, limit: int, reading: int | None
) -> None:
    assert spills(files, fixed_bytes=fixed, limit_bytes=limit, reading=reading) == oracle(files, fixed, limit, reading)


@given(FILES, st.integers(0, 5_000), st.none() | st.integers(0, 12))
def test_a_byte_over_the_limit_spills_the_largest_file(
    files: dict[int, HeldSize], fixed: int, reading: int | None
) -> None:
    exact = encoded(files, set(), fixed)

    assert spills(files, fixed_bytes=fixed, limit_bytes=exact, reading=reading) == []
    assert spills(files, fixed_bytes=fixed + 1, limit_bytes=exact, reading=reading)[:1] == order_of(files, reading)[:1]


@pytest.mark.parametrize(
    ("sizes", "limit", "gone"),
    [
        ((3_000, 3_000), 2 * 4_060, []),
        ((3_000, 3_000), 2 * 4_060 - 1, [0]),
        ((3_000, 3_001), 2 * 4_060, [1]),
        ((3_001, 3_000), 2 * 4_060, [0]),
        ((9_000, 30, 6_000), 130 + 8_060 + 100, [0]),
        ((9_000, 30, 6_000), 130 + 130 + 100, [0, 2]),
        ((9_000, 30, 6_000), 130 + 130 + 99, [0, 2, 1]),
        ((), 0, []),
    ],
)
def test_the_largest_goes_first_until_the_rest_fits(sizes: tuple[int, ...], limit: int, gone: list[int]) -> None:
    assert spills(held(*sizes), fixed_bytes=0, limit_bytes=limit, reading=None) == gone


@pytest.mark.parametrize(("reading", "gone"), [(None, 0), (0, 0), (1, 1), (2, 2), (7, 0)])
def test_among_equal_files_the_file_being_read_spills_then_the_earliest(reading: int | None, gone: int) -> None:
    assert largest(held(5, 5, 5), reading) == gone


def test_a_larger_file_spills_before_the_file_being_read() -> None:
    assert largest(held(6, 5), 1) == 0


@given(FILES, st.integers(0, 5_000), st.integers(0, 4_000_000), st.none() | st.integers(0, 12))
def test_the_order_of_files_does_not_change_the_spill(
    files: dict[int, HeldSize], fixed: int, limit: int, reading: int | None
) -> None:
    turned = dict(reversed(files.items()))

    there = spills(turned, fixed_bytes=fixed, limit_bytes=limit, reading=reading)

    assert there == spills(files, fixed_bytes=fixed, limit_bytes=limit, reading=reading)


def test_a_step_is_192_kib_and_its_base64_needs_no_padding() -> None:
    assert STEP_BYTES == 192 * 1024
    assert STEP_BYTES % 3 == 0
