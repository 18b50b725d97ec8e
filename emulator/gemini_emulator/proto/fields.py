"""Typed access to a parsed message, whose values the parser has already checked."""

from collections.abc import Iterator, Mapping

from gemini_emulator.proto.blobs import Blob


class Fields:
    """A parsed message; a missing field reads as empty, a missing number as None."""

    __slots__ = ("_values",)

    def __init__(self, values: object) -> None:
        self._values: Mapping[str, object] = values if isinstance(values, dict) else {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def behind(self, earlier: Mapping[str, object]) -> "Fields":
        """Return this message after another: its lists are appended to the other's; of other fields its own win."""
        merged = dict(earlier)
        for name, value in self._values.items():
            before = earlier.get(name)
            merged[name] = [*before, *value] if isinstance(before, list) and isinstance(value, list) else value
        return Fields(merged)

    def value(self, name: str) -> object:
        """Read a value of any kind."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Read a string or the name of an enumeration."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """Read a number."""
        value = self._values.get(name)
        return float(value) if isinstance(value, int | float) else None

    def integer(self, name: str) -> int | None:
        """Read an integer."""
        value = self._values.get(name)
        return value if isinstance(value, int) else None

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        return self._values.get(name) is True

    def blob(self, name: str) -> Blob | None:
        """Read bytes."""
        value = self._values.get(name)
        return value if isinstance(value, Blob) else None

    def fields(self, name: str) -> "Fields":
        """Read a message."""
        return Fields(self._values.get(name))

    def many(self, name: str) -> "list[Fields]":
        """Read a list of messages."""
        value = self._values.get(name)
        return [Fields(item) for item in value] if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        """Read a list of strings."""
        value = self._values.get(name)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def mapping(self, name: str) -> Mapping[str, object] | None:
        """Read an object of any kind; None when it is something else."""
        value = self._values.get(name)
        return value if isinstance(value, dict) else None
