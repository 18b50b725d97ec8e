"""The task of documents: the true text of a PDF's pages as Markdown.

Lines become paragraphs; lines that follow each other and end in a number become the rows of a table. Nothing is added.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.continuation import last_item
from gemini_emulator.generation.tasks.recognition import Task
from gemini_emulator.senses.documents import read_pdf
from gemini_emulator.senses.kinds import Kind, kind_of
from gemini_emulator.senses.unreadable import UnreadableMediaError

_ROW = re.compile(r"([^\d\s](?:[^\d]*[^\d\s])?) +([-+]?\d(?:[\d.,]*\d)?%?)")
_FEWEST_ROWS = 2
# GFM has no table without a header; that of the page is not known, so it stays empty.
_TABLE_HEAD = "|  |  |\n| --- | ---: |\n"


def write_pages(task: Task, media: Sequence[MediaPart], said: str) -> object:
    """Return the pages of the first PDF that the schema of `page` allows, after the pages of an earlier answer."""
    part = next((part for part in media if kind_of(part.mime_type) is Kind.DOCUMENT), None)
    try:
        texts = read_pdf(part.data) if part else ()
    except UnreadableMediaError:
        texts = ()
    behind = _last_page(task, said)
    schema = task.items.property("page")
    is_text = schema.kinds == {"string"}
    items: list[Mapping[str, object]] = []
    for number, text in enumerate(texts, 1):
        page = str(number) if is_text else number
        if number > behind and schema.allows(page):
            items.append({"page": page, "markdown": markdown_of(text)})
    return task.listing(items)


def markdown_of(text: str) -> str:
    """Write a page's lines as Markdown; an empty page is an empty string."""
    lines = [line for raw in text.splitlines() if (line := " ".join(raw.split()))]
    blocks: list[str] = []
    for is_row, group in groupby(lines, key=lambda line: _ROW.fullmatch(line) is not None):
        members = list(group)
        if is_row and len(members) >= _FEWEST_ROWS:
            blocks.append(_TABLE_HEAD + "\n".join(map(_row, members)))
        else:
            blocks += members
    return "\n\n".join(blocks)


def _row(line: str) -> str:
    name, number = line.rsplit(" ", 1)
    escaped = name.replace("|", "\\|")
    return f"| {escaped} | {number} |"


def _last_page(task: Task, said: str) -> float:
    last = last_item(task, said)
    page = last.get("page") if last else None
    if isinstance(page, str) and page.isdecimal() and page.isascii():
        return int(page[:9])
    return page if isinstance(page, int | float) else 0
