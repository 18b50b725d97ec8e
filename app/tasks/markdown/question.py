"""Documents as Markdown: what is asked, and the pages gathered from as many answers as it takes.

    answer ──> items ──> numbered ──> wanted and new ──> cleaned ──┐
                                                 pages in order <──┴──> the first that is missing ──> go on

A page comes whole or not at all, so one that was cut comes again; one that alone is longer than an answer may be ends
the task there. It knows neither PDF nor how many answers there may be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.tasks.lenient_json import as_json, listed, read_json
from app.tasks.markdown.page_ranges import PageRanges
from app.tasks.task import Question, Taken, TaskWarning

MAX_PAGES = 10_000
"""Pages that are kept at most, and the last page that a document of unknown length may have."""

# Gemini refuses a schema that allows too many things; a longer list stands in the instruction alone.
_MAX_LISTED_PAGES = 100
_MAX_ASKED_RANGES = 100
_SAID_PAGES = 2
# With at most four bytes a character this bounds what is shown to 16 KB.
_SAID_CHARS = 2_000
_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BLANK_LINES_BEFORE = re.compile(r"\A(?:[ \t]*\n)+")
_OPENING = re.compile(r"(`{3,}|~{3,})[ \t]*(?:markdown|md)[ \t]*", re.IGNORECASE)

_INSTRUCTION = """\
Turn the document into Markdown, page by page.
- Give one item for each page, in order. `page` is its position in the file: the first page is 1, whatever number is \
printed on it.
- Be faithful and complete: the whole text in reading order, word for word. Do not add, summarise, correct or leave \
out anything.
- Headings become Markdown headings of their level, and lists become lists. Tables stay tables: GitHub-flavoured, with \
every row and column, empty cells left empty. A table that goes on over several pages is a table of its own on each, \
with its header row. Formulas become LaTeX between $ signs, program code becomes fenced code.
- Where a picture or a diagram stands, describe it in one short sentence in italics; a chart's values, where they can \
be read, become a table.
- The `markdown` of a blank page is an empty string.
- Write no comment of your own, and put no code fence around a page."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page's contents as Markdown, "" when it is blank; `page` counts from 1."""

    page: int
    markdown: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document's pages in order, each once, and the first wanted page that is missing (None when none is)."""

    pages: tuple[Page, ...]
    truncated_at_page: int | None
    warnings: tuple[TaskWarning, ...]


def question(*, pages: PageRanges | None, page_count: int | None, language: str | None, prompt: str | None) -> Question:
    """Ask for the Markdown of the wanted pages, all when `pages` is None; translated only when a language is given."""
    parts = [
        _INSTRUCTION,
        f"- Write everything in this language, and translate what is in another: {language}."
        if language
        else "- Keep the document's language; translate nothing.",
        f"Number of pages in the document: {page_count}." if page_count else "",
        f"Give only these pages: {pages}." if pages else "",
        f"Mind also: {prompt}" if prompt else "",
    ]
    schema = _schema(_wanted(pages, page_count), is_open=_is_open(pages, page_count))
    return Question("\n".join(part for part in parts if part), schema)


class Pages:
    """Gathers the wanted pages, all when `pages` is None; `page_count` is None when it is not known."""

    def __init__(self, *, pages: PageRanges | None, page_count: int | None) -> None:
        self._wanted = _wanted(pages, page_count)
        self._is_open = _is_open(pages, page_count)
        self._is_cut = False
        self._found: dict[int, str] = {}
        self._unwanted_count = 0

    def take(self, text: str) -> Taken:
        """Add the pages that are wanted and new. Raises UnreadableAnswerError.

        While a wanted page is missing the answer is not whole, even if its JSON came to its end: a model that stops
        early, or skips a page, is asked for the rest.
        """
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
        return Taken(is_whole=self._first_missing() is None, has_new=len(self._found) > had)

    def said(self) -> str:
        """Give the ends of the last pages before the first that is missing, as JSON of at most 16 KB."""
        if not self._found:
            return ""
        missing = self._missing()
        known = sorted(page for page in self._found if not missing or page < missing.first)
        items = [{"page": page, "markdown": self._found[page][-_SAID_CHARS:]} for page in known[-_SAID_PAGES:]]
        return as_json({"pages": items})

    def go_on(self) -> Question:
        """Ask for the pages that are still missing, and no others."""
        missing = PageRanges(self._missing().ranges[:_MAX_ASKED_RANGES])
        if not missing:
            return Question("That was every page. Answer with an empty list.", _schema(self._wanted, is_open=False))
        if self._is_open:
            wanted = f"Go on with page {missing.first} and all pages behind it."
        else:
            wanted = f"Go on with page {missing.first}. These pages are still missing: {missing}."
        instruction = f"Your answer ended before the last page. {wanted} Give them as before, and no page again."
        return Question(instruction, _schema(missing, is_open=self._is_open))

    def result(self) -> Document:
        """Give what was gathered."""
        pages = tuple(Page(page, self._found[page]) for page in sorted(self._found))
        first_missing = self._first_missing()
        warnings = []
        if self._unwanted_count:
            detail = f"Pages of the model's that are not wanted or do not exist were left out: {self._unwanted_count}."
            warnings.append(TaskWarning("unwanted-pages", None, detail))
        if first_missing is not None and pages and first_missing < pages[-1].page:
            detail = f"Page {first_missing} is missing, and perhaps others, though later ones are there."
            warnings.append(TaskWarning("skipped-pages", None, detail))
        return Document(pages, first_missing, tuple(warnings))

    def _keep(self, number: int | None, markdown: object) -> None:
        if number is None or number not in self._wanted:
            self._unwanted_count += 1
        elif number not in self._found and len(self._found) < MAX_PAGES:
            self._found[number] = _clean(markdown) if isinstance(markdown, str) else ""

    def _missing(self) -> PageRanges:
        return self._wanted.without(self._found)

    def _first_missing(self) -> int | None:
        missing = self._missing()
        if not missing:
            return None
        if self._is_open and not self._is_cut and missing.first > max(self._found, default=0):
            # Of a document of unknown length the model alone knows the end.
            return None
        return missing.first


def _is_open(pages: PageRanges | None, page_count: int | None) -> bool:
    return not pages and not page_count


def _wanted(pages: PageRanges | None, page_count: int | None) -> PageRanges:
    return pages or PageRanges(((1, page_count or MAX_PAGES),))


def _schema(pages: PageRanges, *, is_open: bool) -> Mapping[str, object]:
    """Allow these pages alone; all from the first on when their end is open."""
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
    """Take off a fence that says Markdown and holds the whole page; the fences of a page's own code stay."""
    first, *inner = text.split("\n")
    opening = _OPENING.fullmatch(first.strip())
    if opening is None or not inner or inner.pop().strip() != opening[1]:
        return text
    is_open = False
    for line in inner:
        mark = line.strip()
        # A fence with a word behind it only opens; a bare one does either.
        if mark.startswith(opening[1]) and (not is_open or not mark.strip(opening[1][0])):
            is_open = not is_open
    return text if is_open else "\n".join(inner)
