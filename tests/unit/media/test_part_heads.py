import re
from collections.abc import AsyncIterator

import pytest

from app.errors import InvalidFieldError, MalformedRequestError, UnsupportedMediaTypeError
from app.media.multipart import FormReader, boundary_of
from app.media.part_heads import MAX_HEADER_BYTES, MAX_HEADERS, PartHead
from tests.unit.media.forms import BOUNDARY, cut, field, form, named, part, read, refusal


async def test_a_filename_may_have_any_letters() -> None:
    disposition = 'form-data; name="file"; filename="Größe 大きさ 🎬.png"'.encode()
    (only,) = await read([form(part(b"Content-Disposition: " + disposition, data=b"x"))])

    assert only.head.filename == "Größe 大きさ 🎬.png"


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        (b"filename=plain.png; filename*=UTF-8''%C3%A9t%C3%A9.png", "été.png"),
        (b"filename*=utf-8'de'%C3%A9.png", "é.png"),
        (b"filename*=ISO-8859-1''%E9.png; filename=\"plain.png\"", "é.png"),
        (b'filename="a.png"; filename*="UTF-8\'\'%C3%A9.png"', "é.png"),
        (b"filename=plain.png; filename*=UTF-8''%FF.png", "plain.png"),
        (b"filename=plain.png; filename*=UTF-8''%zz.png", "plain.png"),
        (b"filename=plain.png; filename*=klingon''%C3%A9.png", "plain.png"),
        (b"filename=plain.png; filename*=nonsense", "plain.png"),
        (b"filename=\"a; filename*=UTF-8''other.png\"", "a; filename*=UTF-8''other.png"),
        (b"filename=\"=?utf-8?B?w7xiZXIuY3N2?=\"; filename*=utf-8''%C3%BCber.csv", "über.csv"),
        (b'filename="=?utf-8?B?w7xiZXIuY3N2?="', "über.csv"),
        (b'filename="=?ISO-8859-1?Q?=FCber_alles.csv?="', "über alles.csv"),
        (b'filename="=?utf-8?B?w7xi?= =?UTF-8?B?ZXIuY3N2?="', "über.csv"),
        (b'filename="=?utf-8?B?YcM=?= =?utf-8?B?qWI=?="', "aéb"),
        (b'filename="=?utf-8?B?!!!?="', "=?utf-8?B?!!!?="),
        (b'filename="=?klingon?B?w7xi?="', "=?klingon?B?w7xi?="),
        (b'filename="\xfcber.png"', "\ufffdber.png"),
        (b'filename="\x93\xfa\x96{.jpg"', "\ufffd\ufffd\ufffd{.jpg"),
        (b'filename="\\\\srv\\share\\cat.png"', "cat.png"),
        (b'filename="\\\\\\\\srv\\\\share\\\\cat.png"', "cat.png"),
        (b"filename*=UTF-8''C%3A%5Cphotos%5Ccat.png", "cat.png"),
    ],
)
async def test_a_filename_of_any_client_is_read(written: bytes, filename: str) -> None:
    (only,) = await read([form(part(b"Content-Disposition: form-data; name=file; " + written))])

    assert only.head.filename == filename


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        (b'"plain.png"', "plain.png"),
        (b'"a%22b%22.png"', 'a"b".png'),
        (b'"two%0D%0Alines.png"', "two  lines.png"),
        (b'"a\\"b.png"', 'a"b.png'),
        (b'"semi;colon=1.png"', "semi;colon=1.png"),
        (b'"C:\\photos\\cat.png"', "cat.png"),
        (b'"100%.png"', "100%.png"),
        (b'""', ""),
    ],
)
async def test_a_filename_is_unescaped(written: bytes, filename: str) -> None:
    (only,) = await read([form(part(b'Content-Disposition: form-data; name="file"; filename=' + written))])

    assert only.head.filename == filename


async def test_a_field_has_no_filename_and_an_unnamed_file_an_empty_filename() -> None:
    parts = await read([form(named(b"a", b""), part(b'Content-Disposition: form-data; name="b"; filename=""'))])

    assert [part.head.filename for part in parts] == [None, ""]


