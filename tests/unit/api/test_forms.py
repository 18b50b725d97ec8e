from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import pytest

from app.api.forms import FieldsOfFile, FormSpec, FormValues
from app.api.options import GenerateForm
from app.errors import FieldsTooLargeError, GatewayError, InvalidFieldError
from app.request.query import RequestQuery

SPEC = FormSpec(GenerateForm)
SECRET = "the client's own words, which no error may repeat"


def values(query: str = "", *, max_bytes: int = 1_000) -> FormValues[GenerateForm]:
    return FormValues(SPEC, RequestQuery.parse(query.encode()), max_bytes=max_bytes)


def taken(*fields: tuple[str, str], query: str = "") -> FormValues[GenerateForm]:
    form = values(query)
    for name, value in fields:
        form.take(name, value)
    return form


def finished(*fields: tuple[str, str], query: str = "") -> FormValues[GenerateForm]:
    form = taken(*fields, query=query)
    form.finish()
    return form


def refusal(*fields: tuple[str, str], query: str = "") -> InvalidFieldError:
    with pytest.raises(InvalidFieldError) as caught:
        finished(*fields, query=query)
    return caught.value


def named(error: GatewayError) -> list[str]:
    return [item.field for item in error.errors]


def test_a_field_is_read_on_arrival() -> None:
    form = values()

    assert form.take("temperature", "0.5") == 0.5
    assert form.form.temperature == 0.5
    assert form.form.top_p is None


def test_a_wrong_value_is_refused_on_arrival() -> None:
    with pytest.raises(InvalidFieldError) as caught:
        values().take("temperature", "3")

    (only,) = caught.value.errors
    assert (only.field, only.received) == ("temperature", "3")
    assert "2" in only.message
    assert caught.value.detail == f"temperature: {only.message}."


def test_an_empty_value_of_any_field_is_no_field() -> None:
    form = finished(*((name, "") for name in SPEC.fields), query=urlencode(dict.fromkeys(options(), "")))

    assert form.form.model_fields_set == set()
    assert form.take_of_file() == FieldsOfFile()


def options() -> Iterable[str]:
    return (name for name, field in SPEC.fields.items() if field.of_file is None or field.of_file.is_option_too)


def test_an_empty_value_of_an_unknown_field_is_still_an_unknown_field() -> None:
    assert named(refusal(("promt", ""))) == ["promt"]


def test_a_repeatable_field_keeps_its_order_and_is_never_split() -> None:
    assert finished(("stop", "END"), ("stop", "a,b"), ("stop", "END")).form.stop == ["END", "a,b", "END"]


def test_a_single_field_may_come_twice_with_one_meaning() -> None:
    form = finished(("stream", "true"), ("stream", "1"), ("temperature", "1"), ("temperature", "1.0"))

    assert (form.form.stream, form.form.temperature) == (True, 1.0)


