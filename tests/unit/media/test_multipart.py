import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import GatewayError, InvalidFieldError, MalformedRequestError, UnsupportedMediaTypeError
from app.media.multipart import MAX_HEADER_BYTES, MAX_HEADERS, FormReader, PartHead, boundary_of

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


async def test_a_form_is_the_same_wherever_the_network_cuts_it_in_two() -> None:
    for place in range(len(WHOLE) + 1):
        assert await read(cut(WHOLE, [place])) == WHOLE_PARTS, place


async def test_a_form_is_the_same_when_it_comes_byte_by_byte() -> None:
    assert await read([WHOLE[at : at + 1] for at in range(len(WHOLE))]) == WHOLE_PARTS


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
async def test_a_form_is_the_same_wherever_the_network_cuts_it(places: list[int]) -> None:
    assert await read(cut(WHOLE, places)) == WHOLE_PARTS


LOOK_ALIKES = [b"\r", b"\n", b"-", b"\r\n", b"\r\n--", b"\r\n--b", b"\r\n--bor", b"\r\n--borde\r", b"x", b"\0"]
DATA = (
    st.lists(st.sampled_from(LOOK_ALIKES) | st.binary(max_size=4), max_size=12)
    .map(b"".join)
    .filter(lambda data: b"\r\n--border" not in data)
)


@given(st.lists(DATA, max_size=4), st.lists(st.integers(0, 400), max_size=8))
async def test_data_comes_out_byte_for_byte_whatever_it_resembles(datas: list[bytes], places: list[int]) -> None:
    boundary = b"border"
    body = form(*(named(b"f", data, boundary) for data in datas), boundary=boundary)

    assert await read(cut(body, places), boundary) == [field("f", data) for data in datas]


@pytest.mark.parametrize(
    "data",
    [
        b"--frontier",
        b"\n--frontier\r\n",
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


async def test_a_filename_may_have_any_letters() -> None:
    disposition = 'form-data; name="file"; filename="Größe 大きさ 🎬.png"'.encode()
    (only,) = await read([form(part(b"Content-Disposition: " + disposition, data=b"x"))])

    assert only.head.filename == "Größe 大きさ 🎬.png"


async def test_the_extended_filename_that_the_standard_forbids_in_forms_is_ignored() -> None:
    disposition = b"form-data; name=file; filename=plain.png; filename*=UTF-8''other.png"
    (only,) = await read([form(part(b"Content-Disposition: " + disposition))])

    assert only.head.filename == "plain.png"


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        (b'"plain.png"', "plain.png"),
        (b'"a%22b%22.png"', 'a"b".png'),
        (b'"two%0D%0Alines.png"', "two  lines.png"),
        (b'"a\\"b.png"', 'a"b.png'),
        (b'"semi;colon=1.png"', "semi;colon=1.png"),
        (b'"/etc/passwd"', "passwd"),
        (b'"../../up.png"', "up.png"),
        (b'"C:\\photos\\cat.png"', "cat.png"),
        (b'"100%.png"', "100%.png"),
        (b'""', ""),
    ],
)
async def test_a_filename_is_unescaped_and_loses_its_folders(written: bytes, filename: str) -> None:
    (only,) = await read([form(part(b'Content-Disposition: form-data; name="file"; filename=' + written))])

    assert only.head.filename == filename


async def test_a_field_has_no_filename_and_an_unnamed_file_an_empty_one() -> None:
    parts = await read([form(named(b"a", b""), part(b'Content-Disposition: form-data; name="b"; filename=""'))])

    assert [part.head.filename for part in parts] == [None, ""]


async def test_header_names_are_read_in_any_case_and_their_padding_is_dropped() -> None:
    (only,) = await read([form(part(b'cOnTeNt-DiSpOsItIoN:form-data; name="x"', b"CONTENT-TYPE: \t text/plain \t"))])

    assert only.head == PartHead("x", None, "text/plain", None)


async def test_a_form_without_parts_is_empty() -> None:
    assert await read([b"--frontier--\r\n"]) == []


async def test_the_last_line_needs_no_line_end() -> None:
    assert await read([form(named(b"a", b"1"))[:-2]]) == [field("a", b"1")]


async def test_an_empty_line_before_the_first_boundary_is_no_matter() -> None:
    assert await read([b"\r\n", form(named(b"a", b"1"))]) == [field("a", b"1")]


async def test_words_before_the_first_boundary_are_refused() -> None:
    assert isinstance(await refusal(b"This is a form.\r\n", form(named(b"a", b"1"))), MalformedRequestError)


async def test_what_follows_the_end_is_read_and_dropped() -> None:
    epilogue = b"\r\n--frontier\r\nContent-Disposition: form-data; name=late\r\n\r\n1\r\n--frontier--"

    assert await read([form(named(b"a", b"1")), epilogue, b"x" * 1000]) == [field("a", b"1")]


