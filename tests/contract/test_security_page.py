"""SECURITY.md claims nothing that no test shows: each test that the page names is collected by pytest."""

import re
import subprocess
import sys
from collections import Counter

from tests.contract.pages import PAGES, ROOT

PAGE = "SECURITY.md"
NAMED = re.compile(r"`([a-z_/]+/test_\w+\.py)::(test_\w+)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGES[PAGE].splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| Threat"))
]


def test_every_row_has_a_threat_a_control_and_one_test() -> None:
    assert len(ROWS) > 90
    for threat, control, test in ROWS:
        assert threat
        assert control
        assert NAMED.fullmatch(test), test


def test_no_threat_stands_twice() -> None:
    assert [row for row, times in Counter((row[0], row[2]) for row in ROWS).items() if times > 1] == []


def test_every_test_that_the_page_names_is_collected() -> None:
    named = {(f"tests/{path}", name) for path, name in NAMED.findall(PAGES[PAGE])}
    files = sorted({path for path, _ in named})
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    collected = set(re.findall(r"^(tests/\S+?\.py)::(\w+)", listed.stdout, re.MULTILINE))

    assert listed.returncode == 0, listed.stdout[-2_000:]
    assert sorted(named - collected) == []
