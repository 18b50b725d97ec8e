"""Fuzzes the targets one after the other, each in a process of its own: `python -m tests.fuzz --seconds 60`.

New inputs are collected in `.fuzz/<target>/`, and the input of a fault in `.fuzz/faults/`. With `--keep` the smallest
set of inputs that reaches everything is added to the corpus.
"""

import argparse
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.fuzz import CORPUS, TARGETS

FOUND = Path(".fuzz")
FAULTS = FOUND / "faults"
LONGEST_INPUT_BYTES = 1 << 14
LONGEST_RUN_S = 5
MOST_RSS_MB = 1_024


def main() -> int:
    """Fuzz the targets that the command line names; returns 1 if an input showed a fault."""
    arguments = _arguments()
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: atheris has no wheel for this platform; `make test` runs the corpus without it")
        return 0
    FAULTS.mkdir(parents=True, exist_ok=True)
    failed = [name for name in arguments.targets or TARGETS if not _fuzz(name, arguments.seconds)]
    if arguments.keep:
        for name in arguments.targets or TARGETS:
            _keep(name)
    if failed:
        print(f"fuzz: faults in {', '.join(failed)}; their inputs are in {FAULTS}/")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="targets; all if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target")
    parser.add_argument("--keep", action="store_true", help="add new inputs to the corpus")
    return parser.parse_args()


def _fuzz(name: str, seconds: int) -> bool:
    found, kept = FOUND / name, CORPUS / name
    found.mkdir(exist_ok=True)
    words = FOUND / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in importlib.import_module(f"tests.fuzz.{name}").WORDS))
    print(f"fuzz: {name}, {seconds} s", flush=True)
    return _libfuzzer(name, f"-max_total_time={seconds}", f"-dict={words}", found, kept) == 0


def _keep(name: str) -> None:
    # New branches alone count, not how often they are taken, so that the corpus stays small.
    _libfuzzer(name, "-merge=1", "-use_counters=0", CORPUS / name, FOUND / name)


def _libfuzzer(name: str, *arguments: str | Path) -> int:
    limits = (
        f"-max_len={LONGEST_INPUT_BYTES}",
        f"-timeout={LONGEST_RUN_S}",
        f"-rss_limit_mb={MOST_RSS_MB}",
        f"-artifact_prefix={FAULTS}/{name}-",
        "-print_final_stats=1",
    )
    command = [sys.executable, "-m", "tests.fuzz.one_target", name, *limits, *map(str, arguments)]
    return subprocess.run(command, check=False).returncode


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
