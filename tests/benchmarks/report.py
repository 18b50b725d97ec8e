"""The results of a benchmark, as a plain table with checks."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: its name, the measure, the bound, and whether the bound is a minimum."""

    what: str
    measured: float
    bound: float
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the promise holds."""
        return self.measured >= self.bound if self.is_least else self.measured <= self.bound

    def line(self) -> str:
        """Return the check as a line."""
        relation = ">=" if self.is_least else "<="
        return (
            f"{'PASS' if self.is_met else 'FAIL'}  {self.what}: {self.measured:.2f} (target {relation} {self.bound:g})"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One table: its title, columns (the first names the row), rows and checks."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, *tuple[float | None, ...]]]
    checks: Sequence[Check] = ()

    def print(self) -> None:
        """Print it."""
        cells = [[row[0], *(_figure(value) for value in row[1:])] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        print(f"\n{self.title}")
        for line in ([*self.columns], ["-" * width for width in widths], *cells):
            first, *others = (
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            print("  " + "  ".join([first, *others]))
        for check in self.checks:
            print("  " + check.line())


def _figure(value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"
