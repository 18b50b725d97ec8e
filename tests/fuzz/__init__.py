"""Fuzzing: one module a target. Each has `run`, which raises for a fault, and `WORDS`, the tokens of its grammar.

`make fuzz` lets atheris choose the inputs by coverage; `test_corpus.py` runs the kept inputs without atheris.
"""

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
TARGETS = ("answers", "files", "forms", "heads", "lines", "masks", "media_facts", "queries", "scans", "types", "usages")