@pytest.mark.parametrize("length", range(len(WHOLE) - 3))
async def test_a_body_that_is_cut_anywhere_is_no_whole_form(length: int) -> None:
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


async def test_nothing_more_is_asked_of_the_body_than_the_part_at_hand_needs() -> None:
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
    "headers",
    [
        (b"Content-Disposition: form-data",),
        (b'Content-Disposition: form-data; name=""',),
        (b'Content-Disposition: form-data; filename="a.png"',),
        (b'Content-Disposition: attachment; name="a"',),
        (b"Content-Type: text/plain",),
        (),
    ],
)
async def test_a_part_without_a_name_is_refused(headers: tuple[bytes, ...]) -> None:
    error = await refusal(form(part(*headers, data=b"x")))

    assert isinstance(error, MalformedRequestError)
    assert "name" in error.detail


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"gzip", b""])
async def test_a_part_in_another_encoding_is_refused(encoding: bytes) -> None:
    error = await refusal(
        form(part(b"Content-Disposition: form-data; name=a", b"Content-Transfer-Encoding: " + encoding))
    )

    assert isinstance(error, MalformedRequestError)
    assert "Content-Transfer-Encoding" in error.detail


@pytest.mark.parametrize("encoding", [b"binary", b"8bit", b"7BIT"])
async def test_an_encoding_that_changes_nothing_is_taken(encoding: bytes) -> None:
    body = form(
        part(b"Content-Disposition: form-data; name=a", b"Content-Transfer-Encoding: " + encoding, data=b"\xff")
    )

    assert await read([body]) == [field("a", b"\xff")]


@pytest.mark.parametrize("length", [b"-1", b"+1", b"1.5", b"0x10", b"", b"1 2", b"9" * 16, "٣".encode()])
async def test_a_part_whose_length_is_no_number_is_refused(length: bytes) -> None:
    error = await refusal(form(part(b"Content-Disposition: form-data; name=a", b"Content-Length: " + length)))

    assert isinstance(error, MalformedRequestError)
    assert "Content-Length" in error.detail


@pytest.mark.parametrize("disposition", [b'name="\xff\xfe"', b'name="a"; filename="\xff.png"'])
async def test_a_name_that_is_not_utf8_is_refused(disposition: bytes) -> None:
    error = await refusal(form(part(b"Content-Disposition: form-data; " + disposition)))

    assert isinstance(error, MalformedRequestError)
    assert "UTF-8" in error.detail


async def test_one_part_too_many_is_refused_before_its_data_is_read() -> None:
    three = [named(b"a", b"1"), named(b"b", b"2"), named(b"c", b"3")]

    assert len(await read([form(*three)], max_parts=3)) == 3
    error = await refusal(*three, max_parts=2)
    assert isinstance(error, InvalidFieldError)
    assert error.errors[0].allowed == "2"


async def test_one_header_too_many_is_refused() -> None:
    more = [b"X-%d: 1" % number for number in range(MAX_HEADERS)]

    assert len(await read([form(part(b"Content-Disposition: form-data; name=a", *more[1:]))])) == 1
    assert isinstance(
        await refusal(form(part(b"Content-Disposition: form-data; name=a", *more))), MalformedRequestError
    )


@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_a_header_without_end_is_refused_as_soon_as_it_is_too_long(step: int) -> None:
    head = b"--frontier\r\nX-Long: "
    asked = []

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(100_000 // step):
            asked.append(step)
            yield b"x" * step

    reader = FormReader(body(), BOUNDARY, max_parts=9)
    with pytest.raises(MalformedRequestError):
        await anext(reader)

    assert sum(asked) <= max(step, MAX_HEADER_BYTES + step)


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
async def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
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


@pytest.mark.parametrize("boundary", ["+++", "-", "--", "x" * 70, "'()+_,-./:=?", "a b"])
async def test_a_boundary_of_1_to_70_characters_is_taken(boundary: str) -> None:
    raw = boundary_of(f'multipart/form-data; boundary="{boundary}"')
    body = form(named(b"a", b"1", raw), named(b"b", b"--", raw), boundary=raw)

    assert raw == boundary.encode()
    for place in range(len(body) + 1):
        assert await read(cut(body, [place]), raw) == [field("a", b"1"), field("b", b"--")], place


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=+++",
        "Multipart/Form-Data;charset=utf-8; BOUNDARY=+++",
        'multipart/form-data;boundary="+++"',
    ],
)
def test_a_boundary_is_found_however_it_is_written(content_type: str) -> None:
    assert boundary_of(content_type) == b"+++"


@pytest.mark.parametrize("tail", ["", "; boundary=", "; charset=utf-8", f"; boundary={'x' * 71}"])
def test_a_missing_or_too_long_boundary_is_refused(tail: str) -> None:
    with pytest.raises(MalformedRequestError, match=re.escape("1 to 70")):
        boundary_of("multipart/form-data" + tail)


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded"]
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="multipart/form-data"):
        boundary_of(content_type)
