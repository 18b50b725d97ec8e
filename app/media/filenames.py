"""A client's name for a file, made safe to store, to log and to show: one rule for every way in."""

MAX_FILENAME_CHARS = 255


def clean_filename(name: str | None) -> str | None:
    """Return `name` without folders and unprintable characters, at most 255 characters long; None if nothing is left.

    Unprintable are control characters (NUL, ESC, CR, LF), marks of direction and of zero width, and lone surrogates:
    each becomes a space.
    """
    plain = name or ""
    if not plain.isprintable():
        plain = "".join(char if char.isprintable() else " " for char in plain)
    # Old browsers send the path on the user's machine.
    plain = plain.replace("\\", "/").rpartition("/")[2].strip()[:MAX_FILENAME_CHARS].rstrip()
    return None if plain in {"", ".", ".."} else plain
