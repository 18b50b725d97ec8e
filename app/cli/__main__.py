"""Run the command line by `python -m app.cli`."""

from app.cli.command import main

main()