def test_a_single_field_with_two_meanings_is_refused() -> None:
    error = refusal(("temperature", "1"), ("temperature", "0.5"))

    assert named(error) == ["temperature"]
    assert "twice" in error.detail


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("promt", "prompt"),
        ("filesize", "file_size"),
        ("temprature", "temperature"),
        ("maxOutputTokens", "max_output_tokens"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_known_name(name: str, nearest: str) -> None:
    error = refusal((name, "x"))

    assert named(error) == [name]
    assert f"Did you mean '{nearest}'?" in error.detail
    assert error.errors[0].allowed is not None
    assert set(error.errors[0].allowed.split(", ")) == {"file", *SPEC.fields}


def test_an_unknown_field_like_no_other_is_refused_without_a_guess() -> None:
    assert "Did you mean" not in refusal(("zzzzzz", "x")).detail


def test_an_unknown_name_however_long_makes_a_short_error() -> None:
    error = refusal(("x" * 8_000, "y"))

    assert len(error.detail) < 300
    assert len(error.errors[0].field) < 100


def test_fields_of_a_file_hold_for_the_next_file_alone() -> None:
    form = taken(("file_size", "10"), ("start", "1:30"), ("fps", "0.5"), ("media_resolution", "ultra_high"))

    assert form.take_of_file() == FieldsOfFile(file_size=10, start=90.0, fps=0.5, media_resolution="ultra_high")
    assert form.take_of_file() == FieldsOfFile()
    form.take("file_size", "20")
    assert form.take_of_file() == FieldsOfFile(file_size=20)
    form.finish()
    assert form.form.file_size == []
    assert form.form.media_resolution == []


def test_a_repeated_field_of_a_file_must_have_the_same_value() -> None:
    assert taken(("start", "90"), ("start", "1:30")).take_of_file() == FieldsOfFile(start=90.0)
    assert named(refusal(("start", "90"), ("start", "91"))) == ["start"]


@pytest.mark.parametrize("name", ["file_size", "sha256", "start", "end", "fps"])
def test_a_field_of_a_file_that_no_file_follows_is_refused(name: str) -> None:
    error = refusal((name, "a" * 64 if name == "sha256" else "1"))

    assert named(error) == [name]
    assert "before the file" in error.detail


@pytest.mark.parametrize("name", ["file_size", "sha256", "start", "end", "fps"])
def test_a_field_of_a_file_is_not_taken_from_the_query(name: str) -> None:
    assert named(refusal(query=f"{name}=1")) == [name]


def test_a_resolution_that_no_file_follows_is_that_of_the_request() -> None:
    assert finished(("media_resolution", "low")).form.media_resolution == ["low"]
    assert finished(query="media_resolution=low").form.media_resolution == ["low"]


def test_a_resolution_in_the_query_holds_beside_that_of_a_file() -> None:
    form = taken(("media_resolution", "high"), query="media_resolution=low")

    assert form.take_of_file() == FieldsOfFile(media_resolution="high")
    form.finish()
    assert form.form.media_resolution == ["low"]


@pytest.mark.parametrize(
    ("fields", "query"), [([("media_resolution", "ultra_high")], ""), ([], "media_resolution=ultra_high")]
)
def test_the_highest_resolution_is_for_single_files_only(fields: list[tuple[str, str]], query: str) -> None:
    assert named(refusal(*fields, query=query)) == ["media_resolution"]


def test_two_resolutions_for_the_request_are_refused() -> None:
    assert named(refusal(("media_resolution", "low"), query="media_resolution=high")) == ["media_resolution"]
    finished(("media_resolution", "low"), query="media_resolution=low")


def test_an_option_may_be_in_the_query() -> None:
    form = finished(query="temperature=0.5&stream=YES&stop=a&stop=b%2Cc&system_instruction=Gr%C3%BC%C3%9Fe+mich&seed=")

    assert (form.form.temperature, form.form.stream, form.form.stop) == (0.5, True, ["a", "b,c"])
    assert (form.form.system_instruction, form.form.seed) == ("Grüße mich", None)


def test_an_option_in_the_query_and_the_form_must_say_the_same() -> None:
    assert finished(("seed", "7"), query="seed=7").form.seed == 7
    assert named(refusal(("seed", "8"), query="seed=7")) == ["seed"]
    assert named(refusal(query="seed=7&seed=8")) == ["seed"]
    assert finished(("stop", "a"), ("stop", "b"), query="stop=a&stop=b").form.stop == ["a", "b"]
    assert named(refusal(("stop", "a"), query="stop=b")) == ["stop"]


def test_a_conflict_with_the_query_is_refused_before_the_rest_comes() -> None:
    form = values("seed=7")

    with pytest.raises(InvalidFieldError):
        form.take("seed", "8")


@pytest.mark.parametrize("query", ["temperature=3", "nonsense=1", "stream=maybe", "promt=x"])
def test_a_wrong_query_is_refused_before_the_body_is_asked_for(query: str) -> None:
    with pytest.raises(InvalidFieldError):
        values(query)


@pytest.mark.parametrize("name", ["prompt", "file", "file_id", "contents", "messages"])
def test_parts_of_the_prompt_are_refused_in_the_query(name: str) -> None:
    error = refusal(query=urlencode({name: "[]"}))

    assert named(error) == [name]
    assert "not in the query" in error.detail


def test_a_name_with_brackets_is_the_name_without() -> None:
    assert finished(query="stop[]=a&stop%5B%5D=b").form.stop == ["a", "b"]


def test_all_fields_together_have_a_limit() -> None:
    form = values(max_bytes=10)

    form.count(4)
    form.count(6)
    with pytest.raises(FieldsTooLargeError, match="10 bytes"):
        form.count(1)


def test_structured_fields_are_json_text() -> None:
    form = finished(
        ("contents", '[{"text": "Before:"}, {"file": 0, "start": 10, "sha256": "' + "A" * 64 + '"}]'),
        ("response_schema", '{"type": "object"}'),
        ("metadata", '{"order": 7}'),
    )

    assert form.form.contents is not None
    text, file = form.form.contents
    assert (text.text, file.file, file.start, file.sha256) == ("Before:", 0, 10.0, "a" * 64)
    assert form.form.response_schema == {"type": "object"}
    assert form.form.metadata == {"order": 7}


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("contents", '[{"file": -1}]', "contents[0].file"),
        ("contents", '[{"text": "a"}, {"txt": "b"}]', "contents[1].txt"),
        ("contents", "{", "contents"),
        ("contents", '"text"', "contents"),
        ("messages", '[{"role": "robot", "content": []}]', "messages[0].role"),
        ("messages", '[{"role": "user", "content": [{"start": "soon"}]}]', "messages[0].content[0].start"),
        ("response_schema", "[]", "response_schema"),
        ("metadata", "7", "metadata"),
    ],
)
def test_an_error_in_a_structured_field_is_named_by_its_path(name: str, value: str, path: str) -> None:
    assert named(refusal((name, value)))[0] == path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contents", SECRET),
        ("contents", f'["{SECRET}"]'),
        ("contents", f'[{{"file": "{SECRET}"}}]'),
        ("contents", f'[{{"text": ["{SECRET}"]}}]'),
        ("messages", f'[{{"role": "{SECRET}", "content": "{SECRET}"}}]'),
        ("messages", f'[{{"role": "user", "content": [{{"start": "{SECRET}"}}]}}]'),
        ("response_schema", f'["{SECRET}"]'),
        ("metadata", f'"{SECRET}"'),
        ("metadata", f'{{"k": "{SECRET * 60}"}}'),
    ],
)
def test_no_error_repeats_the_clients_content(name: str, value: str) -> None:
    error = refusal((name, value))

    assert "own words" not in f"{error.detail} {error.errors}"
    assert {item.received for item in error.errors} == {f"{len(value)} characters"}


def test_words_without_end_in_an_option_are_shown_in_short() -> None:
    error = refusal(("thinking_level", "x" * 5_000))

    assert error.errors[0].received == "x" * 60 + "..."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contents", f"[{','.join(['1'] * 50_000)}]"),
        ("messages", f"[{','.join(['1'] * 50_000)}]"),
        ("contents", f'[{{{",".join(f""""k{n}":1""" for n in range(50_000))}}}]'),
        ("contents", f'[{{"{"k" * 50_000}":1}}]'),
    ],
)
def test_an_error_of_many_faults_is_short(name: str, value: str) -> None:
    error = refusal((name, value))

    assert 1 <= len(error.errors) <= 20
    assert sum(len(item.field) + len(item.message) for item in error.errors) < 10_000


@pytest.mark.parametrize(("name", "value"), [("stream", "maybe"), ("start", "1:99"), ("metadata", "{")])
def test_an_error_speaks_of_the_value_and_not_of_its_own_making(name: str, value: str) -> None:
    assert "Value error" not in refusal((name, value)).detail


def test_every_field_of_the_model_but_the_file_is_known() -> None:
    known: dict[str, Any] = dict(GenerateForm.model_fields)
    del known["file"]

    assert set(SPEC.fields) == set(known)
