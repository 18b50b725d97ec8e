"""Every input that fuzzing has kept, those of mended faults among them, runs without a fault."""

import importlib

import pytest

from tests.fuzz import CORPUS, TARGETS

INPUTS = [(name, path.name) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]
MOST_BYTES = 1_000_000


@pytest.mark.parametrize(("target", "name"), INPUTS)
def test_an_input_of_the_corpus_shows_no_fault(target: str, name: str) -> None:
    importlib.import_module(f"tests.fuzz.{target}").run((CORPUS / target / name).read_bytes())


def test_each_target_has_a_corpus_and_all_of_them_are_small() -> None:
    assert {target for target, _ in INPUTS} == set(TARGETS)
    assert sum((CORPUS / target / name).stat().st_size for target, name in INPUTS) < MOST_BYTES
