from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import GatewayError, MalformedRequestError
from app.media.multipart import FormReader
from app.media.part_heads import PartHead
from app.media.part_parser import MAX_PREAMBLE_BYTES
from tests.unit.media.forms import BOUNDARY, Part, arriving, cut, field, form, named, part, read, refusal

WHOLE = form(
    named(b"prompt", b"Two lines\r\nof text\r\n"),
    part(
        b'Content-Disposition: form-data; name="file"; filename="clip.mp4"',
        b"Content-Type: video/mp4",
        b"content-length: 41",
        data=b"\r\n--frontie\r\n--frontierX\r--frontier--\r\n--\r",
    ),
    named(b"labels[]", b""),
    named(b"labels", b"last"),
)
WHOLE_PARTS = [
    field("prompt", b"Two lines\r\nof text\r\n"),
    Part(PartHead("file", "clip.mp4", "video/mp4", 41), b"\r\n--frontie\r\n--frontierX\r--frontier--\r\n--\r"),
    field("labels", b""),
    field("labels", b"last"),
]


async def test_a_form_cut_in_two_anywhere_is_read_alike() -> None:
    for place in range(len(WHOLE) + 1):
        assert await read(cut(WHOLE, [place])) == WHOLE_PARTS, place


async def test_a_form_sent_byte_by_byte_is_read_alike() -> None:
    assert await read([WHOLE[at : at + 1] for at in range(len(WHOLE))]) == WHOLE_PARTS


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
async def test_a_form_cut_anywhere_is_read_alike(places: list[int]) -> None:
    assert await read(cut(WHOLE, places)) == WHOLE_PARTS


LOOK_ALIKES = [b"\r", b"\n", b"-", b"\r\n", b"\r\n--", b"\r\n--b", b"\r\n--bor", b"\r\n--borde\r", b"x", b"\0"]
DATA = (
    st.lists(st.sampled_from(LOOK_ALIKES) | st.binary(max_size=4), max_size=12)
    .map(b"".join)
    .filter(lambda data: b"\r\n--border" not in data)
)


@given(st.lists(DATA, max_size=4), st.lists(st.integers(0, 400), max_size=8))
async def test_data_that_resembles_boundaries_is_unchanged(datas: list[bytes], places: list[int]) -> None:
    boundary = b"border"
    body = form(*(named(b"f", data, boundary) for data in datas), boundary=boundary)

    assert await read(cut(body, places), boundary) == [field("f", data) for data in datas]


@pytest.mark.parametrize(
    "data",
    [
        b"--frontier",
        b"\r\n--frontierr\r\n",
        b"\r\n--frontier-\r\n",
        b"\r\n--frontier-x-",
        b"\r\n--frontier\r",
        b"\r\n--frontier\n",
        b"\r\n-frontier--\r\n",
        b"\r\r\n--frontie",
        b"\r\n--frontier-\r\n--frontier\rz",
    ],
)
async def test_a_line_that_only_looks_like_the_boundary_is_data(data: bytes) -> None:
    body = form(named(b"a", data), named(b"b", b"after"))

    for place in range(len(body) + 1):
        assert await read(cut(body, [place])) == [field("a", data), field("b", b"after")], place


async def test_a_form_without_parts_is_empty() -> None:
    assert await read([b"--frontier--\r\n"]) == []


async def test_the_last_line_needs_no_line_end() -> None:
    assert await read([form(named(b"a", b"1"))[:-2]]) == [field("a", b"1")]


async def test_an_empty_line_before_the_first_boundary_is_no_matter() -> None:
    assert await read([b"\r\n", form(named(b"a", b"1"))]) == [field("a", b"1")]


async def test_a_preamble_before_the_first_boundary_is_skipped_wherever_it_is_cut() -> None:
    body = b"This is a form -- in MIME.\r\n--front\n\r\n" + form(named(b"a", b"1"))

    for place in range(len(body) + 1):
        assert await read(cut(body, [place])) == [field("a", b"1")], place


