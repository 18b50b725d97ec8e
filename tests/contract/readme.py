"""The README as the tests read it: its sections, its tables and its code blocks. It knows nothing of what they say."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_HEADING = re.compile(r"#{1,6} (.+)")
_FENCE = re.compile(r"```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of code: its language, and its text with a newline at the end."""

    language: str
    text: str

    @property
    def first_line(self) -> str:
        """What names the block in a test's id."""
        return self.text.partition("\n")[0]


def blocks(language: str) -> list[Block]:
    """Give the blocks in a language, in order."""
    return [Block(*match.groups()) for match in _FENCE.finditer(README) if match[1] == language]


def table(*header: str) -> list[list[str]]:
    """Give the rows of the one table with this header; cells keep their backticks."""
    head = f"| {' | '.join(header)} |\n"
    assert README.count(head) == 1, f"there must be one table with the header {header}"
    rows = []
    for line in README.partition(head)[2].splitlines()[1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def section(heading: str) -> str:
    """Give the text under a heading, up to the next one."""
    lines = README.splitlines()
    start = next(at for at, line in enumerate(lines) if (match := _HEADING.fullmatch(line)) and match[1] == heading)
    end = next((at for at, line in enumerate(lines) if at > start and _HEADING.fullmatch(line)), len(lines))
    return "\n".join(lines[start + 1 : end])


def code_words(text: str) -> list[str]:
    """Give what stands between backticks."""
    return _CODE.findall(text)
