import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator_tests.unit.tasks.asking import PAGES, TEXT, TRUTH, Json, ask, file_part, list_of, object_of
from gemini_emulator.generation.tasks.pages import markdown_of

PDF = file_part("report.pdf", "application/pdf")
TABLE = "|  |  |\n| --- | ---: |\n| January | 120 |\n| February | 145 |\n| March | 210 |"


def pages_of(page: Json) -> Json:
    """Make the schema of pages whose numbers are limited."""
    return object_of({"pages": list_of(object_of({"page": page, "markdown": TEXT}))})


def numbers(answer: Json) -> list[object]:
    return [page["page"] for page in answer["pages"]]


def test_each_page_gives_its_lines() -> None:
    pages = ask(PAGES, PDF)["pages"]

    first, second, third = TRUTH["report.pdf"]["pages"]
    assert pages == [
        {"page": 1, "markdown": "\n\n".join(first)},
        {"page": 2, "markdown": "\n\n".join(second)},
        {"page": 3, "markdown": "\n\n".join([*third[:2], TABLE])},
    ]


@pytest.mark.parametrize(
    ("limits", "given_pages"),
    [
        ({"minimum": 2}, [2, 3]),
        ({"maximum": 1}, [1]),
        ({"minimum": 2, "maximum": 2}, [2]),
        ({"enum": [1, 3]}, [1, 3]),
        ({"minimum": 1, "maximum": 9, "enum": [3, 7]}, [3]),
        ({"minimum": 4}, []),
    ],
)
def test_only_pages_that_the_schema_allows_are_given(limits: Json, given_pages: list[int]) -> None:
    assert numbers(ask(pages_of({"type": "integer", **limits}), PDF)) == given_pages


def test_numbers_are_strings_where_the_schema_says_so() -> None:
    assert numbers(ask(pages_of({"type": "string", "enum": ["2", "3"]}), PDF)) == ["2", "3"]


@pytest.mark.parametrize(
    ("last", "given_pages"), [(1, [2, 3]), ("2", [3]), (3, []), (None, [1, 2, 3]), ("x", [1, 2, 3]), ([], [1, 2, 3])]
)
def test_pages_continue_after_the_last_page(last: object, given_pages: list[int]) -> None:
    said = {"pages": [{"page": last, "markdown": "..."}]}

    assert numbers(ask(PAGES, PDF, said=said)) == given_pages


@pytest.mark.parametrize(("name", "mime_type"), [("shapes.png", "image/png"), ("program.jpg", "application/pdf")])
def test_without_a_document_that_can_be_read_there_are_no_pages(name: str, mime_type: str) -> None:
    assert ask(PAGES, file_part(name, mime_type)) == {"pages": []}
    assert ask(PAGES) == {"pages": []}


def test_a_single_line_that_ends_in_a_number_is_no_table() -> None:
    assert markdown_of("Report\nChapter 1\nof a book") == "Report\n\nChapter 1\n\nof a book"


def test_sentences_that_end_in_a_year_are_no_table() -> None:
    assert markdown_of("It rose in 2025.\nIt fell in 2026.") == "It rose in 2025.\n\nIt fell in 2026."


def test_cells_keep_their_bars() -> None:
    assert markdown_of("a|b 1\nc -2.5%").endswith("| a\\|b | 1 |\n| c | -2.5% |")


def test_an_empty_page_is_empty() -> None:
    assert markdown_of(" \n\n") == ""


@given(lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="|\\"), max_size=30), max_size=12))
def test_markdown_holds_every_word_of_the_page_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)

    markdown = markdown_of(text).replace("|  |  |\n| --- | ---: |\n", "").replace("|", " ")

    assert markdown.split() == text.split()
