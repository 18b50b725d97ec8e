"""Fuzzes one target: `python -m tests.fuzz.one_target <target> <options of libFuzzer>`."""

import importlib
import sys

import atheris


def main() -> None:
    """Import the target with its coverage counted, and fuzz the target until libFuzzer ends."""
    _, name, *options = sys.argv
    with atheris.instrument_imports(include=["app"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    # Merging starts the program again, by the shell.
    atheris.Setup([f"{sys.executable} -m tests.fuzz.one_target {name}", *options], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
