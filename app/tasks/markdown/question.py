"""Markdown: the prompt for a document's pages, and the pages collected from one or several answers.

    answer ──> items ──> numbered ──> wanted and new ──> cleaned ──┐
                                             pages in order <──────┴──> first missing page ──> continue

A page is kept whole or not at all, so a cut page is requested again. A page longer than an answer may be ends the task.
This module knows neither PDF nor the number of answers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.markdown.page_ranges import PageRanges
from app.tasks.task import Progress, Question, TaskWarning
from app.tasks.wording import paragraphs, wish

# Largest number of kept pages, and the last possible page of a document of unknown length.
MAX_PAGES = 10_000

# Gemini refuses a schema with too many values; a longer list of pages is in the instruction only.
_MAX_LISTED_PAGES = 100
_MAX_ASKED_RANGES = 100
_SHOWN_PAGES = 2
# With at most four bytes a character, the shown pages stay below 16 KB.
_SHOWN_CHARS = 2_000
_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BLANK_LINES_BEFORE = re.compile(r"\A(?:[ \t]*\n)+")
_OPENING = re.compile(r"(`{3,}|~{3,})[ \t]*(?:markdown|md)[ \t]*", re.IGNORECASE)

_INSTRUCTION = """\
Convert the document into Markdown, page by page.
- Return one item per page, in order. `page` is the page's position in the file: the first page is 1, regardless of \
the number printed on it.
- Be faithful and complete: write the whole text in reading order, word for word. Do not add, summarise, correct or \
omit anything.
- Headings become Markdown headings of the same level, and lists become lists. Tables become GitHub-flavoured tables \
with every row and column; empty cells stay empty. If a table spans several pages, write a separate table with the \
header row on each page. Formulas become LaTeX between $ signs, and program code becomes fenced code.
- Replace each picture or diagram with one short sentence in italics that describes it. If the values of a chart are \
legible, add them as a table.
- The `markdown` of a blank page is an empty string.
- Write no comments of your own, and do not wrap a page in a code fence."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page's content as Markdown, "" if the page is blank; `page` counts from 1."""

    page: int
    markdown: str


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document's pages in order, each once, and the first missing page among the wanted pages, or None."""

    pages: tuple[Page, ...]
    truncated_at_page: int | None
    warnings: tuple[TaskWarning, ...]


def question(*, pages: PageRanges | None, page_count: int | None, language: str | None, prompt: str | None) -> Question:
    """Return the question for the wanted pages, or all pages if `pages` is None; `language` asks for a translation."""
    parts = [
        _INSTRUCTION,
        f"- Write everything in this language, and translate text in other languages: {language}."
        if language
        else "- Keep the document's language; do not translate.",
        f"Number of pages in the document: {page_count}." if page_count else None,
        f"Return only these pages: {pages}." if pages else None,
        wish(prompt),
    ]
    schema = _schema(_wanted(pages, page_count), is_open=_is_open(pages, page_count))
    return Question(paragraphs(parts), schema)