@pytest.mark.parametrize("step", [1, 700, 100_000])
async def test_a_body_whose_boundary_never_comes_is_refused_early(step: int) -> None:
    body = b"--another\r\n" * 10_000
    asked = []

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), step):
            asked.append(step)
            yield body[at : at + step]

    with pytest.raises(MalformedRequestError, match="boundary"):
        await anext(FormReader(pieces(), BOUNDARY, max_parts=9))

    assert sum(asked) <= max(step, MAX_PREAMBLE_BYTES + 2 * step)


@pytest.mark.parametrize("ending", [b"\r\n", b"--\r\n"])
async def test_a_bare_line_feed_before_a_boundary_is_refused_wherever_it_is_cut(ending: bytes) -> None:
    body = named(b"a", b"1").removesuffix(b"\r\n") + b"\n--frontier" + ending + form(named(b"b", b"2"))

    for place in range(len(body) + 1):
        error = await refusal(*cut(body, [place]))
        assert isinstance(error, MalformedRequestError)
        assert "bare line feed" in error.detail


async def test_a_form_with_bare_line_feeds_throughout_is_refused_by_name() -> None:
    error = await refusal(form(named(b"a", b"1")).replace(b"\r\n", b"\n"))

    assert "bare line feed" in error.detail


async def test_bytes_after_the_closing_boundary_are_dropped() -> None:
    epilogue = b"\r\n--frontier\r\nContent-Disposition: form-data; name=late\r\n\r\n1\r\n--frontier--"

    assert await read([form(named(b"a", b"1")), epilogue, b"x" * 1000]) == [field("a", b"1")]


@pytest.mark.parametrize("length", range(len(WHOLE) - 3))
async def test_a_body_cut_anywhere_is_refused(length: int) -> None:
    assert isinstance(await refusal(WHOLE[:length]), MalformedRequestError)


async def test_data_that_was_not_asked_for_is_dropped() -> None:
    reader = FormReader(arriving([WHOLE]), BOUNDARY, max_parts=9)

    assert [head.name async for head in reader] == ["prompt", "file", "labels", "labels"]


async def test_the_data_of_a_part_is_given_once() -> None:
    reader = FormReader(arriving([WHOLE]), BOUNDARY, max_parts=9)
    await anext(reader)
    first = [bytes(piece) async for piece in reader.data()]

    assert first
    assert [piece async for piece in reader.data()] == []


async def test_the_body_is_read_only_as_far_as_the_current_part() -> None:
    asked = []

    async def body() -> AsyncIterator[bytes]:
        for piece in (part(b"Content-Disposition: form-data; name=a", data=b"12")[:-2], b"34", b"\r\n--frontier--"):
            asked.append(piece)
            yield piece

    reader = FormReader(body(), BOUNDARY, max_parts=9)
    await anext(reader)
    data = reader.data()

    assert bytes(await anext(data)) == b"12"
    assert len(asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"--other\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--other--\r\n",
        b"--frontier\nContent-Disposition: form-data; name=a\n\n1\n--frontier--\n",
        b"--frontier\r\nno colon here\r\n\r\n1\r\n--frontier--\r\n",
        b"--frontier\r\n: no name\r\n\r\n1\r\n--frontier--\r\n",
        b"--frontierContent-Disposition: form-data; name=a\r\n\r\n1\r\n--frontier--\r\n",
        b'{"prompt": "this is JSON"}',
        b"",
    ],
)
async def test_a_body_without_a_form_is_refused(body: bytes) -> None:
    error = await refusal(body)

    assert isinstance(error, MalformedRequestError)
    assert "this is JSON" not in error.detail


async def outcome(pieces: Sequence[bytes]) -> int:
    try:
        await read(pieces)
    except GatewayError as error:
        return error.status
    return 200


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
async def test_no_bytes_raise_anything_but_a_refusal(noise: bytes, places: list[int]) -> None:
    for body in (noise, WHOLE[:60] + noise + WHOLE[60:], b"--frontier\r\n" + noise):
        assert await outcome(cut(body, places)) in {200, 400, 422}
