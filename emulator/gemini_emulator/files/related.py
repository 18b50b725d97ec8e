"""A multipart/related body as it comes: JSON metadata in the first part, the bytes in the second.

It knows the format, and nothing of files.
"""

from collections.abc import AsyncIterator
from email.message import EmailMessage

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from gemini_emulator.failures import invalid

_METADATA_LIMIT_BYTES = 1024 * 1024
_HEADER_LIMIT_BYTES = 16_384


class RelatedBody:
    """One body. `media_type` is the second part's Content-Type, known when its bytes begin."""

    def __init__(self, content_type: str) -> None:
        """Raise ApiFailureError when the type is not multipart with a boundary."""
        header = EmailMessage()
        header["content-type"] = content_type
        boundary = header.get_param("boundary")
        if not header.get_content_type().startswith("multipart/") or not isinstance(boundary, str):
            raise invalid("A multipart upload needs Content-Type: multipart/related; boundary=...")
        self._parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._hear_name,
                "on_header_value": self._hear_value,
                "on_header_end": self._end_header,
                "on_part_data": self._hear_data,
                "on_end": self._end,
            },
        )
        self._part = 0
        self._name = bytearray()
        self._value = bytearray()
        self._metadata = bytearray()
        self._arrived: list[bytes] = []
        self._has_ended = False
        self.media_type = ""

    async def media(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the second part's bytes as they arrive. Raises ApiFailureError for a malformed or cut body."""
        async for piece in pieces:
            try:
                self._parser.write(piece)
            except FormParserError as error:
                raise invalid(f"The multipart body is malformed: {error}.") from error
            for arrived in self._arrived:
                yield arrived
            self._arrived.clear()
        if not self._has_ended or self._part != 2:
            raise invalid("A multipart upload has two parts, metadata and bytes, and ends with its boundary.")

    def metadata(self) -> object:
        """Return the metadata. Raises ApiFailureError if it is not JSON."""
        try:
            parsed: object = orjson.loads(self._metadata)
        except orjson.JSONDecodeError as error:
            raise invalid(f"Invalid JSON payload received. {error}") from error
        return parsed

    def _begin_part(self) -> None:
        self._part += 1

    def _hear_name(self, data: bytes, start: int, end: int) -> None:
        self._gather(self._name, data[start:end], _HEADER_LIMIT_BYTES)

    def _hear_value(self, data: bytes, start: int, end: int) -> None:
        self._gather(self._value, data[start:end], _HEADER_LIMIT_BYTES)

    def _end_header(self) -> None:
        if self._part == 2 and self._name.lower() == b"content-type":
            self.media_type = self._value.decode("latin-1").strip()
        self._name.clear()
        self._value.clear()

    def _hear_data(self, data: bytes, start: int, end: int) -> None:
        if self._part == 1:
            self._gather(self._metadata, data[start:end], _METADATA_LIMIT_BYTES)
        elif self._part == 2:
            self._arrived.append(data[start:end])

    def _end(self) -> None:
        self._has_ended = True

    def _gather(self, buffer: bytearray, piece: bytes, limit_bytes: int) -> None:
        if len(buffer) + len(piece) > limit_bytes:
            raise invalid("The metadata of a multipart upload is too large.")
        buffer += piece
