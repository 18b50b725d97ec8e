"""Run the command by `python -m gemini_emulator`."""

from gemini_emulator.command import main

main()
