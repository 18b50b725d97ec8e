"""PDF to Markdown, against a document whose pages are known."""

from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import Emulator
from tests.gateway import TRUTH, Gateway, media, running_gateway
from tests.integration.api.tasks.asking import COMMON, ask, problem

REPORT = ("file", media("report.pdf"))
PAGES = TRUTH["report.pdf"]["pages"]


def words(markdown: str) -> list[str]:
    """Return the words of a page, without Markdown's own marks."""
    return [word for word in markdown.replace("|", " ").split() if word.strip("#-*:")]


def numbers(answer: Any) -> list[int]:
    return [page["page"] for page in answer["pages"]]


async def test_every_page_comes_with_its_number_and_its_text(gateway: Gateway) -> None:
    answer = await ask(gateway, "documents/markdown", REPORT)

    assert set(answer) == COMMON | {"pages", "page_count", "truncated_at_page"}
    assert numbers(answer) == [1, 2, 3]
    assert answer["page_count"] == 3
    assert answer["truncated_at_page"] is None
    for page, lines in zip(answer["pages"], PAGES, strict=True):
        assert words(page["markdown"]) == " ".join(lines).split()


async def test_a_table_stays_a_table(gateway: Gateway) -> None:
    answer = await ask(gateway, "documents/markdown", REPORT)

    rows = [line for line in answer["pages"][2]["markdown"].splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows][-3:] == [
        ["January", "120"],
        ["February", "145"],
        ["March", "210"],
    ]


@pytest.mark.parametrize(
    ("pages", "wanted"), [("2", [2]), ("1,3", [1, 3]), ("2-3", [2, 3]), (" 3 , 1 - 2 ", [1, 2, 3])]
)
async def test_pages_limit_the_work(gateway: Gateway, pages: str, wanted: list[int]) -> None:
    answer = await ask(gateway, "documents/markdown", ("pages", pages), REPORT)

    assert numbers(answer) == wanted
    assert answer["page_count"] == 3
    assert answer["truncated_at_page"] is None


@pytest.mark.parametrize("pages", ["4", "2-9"])
async def test_pages_that_are_not_there_are_refused_with_the_count(
    gateway: Gateway, emulator: Emulator, pages: str
) -> None:
    answer = await gateway.post_form("/api/v1/documents/markdown", ("pages", pages), REPORT)

    told = problem(answer, 422, "invalid-field")
    assert told["errors"][0]["field"] == "pages"
    assert "3" in told["detail"]
    assert emulator.requests("generateContent") == []


@pytest.mark.parametrize("pages", ["0", "3-1", "x", "1..3", "-", "99999999999999999999"])
async def test_pages_must_be_numbers_and_ranges(gateway: Gateway, pages: str) -> None:
    answer = await gateway.post_form("/api/v1/documents/markdown", REPORT, ("pages", pages))

    assert problem(answer, 422, "invalid-field")["errors"][0]["field"] == "pages"


async def test_a_document_of_too_many_pages_is_refused_before_the_model_is_asked(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with running_gateway(emulator.url, tmp_path, max_pdf_pages=2) as gateway:
        kept = (await gateway.post_form("/api/v1/files", REPORT)).json()["id"]
        for part in (REPORT, ("file_id", kept)):
            answer = await gateway.post_form("/api/v1/documents/markdown", part)

            assert "3 pages" in problem(answer, 422, "too-many-pages")["detail"]

    assert emulator.requests("generateContent") == []


@pytest.mark.parametrize("chars", [125, 170, 210])
async def test_a_long_document_is_continued_without_repeats_or_gaps(
    gateway: Gateway, emulator: Emulator, chars: int
) -> None:
    whole = await ask(gateway, "documents/markdown", REPORT)
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=chars)

    answer = await ask(gateway, "documents/markdown", REPORT)

    assert answer["pages"] == whole["pages"]
    assert answer["complete"] is True
    assert answer["truncated_at_page"] is None


async def test_a_document_cut_for_good_names_its_first_missing_page(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("generateContent", "finish", reason="MAX_TOKENS", chars=120)
    emulator.fault("generateContent", "status", code=400, skip=1)

    answer = await ask(gateway, "documents/markdown", REPORT)

    assert numbers(answer) == [1]
    assert answer["complete"] is False
    assert answer["truncated_at_page"] == 2
