"""Answers of a hostile Gemini: each one is read, or is an error of the gateway's that renders on every surface."""

import gzip
import math

import orjson

from app.errors import GatewayError, Surface, render
from app.gemini.answer import AnswerReader, Usage
from app.gemini.encoding import decoded
from app.gemini.refusals import LONGEST_RETRY_S, error_of, read_refusal
from tests.fuzz.masks import KEY, MASKING
from tests.fuzz.masks import WORDS as PRIVATE_WORDS

MOST_BYTES = 1 << 16
MOST_TOKENS = 2**31 - 1
STATUSES = (400, 401, 403, 404, 409, 413, 429, 499, 500, 503, 504, 599)
WORDS = (
    *PRIVATE_WORDS, b'{"candidates":[{"content":{"parts":[{"text":"', b'"thought":true', b'"finishReason":"STOP"',
    b'"finishMessage":', b'"usageMetadata":{"promptTokenCount":',
    b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":', b'"status":"', b'"promptFeedback":{"blockReason":"',
    b'"modelVersion":', b'"details":[{"retryDelay":"1s"', b'"violations":[{"quotaId":"PerDay"',
    b'"reason":"API_KEY_INVALID"', b"File files/abc", b"9" * 400, b"\n",
)  # fmt: skip


def run(data: bytes) -> None:
    """Read responses, one a line: as an answer, whole and streamed, and as an error of the status that comes first."""
    if not data:
        return
    body = data[1:]
    for is_stream in (True, False):
        try:
            _answer(body, is_stream=is_stream)
        except GatewayError as error:
            _render(error)
    _render(error_of(read_refusal(STATUSES[data[0] % len(STATUSES)], MASKING.body(body)), model="gemini-fuzz"))
    assert decoded(gzip.compress(body, 1), "gzip", MOST_BYTES) == body
    for encoding in ("gzip", "br", ""):
        try:
            assert len(decoded(body, encoding, MOST_BYTES)) <= MOST_BYTES
        except GatewayError as error:
            _render(error)


def _answer(body: bytes, *, is_stream: bool) -> None:
    reader = AnswerReader(is_stream=is_stream)
    for line in body.split(b"\n") if is_stream else [body]:
        deltas = reader.feed(MASKING.body(line))
        assert sum(len(delta.text) for delta in deltas) <= len(line)
    answer = reader.answer()
    assert len(answer.text) + len(answer.thoughts or "") <= len(body)
    check_usage(answer.usage)
    orjson.dumps((answer.finish_reason, answer.finish_message, answer.block_reason, answer.model))


def check_usage(usage: Usage) -> None:
    """Assert that each count of tokens can be priced and stored."""
    counts = (
        usage.input_tokens,
        usage.output_tokens,
        usage.thinking_tokens,
        usage.cached_tokens,
        usage.total_tokens,
        *usage.input_by_modality.values(),
    )
    assert all(type(count) is int and 0 <= count <= 2 * MOST_TOKENS for count in counts), usage


def _render(error: GatewayError) -> None:
    assert 400 <= error.status <= 599
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= LONGEST_RETRY_S < math.inf
    for surface in Surface:
        rendered = render(error, surface, request_id="r")
        assert KEY not in str(orjson.loads(rendered.body))
        assert len(rendered.body) <= 1 << 15
