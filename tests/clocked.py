"""`python -m tests.clocked FILE ...`: the gateway's command line, with a clock set by a test.

The file holds seconds since the epoch, which become the time of day of the whole process.
"""

import sys
import time
from pathlib import Path


def main() -> None:
    """Set the clock before anything looks at it, then run the command."""
    file = Path(sys.argv.pop(1))
    vars(time)["time"] = lambda: float(file.read_text())
    from app.cli.command import main as run

    run()


if __name__ == "__main__":
    main()
