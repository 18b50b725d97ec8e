"""The one way in which a sense fails; it knows no format and no protocol."""


class UnreadableMediaError(Exception):
    """The bytes cannot be decoded as their declared type; the message explains why, for a person."""


class PictureTooLargeError(UnreadableMediaError):
    """The picture has more pixels than anyone wants decoded; the message says so, with its size where known."""
