"""The only parser of query strings: readable text is read as browsers write it, any other text is refused."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequestError
from app.request.query import MAX_PARAMETERS, RequestQuery

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PAIRS = st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=MAX_PARAMETERS)


@given(PAIRS)
def test_encoded_parameters_come_back_in_their_order(pairs: list[tuple[str, str]]) -> None:
    assert RequestQuery.parse(urlencode(pairs).encode()).pairs == tuple(pairs)


@given(st.binary(max_size=60) | st.text("ab=&%4+;[]#", max_size=30).map(str.encode))
def test_bytes_are_read_as_the_framework_reads_them_or_refused(raw: bytes) -> None:
    try:
        query = RequestQuery.parse(raw)
    except MalformedRequestError:
        return

    # Starlette reads the query of the REST operations by this line.
    assert list(query.pairs) == parse_qsl(raw.decode("latin-1"), keep_blank_values=True)


@pytest.mark.parametrize(
    "raw",
    [
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"%=1",
        b"a=%u0041",
        b"upload_id%3=1",
        b"a=%FF",
        b"a=%C0%80",
        b"a=%ED%A0%80",
        b"a=\xff",
        b"a=\xc3\xa4",
        b"a=\x00",
        b"a=b c",
        b"a=\t",
        b"a=1&" * MAX_PARAMETERS,
    ],
)
def test_broken_escapes_other_encodings_and_too_many_parameters_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        RequestQuery.parse(raw)


def test_a_name_without_a_value_is_kept() -> None:
    assert RequestQuery.parse(b"a&b=&&c").pairs == (("a", ""), ("b", ""), ("c", ""))


def test_a_value_is_read_by_its_exact_name() -> None:
    query = RequestQuery.parse(b"xupload_id=1&a=upload_id=2&UPLOAD_ID=3&upload%5Fid=4")

    assert query.values("upload_id") == ("4",)
    assert (query.value("upload_id"), query.value("x")) == ("4", None)


def test_a_single_value_given_twice_is_refused_with_its_name() -> None:
    with pytest.raises(MalformedRequestError, match="'alt' is given more than once"):
        RequestQuery.parse(b"alt=sse&alt=sse").value("alt")