async def test_header_names_are_read_in_any_case_and_their_padding_is_dropped() -> None:
    (only,) = await read([form(part(b'cOnTeNt-DiSpOsItIoN:form-data; name="x"', b"CONTENT-TYPE: \t text/plain \t"))])

    assert only.head == PartHead("x", None, "text/plain", None)


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
async def test_a_transfer_encoding_without_effect_is_accepted(encoding: bytes) -> None:
    body = form(
        part(b"Content-Disposition: form-data; name=a", b"Content-Transfer-Encoding: " + encoding, data=b"\xff")
    )

    assert await read([body]) == [field("a", b"\xff")]


@pytest.mark.parametrize("length", [b"-2", b"+1", b"1.5", b"0x10", b"", b"1 2", b"9" * 16, "٣".encode()])
async def test_a_part_with_an_invalid_content_length_is_refused(length: bytes) -> None:
    error = await refusal(form(part(b"Content-Disposition: form-data; name=a", b"Content-Length: " + length)))

    assert isinstance(error, MalformedRequestError)
    assert "Content-Length" in error.detail


async def test_a_content_length_of_minus_one_claims_nothing() -> None:
    (only,) = await read([form(part(b"Content-Disposition: form-data; name=a", b"Content-Length: -1", data=b"x"))])

    assert (only.head.content_length, only.data) == (None, b"x")


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"X-Folded: 1\r\n 2", "folded header"),
        (b"Content-Type : text/plain", "begins with 'Content-Type '"),
        (b"no colon", "malformed header line"),
        (b"X: " + b"x" * MAX_HEADER_BYTES, "header of more than 8192 bytes"),
    ],
)
async def test_a_malformed_part_header_is_named_as_such(line: bytes, detail: str) -> None:
    error = await refusal(form(part(b"Content-Disposition: form-data; name=a", line)))

    assert isinstance(error, MalformedRequestError)
    assert detail in error.detail
    assert "boundary" not in error.detail


async def test_a_form_within_the_form_gets_a_hint() -> None:
    error = await refusal(
        form(part(b"Content-Disposition: form-data; name=file", b"Content-Type: multipart/mixed; boundary=b"))
    )

    assert isinstance(error, UnsupportedMediaTypeError)
    assert "part of its own" in error.detail


async def test_a_part_name_in_invalid_utf8_is_refused() -> None:
    error = await refusal(form(part(b'Content-Disposition: form-data; name="\xff\xfe"')))

    assert isinstance(error, MalformedRequestError)
    assert "UTF-8" in error.detail


async def test_a_surplus_part_is_refused_before_its_data() -> None:
    three = [named(b"a", b"1"), named(b"b", b"2"), named(b"c", b"3")]

    assert len(await read([form(*three)], max_parts=3)) == 3
    error = await refusal(*three, max_parts=2)
    assert isinstance(error, InvalidFieldError)
    assert error.errors[0].allowed == "2"


async def test_a_surplus_part_header_is_refused() -> None:
    more = [b"X-%d: 1" % number for number in range(MAX_HEADERS)]

    assert len(await read([form(part(b"Content-Disposition: form-data; name=a", *more[1:]))])) == 1
    assert isinstance(
        await refusal(form(part(b"Content-Disposition: form-data; name=a", *more))), MalformedRequestError
    )


@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_an_endless_part_header_is_refused_at_its_limit(step: int) -> None:
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
def test_a_boundary_is_found_in_any_notation(content_type: str) -> None:
    assert boundary_of(content_type) == b"+++"


@pytest.mark.parametrize("tail", ["", "; boundary=", "; charset=utf-8", f"; boundary={'x' * 71}"])
def test_a_missing_or_too_long_boundary_is_refused(tail: str) -> None:
    with pytest.raises(MalformedRequestError, match=re.escape("1 to 70")):
        boundary_of("multipart/form-data" + tail)


def test_a_missing_boundary_says_who_sets_the_content_type() -> None:
    with pytest.raises(MalformedRequestError, match="Do not set Content-Type yourself"):
        boundary_of("multipart/form-data")


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "multipart/mixed; boundary=x", "application/x-www-form-urlencoded"]
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="multipart/form-data"):
        boundary_of(content_type)


async def test_a_header_of_the_largest_size_is_taken_wherever_the_network_cut_the_form() -> None:
    longest = b"X: " + b"x" * (MAX_HEADER_BYTES - 3)
    body = form(part(longest, b"Content-Disposition: form-data; name=a", data=b"1"))
    end = body.index(longest) + MAX_HEADER_BYTES

    for places in ([], [end - 1], [end], [end + 1], [end + 2]):
        assert await read(cut(body, places)) == [field("a", b"1")]
