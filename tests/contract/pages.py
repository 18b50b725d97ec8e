"""README, CONTRIBUTING, SECURITY and docs/ as the tests read them: sections, tables, code blocks of any subject."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
"""The text of each page by its path below the root."""
EVERYTHING = "\n".join(PAGES.values())
_HEADING = re.compile(r"#{1,6} (.+)")
_FENCE = re.compile(r"```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code: its page, its language, and its text with a newline at the end."""

    page: str
    language: str
    text: str

    @property
    def label(self) -> str:
        """Return a label for the ids of parametrized tests: the page and the block's first line."""
        return f"{self.page}: {self.text.partition(chr(10))[0]}"


def blocks(language: str) -> list[Block]:
    """Return the blocks in `language`, page by page and in order."""
    return [
        Block(page, *match.groups())
        for page, text in PAGES.items()
        for match in _FENCE.finditer(text)
        if match[1] == language
    ]


def table(page: str, *header: str) -> list[list[str]]:
    """Return the rows of the page's table with this header; cells keep their backticks."""
    head = f"| {' | '.join(header)} |\n"
    text = PAGES[page]
    assert text.count(head) == 1, f"{page} must have one table with the header {header}"
    rows = []
    for line in text.partition(head)[2].splitlines()[1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def section(page: str, heading: str) -> str:
    """Return the text under a heading, up to the next heading."""
    lines = PAGES[page].splitlines()
    start = next(at for at, line in enumerate(lines) if (match := _HEADING.fullmatch(line)) and match[1] == heading)
    end = next((at for at, line in enumerate(lines) if at > start and _HEADING.fullmatch(line)), len(lines))
    return "\n".join(lines[start + 1 : end])


def code_words(text: str) -> list[str]:
    """Return the strings between backticks."""
    return _CODE.findall(text)


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    headings = re.finditer(r"^#+ (.+)$", PAGES[page], re.MULTILINE)
    return {re.sub(r"[^\w -]", "", match[1].lower()).replace(" ", "-") for match in headings}
