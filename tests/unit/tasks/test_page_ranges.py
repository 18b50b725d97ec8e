"""Pages as clients name them: read, merged, and compared with the document's count."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.markdown.page_ranges import PageRangeError, read_pages

RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1"),
        ("1,3-7", "1,3-7"),
        (" 1 , 3 - 7 ", "1,3-7"),
        ("7,1,3", "1,3,7"),
        ("1-3,2-5", "1-5"),
        ("1-9,2-3", "1-9"),
        ("1,2,3", "1-3"),
        ("1-3,4-6", "1-6"),
        ("5,5,5", "5"),
        ("4-4", "4"),
        ("007", "7"),
        ("0000000000007-0000000000008", "7-8"),
        ("100000", "100000"),
        ("\t1\u00a0-\r\n2\n", "1-2"),
    ],
)
def test_pages_are_sorted_and_merged_however_they_were_written(text: str, canonical: str) -> None:
    assert str(read_pages(text)) == canonical


@pytest.mark.parametrize("text", ["x", "3-", "-3", "3--7", "1-2-3", "1.5", "-", "1;3", "٣", "²", "1 2"])
def test_an_invalid_page_is_refused_by_name(text: str) -> None:
    with pytest.raises(PageRangeError, match="is neither a page nor a range") as caught:
        read_pages(f"1,{text}")

    assert f'"{text.strip()}" is neither' in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", ",", "1,", ",1", "1,,3"])
def test_an_empty_piece_is_refused(text: str) -> None:
    with pytest.raises(PageRangeError, match=r'^an empty piece is neither a page nor a range of pages such as "3-7"$'):
        read_pages(text)


@pytest.mark.parametrize("text", ["0", "0-3", "100001", "1-100001", "9999999", "0000"])
def test_pages_count_from_1_and_their_numbers_are_bounded(text: str) -> None:
    with pytest.raises(PageRangeError, match=f'^"{text}" lies outside of 1 to 100000; pages count from 1$'):
        read_pages(text)


@pytest.mark.parametrize("text", ["9" * 5_000, "1-" + "9" * 5_000, "z" * 5_000])
def test_the_error_shows_only_the_beginning_of_a_long_page(text: str) -> None:
    with pytest.raises(PageRangeError) as caught:
        read_pages(text)

    assert len(str(caught.value)) < 120


def test_a_range_that_runs_backwards_is_refused_and_turned_round() -> None:
    with pytest.raises(PageRangeError, match=r'^"7-3" ends before it begins; write "3-7"$'):
        read_pages("1,7-3")


def test_at_most_1000_pieces_are_read() -> None:
    assert len(read_pages(",".join(str(2 * number) for number in range(1, 1_001)))) == 1_000

    with pytest.raises(PageRangeError, match=r"^there are more than 1000 pages or ranges; name fewer$"):
        read_pages("1," * 1_000 + "1")


@pytest.mark.parametrize(
    ("text", "count", "message"),
    [
        ("1,9", 5, "the document has 5 pages, and no page 9"),
        ("2-4", 1, "the document has 1 page, and no page 2"),
        ("3-7", 5, "the document has 5 pages, and no page 6"),
    ],
)
def test_a_page_that_the_document_has_not_is_refused_with_its_count(text: str, count: int, message: str) -> None:
    with pytest.raises(PageRangeError) as caught:
        read_pages(text).check(count)

    assert str(caught.value) == message


def test_pages_that_the_document_has_are_let_pass() -> None:
    read_pages("1,3-7").check(7)


def test_pages_know_their_first_last_number_and_members() -> None:
    pages = read_pages("1,3-7")

    assert (pages.first, pages.last, len(pages)) == (1, 7, 6)
    assert list(pages) == [1, 3, 4, 5, 6, 7]
    assert [page for page in range(10) if page in pages] == [1, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("page", "behind"), [(-5, 1), (0, 1), (1, 3), (2, 3), (3, 4), (6, 7), (7, None), (10**18, None)]
)
def test_page_ranges_know_the_next_page(page: int, behind: int | None) -> None:
    assert read_pages("1,3-7").after(page) == behind


def test_removing_all_pages_leaves_no_pages() -> None:
    pages = read_pages("1-9")

    assert str(pages.without({2, 3, 9, 40})) == "1,4-8"
    assert not pages.without(range(10))


@given(RANGES)
def test_pages_are_the_set_that_was_named(named: list[tuple[int, int]]) -> None:
    meant = {page for start, length in named for page in range(start, start + length + 1)}

    pages = read_pages(",".join(f"{start}-{start + length}" for start, length in named))

    assert list(pages) == sorted(meant)
    assert all((page in pages) == (page in meant) for page in range(80))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(pages.ranges))
    assert read_pages(str(pages)) == pages


@given(st.text(alphabet="0123456789,- \tx\n٣", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pages = read_pages(text)
    except PageRangeError:
        return

    assert 1 <= pages.first <= pages.last <= 100_000