class Pages:
    """Collects the wanted pages, or all pages if `pages` is None; `page_count` is None if unknown."""

    def __init__(self, *, pages: PageRanges | None, page_count: int | None) -> None:
        self._wanted = _wanted(pages, page_count)
        self._is_open = _is_open(pages, page_count)
        self._is_cut = False
        self._found: dict[int, str] = {}
        self._unwanted_count = 0

    def take(self, text: str) -> Progress:
        """Add the wanted and new pages of an answer. Raises UnreadableAnswerError."""
        # While a wanted page is missing, the answer is not whole, even if its JSON is: a model that stops early or
        # skips a page is asked for the rest.
        read = read_json(text)
        had = len(self._found)
        missing = self._missing()
        before = 0
        for item in listed(read, "pages", _is_page):
            number = _number(item.get("page"))
            if number is None:
                number = missing.after(before)
            self._keep(number, item["markdown"])
            before = before if number is None else number
        self._is_cut = not read.is_whole
        return Progress(is_whole=self._first_missing() is None, has_new=len(self._found) > had)

    def last_items(self) -> str:
        """Return the ends of the last pages before the first missing page, as JSON of at most 16 KB."""
        if not self._found:
            return ""
        missing = self._missing()
        known = sorted(page for page in self._found if not missing or page < missing.first)
        items = [{"page": page, "markdown": self._found[page][-_SHOWN_CHARS:]} for page in known[-_SHOWN_PAGES:]]
        return as_json({"pages": items})

    def continuation(self) -> Question:
        """Return the question for the pages that are still missing."""
        # A bounded question, however many pages are missing.
        missing = PageRanges(self._missing().ranges[:_MAX_ASKED_RANGES])
        if not missing:
            return Question("All pages are complete. Return an empty list.", _schema(self._wanted, is_open=False))
        if self._is_open:
            wanted = f"Continue with page {missing.first} and all following pages."
        else:
            wanted = f"Continue with page {missing.first}. These pages are still missing: {missing}."
        instruction = f"Your answer ended before the last page. {wanted} Use the same format, and do not repeat a page."
        return Question(instruction, _schema(missing, is_open=self._is_open))

    def result(self) -> ReadDocument:
        """Return the collected pages."""
        pages = tuple(Page(page, self._found[page]) for page in sorted(self._found))
        first_missing = self._first_missing()
        warnings = []
        if self._unwanted_count:
            detail = f"Pages left out because they were not requested or do not exist: {self._unwanted_count}."
            warnings.append(TaskWarning("unwanted-pages", None, detail))
        if first_missing is not None and pages and first_missing < pages[-1].page:
            detail = f"Page {first_missing} and possibly other pages are missing, although later pages are present."
            warnings.append(TaskWarning("skipped-pages", None, detail))
        return ReadDocument(pages, first_missing, tuple(warnings))

    def _keep(self, number: int | None, markdown: object) -> None:
        if number is None or number not in self._wanted:
            self._unwanted_count += 1
        # The first copy of a page is kept: a continuation repeats pages from memory.
        elif number not in self._found and len(self._found) < MAX_PAGES:
            self._found[number] = _clean(markdown) if isinstance(markdown, str) else ""

    def _missing(self) -> PageRanges:
        return self._wanted.without(self._found)

    def _first_missing(self) -> int | None:
        missing = self._missing()
        if not missing:
            return None
        if self._is_open and not self._is_cut and missing.first > max(self._found, default=0):
            # Only the model knows the end of a document of unknown length.
            return None
        return missing.first


def _is_open(pages: PageRanges | None, page_count: int | None) -> bool:
    return not pages and not page_count


def _wanted(pages: PageRanges | None, page_count: int | None) -> PageRanges:
    return pages or PageRanges(((1, page_count or MAX_PAGES),))


def _schema(pages: PageRanges, *, is_open: bool) -> Mapping[str, object]:
    """Return the JSON Schema that allows only these pages, or all pages from the first on if their end is open."""
    page: dict[str, object] = {"type": "integer", "minimum": pages.first}
    if not is_open:
        page["maximum"] = pages.last
        if len(pages.ranges) > 1 and len(pages) <= _MAX_LISTED_PAGES:
            page["enum"] = list(pages)
    item = {"type": "object", "properties": {"page": page, "markdown": {"type": "string"}}}
    item["required"] = ["page", "markdown"]
    return {"type": "object", "properties": {"pages": {"type": "array", "items": item}}, "required": ["pages"]}


def _is_page(item: dict[str, object]) -> bool:
    return "markdown" in item and isinstance(item["markdown"], str | None)


def _number(value: object) -> int | None:
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        return int(found[1]) if found is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == int(value) else None


def _clean(markdown: str) -> str:
    text = _CONTROL.sub("", markdown.replace("\r\n", "\n").replace("\r", "\n"))
    text = _BLANK_LINES_BEFORE.sub("", text).rstrip()
    return _BLANK_LINES_BEFORE.sub("", _unwrapped(text)).rstrip()


def _unwrapped(text: str) -> str:
    """Return a page without a Markdown fence around the whole page; the fences of the page's own code stay."""
    first, *inner = text.split("\n")
    opening = _OPENING.fullmatch(first.strip())
    if opening is None or not inner or inner.pop().strip() != opening[1]:
        return text
    is_open = False
    for line in inner:
        mark = line.strip()
        # A fence followed by a word only opens; a bare fence opens or closes.
        if mark.startswith(opening[1]) and (not is_open or not mark.strip(opening[1][0])):
            is_open = not is_open
    return text if is_open else "\n".join(inner)
