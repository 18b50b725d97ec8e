"""The readers of usage in relayed answers: one result for every cut, and counts that can be priced and stored."""

from collections.abc import Sequence

from app.native import generation, interactions, openai
from app.native.live.messages import read_server_message
from app.native.usage_reader import MAX_GUNZIPPED_BYTES, Reading, RelayedUsage, UsageReader
from tests.fuzz.answers import check_usage
from tests.fuzz.cutting import cuttings

READINGS: tuple[Reading, ...] = (generation.READING, openai.READING, interactions.READING)
WORDS = (
    b'"usageMetadata":{"promptTokenCount":', b'"candidatesTokenCount":', b'"promptTokensDetails":[{"modality":"',
    b'"usage":{"prompt_tokens":', b'"completion_tokens":', b'"total_tokens":', b'"prompt_tokens_details":',
    b'"total_input_tokens":', b'"input_tokens_by_modality":[{"modality":"text","tokens":', b'"status":"completed"',
    b'"candidates":[{"finishReason":"STOP"}]', b'"choices":[{"finish_reason":"stop"}]', b'"interaction":{', b"data: ",
    b'"serverContent":{"turnComplete":true}', b'"sessionResumptionUpdate":{"newHandle":"', b'"toolCall":', b"\r\n\r\n",
    b"-1", b"1e300", b"18446744073709551615", b"true", b"null", b"[", b"]", b"{", b"}",
)  # fmt: skip


def run(data: bytes) -> None:
    """Read one answer by each surface's reader, whole and as a stream, in several cuts; and as a Live message."""
    body, ways = cuttings(data)
    for reading in READINGS:
        for is_stream in (True, False):
            whole = _read([body], reading, is_stream=is_stream)
            for pieces in ways:
                assert _read(pieces, reading, is_stream=is_stream) == whole, pieces
            _unpack(body, reading, is_stream=is_stream)
    news = read_server_message(body)
    if news.usage is not None:
        check_usage(news.usage)


def _read(pieces: Sequence[bytes], reading: Reading, *, is_stream: bool) -> RelayedUsage:
    reader = UsageReader(reading, is_stream=is_stream, is_gzip=False)
    for piece in pieces:
        reader.feed(piece)
    assert reader.decoded_bytes == sum(map(len, pieces))
    said = reader.relayed()
    if said.usage is not None:
        check_usage(said.usage)
    return said


def _unpack(body: bytes, reading: Reading, *, is_stream: bool) -> None:
    reader = UsageReader(reading, is_stream=is_stream, is_gzip=True)
    reader.feed(body)
    reader.relayed()
    assert reader.decoded_bytes <= 2 * MAX_GUNZIPPED_BYTES
