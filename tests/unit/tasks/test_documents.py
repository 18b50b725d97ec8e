"""Documents as Markdown: the question, and the pages joined without repeats or gaps."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.markdown.page_ranges import PageRanges, read_pages
from app.tasks.markdown.question import MAX_PAGES, Page, Pages, ReadDocument, question
from app.tasks.task import Progress, Question

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", " 2 ", "3.0", "x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries({}, optional={"page": VALUES | st.integers(-1, 9), "markdown": VALUES | st.text()})
ANSWERS = VALUES | st.lists(ITEMS | VALUES) | st.fixed_dictionaries({"pages": st.lists(ITEMS | VALUES) | VALUES})


def page_schema(asked: Question) -> Mapping[str, object]:
    schema: Any = asked.schema
    page: Mapping[str, object] = schema["properties"]["pages"]["items"]["properties"]["page"]
    return page


def asked(text: str | None = None, page_count: int | None = None, **more: str) -> Question:
    pages = None if text is None else read_pages(text)
    return question(pages=pages, page_count=page_count, language=more.get("language"), prompt=more.get("prompt"))


def accumulator(text: str | None = None, page_count: int | None = None) -> Pages:
    return Pages(pages=None if text is None else read_pages(text), page_count=page_count)


def answer(*numbers: object, text: str = "Page {}") -> str:
    return json.dumps({"pages": [{"page": number, "markdown": text.format(number)} for number in numbers]})


def numbers(document: ReadDocument) -> list[int]:
    return [page.page for page in document.pages]


def codes(document: ReadDocument) -> list[str]:
    return [warning.code for warning in document.warnings]


def markdown_of(markdown: object) -> str:
    pages = accumulator(page_count=1)
    pages.take(json.dumps({"pages": [{"page": 1, "markdown": markdown}]}))
    return pages.result().pages[0].markdown


# What is asked


def test_the_answer_is_a_list_of_pages_with_their_markdown() -> None:
    schema: Any = asked(page_count=3).schema

    assert schema["required"] == ["pages"]
    item = schema["properties"]["pages"]["items"]
    assert item["required"] == ["page", "markdown"]
    assert item["properties"]["markdown"] == {"type": "string"}


@pytest.mark.parametrize(
    ("pages", "page_count", "limits"),
    [
        (None, None, {"minimum": 1}),
        (None, 12, {"minimum": 1, "maximum": 12}),
        ("3-7", 12, {"minimum": 3, "maximum": 7}),
        ("3-7", None, {"minimum": 3, "maximum": 7}),
        ("1,3-4", 12, {"minimum": 1, "maximum": 4, "enum": [1, 3, 4]}),
        ("1-99,101", 200, {"minimum": 1, "maximum": 101, "enum": [*range(1, 100), 101]}),
        ("1-100,102", 200, {"minimum": 1, "maximum": 102}),
    ],
)
def test_the_schema_allows_the_wanted_pages_alone(
    pages: str | None, page_count: int | None, limits: dict[str, object]
) -> None:
    assert page_schema(asked(pages, page_count)) == {"type": "integer", **limits}


def test_the_instruction_names_the_pages_and_their_count() -> None:
    instruction = asked("1,3-7", 12).instruction

    assert "Return only these pages: 1,3-7." in instruction
    assert "Number of pages in the document: 12." in instruction
    assert "Return only" not in asked(page_count=12).instruction
    assert "Number of pages" not in asked().instruction


def test_the_document_is_translated_only_into_a_language_that_was_given() -> None:
    assert "do not translate" in asked().instruction
    assert "in this language, and translate text in other languages: Welsh." in asked(language="Welsh").instruction


def test_the_clients_prompt_is_the_last_line_of_the_instruction() -> None:
    assert asked(prompt="Leave out footnotes.").instruction.endswith("\nAdditional instructions: Leave out footnotes.")
    assert "Additional instructions" not in asked().instruction


def test_facts_about_the_file_hardly_lengthen_the_question() -> None:
    text = ",".join(str(2 * number) for number in range(1, 400))

    before, after = asked(text), asked(text, 1_000)

    assert (
        len(json.dumps([after.instruction, after.schema])) < len(json.dumps([before.instruction, before.schema])) + 99
    )


# Pages of one answer


def test_pages_come_in_order_and_the_document_is_complete() -> None:
    pages = accumulator(page_count=3)

    taken = pages.take(answer(1, 3, 2))

    assert taken == Progress(is_whole=True, has_new=True)
    assert pages.result() == ReadDocument((Page(1, "Page 1"), Page(2, "Page 2"), Page(3, "Page 3")), None, ())


@pytest.mark.parametrize("number", ["2", " 2 ", 2.0])
def test_page_numbers_may_be_text_or_floats(number: object) -> None:
    pages = accumulator("2", 3)

    pages.take(answer(number))

    assert numbers(pages.result()) == [2]


@pytest.mark.parametrize("number", [None, "ii", 1.5, True, [2], "-", ""])
def test_a_page_without_a_number_is_the_next_wanted_page(number: object) -> None:
    pages = accumulator("2,5-6", 9)

    pages.take(answer(number, number, 6))

    assert numbers(pages.result()) == [2, 5, 6]


def test_unwanted_pages_are_dropped_with_one_warning() -> None:
    pages = accumulator("2-3", 9)

    taken = pages.take(answer(0, 1, 2, 3, 4, -1, 10**15, 1e300, "999999999"))

    assert taken.is_whole
    document = pages.result()
    assert numbers(document) == [2, 3]
    assert codes(document) == ["unwanted-pages"]
    assert document.warnings[0].detail.endswith("do not exist: 7.")


def test_the_first_copy_of_a_page_is_kept() -> None:
    pages = accumulator(page_count=1)

    pages.take('[{"page": 1, "markdown": "first"}, {"page": 1, "markdown": "again"}]')

    assert pages.result().pages == (Page(1, "first"),)


@pytest.mark.parametrize("markdown", ["", " \n\t\n ", None, "\u0000", "```markdown\n\n```"])
def test_a_blank_page_is_an_empty_text(markdown: object) -> None:
    assert markdown_of(markdown) == ""


@pytest.mark.parametrize(
    ("markdown", "page"),
    [
        ("```markdown\n# Title\n```", "# Title"),
        ("```md\n# Title\n```\n", "# Title"),
        ("\n``` Markdown \n\n# Title\n\n```", "# Title"),
        ("~~~markdown\n# Title\n~~~", "# Title"),
        ("````markdown\n```\ncode\n```\n````", "```\ncode\n```"),
        ("```markdown\n# Title\n```python\nx = 1\n```\n```", "# Title\n```python\nx = 1\n```"),
    ],
)
def test_a_fence_around_the_whole_page_is_taken_off(markdown: str, page: str) -> None:
    assert markdown_of(markdown) == page


@pytest.mark.parametrize(
    "markdown",
    [
        "```python\nx = 1\n```",
        "```\nlisting\n```",
        "```markdown\nan example\n```\nText.\n```python\nx = 1\n```",
        "```markdown",
        "```markdown\nnot closed",
        "Text.\n```markdown\n# Title\n```",
        "    code\n    code",
        "| a | b |\n|---|---|\n| 1 |  |",
    ],
)
def test_the_markdown_of_a_page_is_unchanged(markdown: str) -> None:
    assert markdown_of(markdown) == markdown


def test_line_ends_and_control_characters_are_mended() -> None:
    assert markdown_of("\r\n \na\r\nb\rc\u0000\u000b\u000c\u001b[1m\td\u007f  \n") == "a\nb\nc[1m\td"


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": 3}',
        '{"pages": "none"}',
        '{"pages": [{"page": 1}]}',
        '{"pages": [{"markdown": 3}]}',
        "[1, 2]",
        '["a"]',
        "I see nothing.",
    ],
)
def test_an_answer_without_pages_cannot_be_read(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        accumulator(page_count=2).take(text)


@pytest.mark.parametrize("text", ["{}", "[]", '{"pages": []}', '{"pages": [{"page": 1, "markdo', '{"title": "x", "pa'])
def test_an_empty_list_is_an_answer(text: str) -> None:
    pages = accumulator(page_count=2)

    assert pages.take(text) == Progress(is_whole=False, has_new=False)
    assert pages.last_items() == ""
    assert pages.result() == ReadDocument((), 1, ())


# Pages of several answers


def test_a_cut_document_continues_at_the_cut_page() -> None:
    pages = accumulator(page_count=5)

    taken = pages.take(answer(1, 2, 3)[:-8])

    assert taken == Progress(is_whole=False, has_new=True)
    assert pages.result().truncated_at_page == 3
    assert json.loads(pages.last_items()) == {
        "pages": [{"page": 1, "markdown": "Page 1"}, {"page": 2, "markdown": "Page 2"}]
    }
    following = pages.continuation()
    assert "Continue with page 3. These pages are still missing: 3-5." in following.instruction
    assert page_schema(following) == {"type": "integer", "minimum": 3, "maximum": 5}

    assert pages.take(answer(3, 4, 5)) == Progress(is_whole=True, has_new=True)
    assert pages.result() == ReadDocument(tuple(Page(number, f"Page {number}") for number in range(1, 6)), None, ())


def test_pages_that_come_again_are_left_out() -> None:
    pages = accumulator(page_count=3)
    pages.take(answer(1, 2))

    assert pages.take(answer(1, 2, text="again")) == Progress(is_whole=False, has_new=False)
    assert pages.take(answer(2, 3, text="new")) == Progress(is_whole=True, has_new=True)
    assert pages.result().pages == (Page(1, "Page 1"), Page(2, "Page 2"), Page(3, "new"))


def test_a_model_that_stops_early_is_asked_for_the_rest() -> None:
    pages = accumulator("1,3-7", 9)

    assert pages.take(answer(1, 3, 4)) == Progress(is_whole=False, has_new=True)
    assert page_schema(pages.continuation()) == {"type": "integer", "minimum": 5, "maximum": 7}
    assert pages.result().truncated_at_page == 5


def test_a_page_that_was_skipped_is_asked_for_and_else_warned_of() -> None:
    pages = accumulator(page_count=5)

    assert pages.take(answer(1, 2, 4)) == Progress(is_whole=False, has_new=True)
    document = pages.result()
    assert document.truncated_at_page == 3
    assert codes(document) == ["skipped-pages"]
    assert json.loads(pages.last_items())["pages"][-1]["page"] == 2
    following = pages.continuation()
    assert "still missing: 3,5." in following.instruction
    assert page_schema(following) == {"type": "integer", "minimum": 3, "maximum": 5, "enum": [3, 5]}

    pages.take(answer(None, None))
    assert pages.result() == ReadDocument(
        (Page(1, "Page 1"), Page(2, "Page 2"), Page(3, "Page None"), Page(4, "Page 4"), Page(5, "Page None")), None, ()
    )


def test_after_a_skipped_first_page_no_page_is_shown() -> None:
    pages = accumulator(page_count=3)

    pages.take(answer(2, 3))

    assert json.loads(pages.last_items()) == {"pages": []}


def test_json_cut_after_the_last_page_is_a_complete_document() -> None:
    pages = accumulator(page_count=2)

    assert pages.take(answer(1, 2)[:-2]) == Progress(is_whole=True, has_new=True)
    assert pages.result().truncated_at_page is None
    following = pages.continuation()
    assert following.instruction == "All pages are complete. Return an empty list."
    assert pages.take('{"pages": []}') == Progress(is_whole=True, has_new=False)
    assert json.loads(pages.last_items())["pages"][-1]["page"] == 2


def test_a_page_longer_than_an_answer_ends_the_task() -> None:
    pages = accumulator(page_count=3)
    pages.take(answer(1, 2)[:-8])

    assert pages.take('{"pages": [{"page": 2, "markdown": "very lon') == Progress(is_whole=False, has_new=False)
    assert pages.result() == ReadDocument((Page(1, "Page 1"),), 2, ())


def test_an_unreadable_continuation_keeps_the_pages_so_far() -> None:
    pages = accumulator()
    pages.take(answer(1, 2)[:-8])

    with pytest.raises(UnreadableAnswerError):
        pages.take("Sorry.")

    assert pages.result() == ReadDocument((Page(1, "Page 1"),), 2, ())


def test_of_a_document_of_unknown_length_the_model_knows_the_end() -> None:
    pages = accumulator()

    assert pages.take(answer(1, 2)) == Progress(is_whole=True, has_new=True)
    assert pages.result().truncated_at_page is None


def test_a_document_of_unknown_length_continues_while_its_answer_is_cut() -> None:
    pages = accumulator()

    assert pages.take(answer(1, 2, 3)[:-8]) == Progress(is_whole=False, has_new=True)
    assert pages.result().truncated_at_page == 3
    following = pages.continuation()
    assert "Continue with page 3 and all following pages." in following.instruction
    assert page_schema(following) == {"type": "integer", "minimum": 3}

    assert pages.take(answer(3, 4)).is_whole
    assert pages.result().truncated_at_page is None


def test_a_document_of_unknown_length_has_gaps_too() -> None:
    pages = accumulator()

    assert not pages.take(answer(1, 3)).is_whole
    document = pages.result()
    assert document.truncated_at_page == 2
    assert codes(document) == ["skipped-pages"]


def test_a_document_of_unknown_length_has_at_most_10_000_pages() -> None:
    pages = accumulator()

    pages.take(answer(*range(1, MAX_PAGES + 3)))

    document = pages.result()
    assert len(document.pages) == MAX_PAGES
    assert codes(document) == ["unwanted-pages"]


def test_at_most_10_000_pages_are_kept() -> None:
    pages = accumulator("1-20000", 30_000)

    assert not pages.take(answer(*range(1, 20_001))).is_whole
    assert len(pages.result().pages) == MAX_PAGES
    assert pages.result().truncated_at_page == MAX_PAGES + 1


@pytest.mark.parametrize("text", ["x" * 100_000, '"\\\n' * 50_000, "\N{GRINNING FACE}" * 50_000, "日本" * 50_000])
def test_only_the_ends_of_long_pages_are_shown(text: str) -> None:
    pages = accumulator(page_count=9)
    pages.take(json.dumps([{"page": number, "markdown": text + str(number)} for number in (1, 2, 3)]))

    said = pages.last_items()

    assert len(said.encode()) <= 16_384
    shown = json.loads(said)["pages"]
    assert [page["page"] for page in shown] == [2, 3]
    assert all(page["markdown"].endswith(str(page["page"])) for page in shown)


def test_the_question_for_missing_pages_is_bounded() -> None:
    pages = accumulator("1-100000")
    pages.take(answer(*range(1, 20_000, 2)))

    following = pages.continuation()

    assert len(following.instruction) + len(json.dumps(following.schema)) < 4_000
    assert page_schema(following)["minimum"] == 2


@given(st.lists(st.tuples(st.lists(st.integers(1, 12)), st.integers(0, 30)), min_size=1, max_size=5), st.booleans())
def test_pages_are_never_repeated_and_missing_pages_are_reported(
    answers: list[tuple[list[int], int]], is_known: bool
) -> None:
    pages = accumulator(page_count=9 if is_known else None)
    for given_numbers, cut in answers:
        text = answer(*given_numbers)
        pages.take(text[: len(text) - min(cut, len(text) - 1)])

    document = pages.result()

    found = numbers(document)
    assert found == sorted(set(found))
    last = 9 if is_known else max(found, default=0) + 1
    missing = next((page for page in range(1, last + 1) if page not in found), None)
    assert document.truncated_at_page in ({missing} if is_known else {missing, None})


@given(st.lists(ANSWERS, max_size=4), st.sampled_from(["1,3-7", "2", None]), st.sampled_from([7, None]))
def test_any_json_is_read_or_refused(answers: list[object], text: str | None, page_count: int | None) -> None:
    pages = accumulator(text, page_count)
    for one in answers:
        try:
            pages.take(json.dumps(one))
        except UnreadableAnswerError:
            continue

    document = pages.result()

    wanted = PageRanges(((1, 7 if page_count else MAX_PAGES),)) if text is None else read_pages(text)
    assert all(page.page in wanted for page in document.pages)
    assert "\x00" not in "".join(page.markdown for page in document.pages)
    assert bool(pages.last_items()) == bool(document.pages)
    assert pages.continuation().instruction
