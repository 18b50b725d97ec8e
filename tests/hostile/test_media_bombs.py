"""Media that are small on the wire and large, deep or endless inside: each is answered, and the gateway stays well."""

import asyncio
import struct
import zlib

import pytest

from tests.gateway import Gateway


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, rows: int = 10) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(min(width, 1_000) * 3 + 1) * rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    frame = struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0" + frame + b"\xff\xd9"


def boxes(depth: int, kind: bytes = b"moov") -> bytes:
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I", len(inner) + 8) + kind + inner
    return struct.pack(">I", 16) + b"ftypisom\0\0\0\0" + inner


def ogg(pages: int) -> bytes:
    return b"".join(b"OggS\0\0" + struct.pack("<QIII", n, 7, n, 0) + b"\x01\x00" for n in range(pages))


def riff(kind: bytes, data: bytes, size: int) -> bytes:
    return b"RIFF" + struct.pack("<I", size) + kind + data


ZERO_ROWS = zlib.compress(bytes(100_000_000), 9)
EBML = b"\x1a\x45\xdf\xa3\x84\x42\x82\x84webm"
LOOP = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R]/Count 999999999>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF"
)
GIF = b"GIF89a\xff\xff\xff\xff\x00\x00\x00" + b",\0\0\0\0\xff\xff\xff\xff\x00\x02\x00;"
BMP = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 10, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0)
WAV = b"fmt \x10\0\0\0\x01\0\x01\0" + b"\x40\x1f\0\0" * 2 + b"\x01\0\x08\0data\xff\xff\xff\xff"
BOMBS: dict[str, tuple[str, bytes]] = {
    "a PNG of 4 gigapixels": ("a.png", png(65_535, 65_535)),
    "a PNG of 2^31 columns": ("a.png", png(2**31 - 1, 1)),
    "a PNG of no columns": ("a.png", png(0, 0)),
    "a PNG whose pixels unpack to 100 MB": (
        "a.png",
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", ZERO_ROWS)
        + chunk(b"IEND", b""),
    ),
    "a PNG whose text unpacks to 100 MB": ("a.png", png(10, 10, chunk(b"zTXt", b"Comment\0\0" + ZERO_ROWS))),
    "a PNG whose colour profile unpacks to 100 MB": ("a.png", png(10, 10, chunk(b"iCCP", b"icc\0\0" + ZERO_ROWS))),
    "a PNG of 20,000 empty chunks": ("a.png", png(10, 10, *[chunk(b"tEXt", b"a\0")] * 20_000)),
    "a JPEG of 4 gigapixels": ("a.jpg", jpeg(65_535, 65_535)),
    "a JPEG of endless markers": ("a.jpg", b"\xff\xd8" + b"\xff\xfe\x00\x02" * 100_000),
    "a GIF of 4 gigapixels": ("a.gif", GIF),
    "a GIF of 50,000 empty pictures": (
        "a.gif",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b",\0\0\0\0\x01\x00\x01\x00\x00\x02\x00" * 50_000 + b";",
    ),
    "a WebP of 2^28 pixels a side": ("a.webp", riff(b"WEBP", b"VP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\x0f", 22)),
    "a BMP of 2^31 rows": ("a.bmp", BMP),
    "a TIFF whose directory names itself": ("a.tif", b"II*\0\x08\0\0\0\x00\x00\x08\0\0\0"),
    "a TIFF of 65,535 entries": ("a.tif", b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 12 * 65_535),
    "boxes in 20,000 levels": ("a.mp4", boxes(20_000)),
    "a box of 2^63 bytes": ("a.mp4", boxes(1) + b"\0\0\0\x01moov" + struct.pack(">Q", 2**63)),
    "100,000 empty boxes": ("a.mp4", boxes(1) + b"\0\0\0\x08free" * 100_000),
    "100,000 pages of Ogg": ("a.ogg", ogg(100_000)),
    "a WAV of 4 GiB by its head": ("a.wav", riff(b"WAVE", WAV, 2**32 - 1)),
    "a WAV of 100,000 chunks": ("a.wav", riff(b"WAVE", b"LIST\0\0\0\0" * 100_000, 2**32 - 1)),
    "an ID3 tag of 256 MiB": ("a.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + b"\0" * 5_000),
    "20,000 ID3 tags": ("a.mp3", b"ID3\x04\0\0\0\0\0\0" * 20_000),
    "a FLAC of endless blocks": ("a.flac", b"fLaC" + b"\x01\0\0\0" * 100_000),
    "WebM elements in 10,000 levels": ("a.webm", EBML + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 10_000),
    "a PDF whose pages hold themselves": ("a.pdf", LOOP),
    "a PDF of 100,000 objects": ("a.pdf", b"%PDF-1.4\n" + b"1 0 obj<</Type/Page>>endobj\n" * 100_000 + b"%%EOF"),
}
PATHS = ["/api/v1/generate", "/api/v1/files", "/api/v1/images/detections"]


def test_the_suite_has_at_least_22_bombs() -> None:
    assert len(BOMBS) >= 22


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_answered_and_leaves_the_gateway_well(gateway: Gateway, name: str) -> None:
    async def send(path: str) -> int:
        return (await gateway.post_form(path, ("file", BOMBS[name]))).status_code

    statuses = await asyncio.gather(*(send(path) for path in PATHS))
    healthy = await gateway.client.get("/healthz")

    # A decoder that takes too long or too much memory is stopped: 422, and not a failure of the gateway.
    assert [status for status in statuses if status >= 500] == []
    assert healthy.status_code == 200
