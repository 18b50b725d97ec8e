"""The command as a program of its own."""

import typer

from app.ask.command import ask

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
cli.command()(ask)

if __name__ == "__main__":
    cli()
