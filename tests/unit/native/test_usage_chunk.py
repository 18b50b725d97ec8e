"""The usage chunk of an OpenAI stream is removed, and no other byte, however the network cuts the stream."""

from collections.abc import Sequence
from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.gemini.stream_masking import HELD_BYTES
from app.native.usage_chunk import UsageChunkFilter

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def event(**chunk: object) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(chunk)


TEXT = event(choices=[{"delta": {"content": 'say "usage" and "choices":[]'}}])
LAST = event(choices=[{"delta": {}, "finish_reason": "stop"}], usage=USAGE)
HIDDEN = event(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"


def filtered(pieces: Sequence[bytes]) -> bytes:
    usage_filter = UsageChunkFilter()
    return b"".join([usage_filter.feed(piece) for piece in pieces]) + usage_filter.end()


@given(st.lists(st.sampled_from([TEXT, LAST, HIDDEN, DONE, b": comment\n\n", b"\n"])), st.lists(st.integers(0, 900)))
def test_only_the_chunk_with_usage_and_no_choices_is_removed_in_all_cuts(events: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(events)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    shown = filtered([stream[start:end] for start, end in pairwise(edges)])

    kept = [each for each in events if each != HIDDEN]
    assert shown.replace(b"\n", b"") == b"".join(kept).replace(b"\n", b"")
    if b"\n" not in events:
        assert shown == b"".join(kept)


def test_a_line_longer_than_the_bound_passes_as_it_arrives() -> None:
    usage_filter = UsageChunkFilter()
    long = event(choices=[{"delta": {"content": "x" * 2 * HELD_BYTES}}])

    passed = usage_filter.feed(long[: HELD_BYTES + 1])

    assert passed == long[: HELD_BYTES + 1]
    assert usage_filter.feed(long[HELD_BYTES + 1 :] + HIDDEN + DONE) + usage_filter.end() == (
        long[HELD_BYTES + 1 :] + DONE
    )


def test_a_usage_chunk_without_its_empty_line_at_the_end_of_the_stream_is_removed() -> None:
    assert filtered([TEXT, HIDDEN.rstrip()]) == TEXT
