"""The claims of a client about a file that it sends."""

from dataclasses import dataclass

from app.errors import WrongClaimError


@dataclass(frozen=True, slots=True)
class Claim:
    """The client's claims about a file: its size in bytes, the name of the claim of its size, its SHA-256 in hex."""

    size_bytes: int | None = None
    sha256: str | None = None
    size_name: str = "file_size"

    @classmethod
    def of(cls, *, file_size: int | None, content_length: int | None, sha256: str | None) -> "Claim":
        """Return the claim of a form's file; raises WrongClaimError if the two claims of its size differ."""
        if file_size is None:
            return cls(content_length, sha256, "the part's Content-Length")
        if content_length is not None and content_length != file_size:
            raise WrongClaimError(
                f"file_size says {file_size} bytes, but the part's Content-Length says {content_length}; "
                "give the file's exact size in both, or leave both out."
            )
        return cls(file_size, sha256)
