"""Answers as they are written, held against the models that the document is made of."""

import json
from datetime import UTC, datetime

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from app.api.schemas import FileReport, Generation, TokensByModality, TokenUsage

SCHEMA = jsonschema_rs.validator_for(Generation.model_json_schema(mode="serialization"), validate_formats=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | TEXT
TOKENS = st.integers(0, 2**53)
SECONDS = st.floats(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
JSON = st.dictionaries(
    TEXT, st.recursive(st.none() | st.booleans() | TOKENS | TEXT, st.lists, max_leaves=5), max_size=3
)
USAGES = st.builds(
    TokenUsage,
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    thinking_tokens=TOKENS,
    cached_tokens=TOKENS,
    total_tokens=TOKENS,
    input_by_modality=st.builds(TokensByModality, text=TOKENS, image=TOKENS),
    estimated_cost_usd=st.none() | st.floats(0, 1e9),
)
REPORTS = st.builds(
    FileReport,
    index=TOKENS,
    id=MAYBE,
    filename=MAYBE,
    mime_type=MAYBE,
    declared_mime_type=MAYBE,
    size_bytes=st.none() | TOKENS,
    sha256=MAYBE,
    delivery=TEXT,
    expires_at=st.none() | SECONDS,
)
ANSWERS = st.builds(
    Generation,
    id=TEXT,
    created_at=SECONDS | SECONDS.map(lambda when: when.replace(microsecond=0)),
    model=TEXT,
    requested_model=TEXT,
    text=TEXT,
    parsed=st.none() | JSON,
    finish_reason=TEXT,
    block_reason=MAYBE,
    finish_message=MAYBE,
    thoughts=MAYBE,
    warnings=st.just([]),
    usage=USAGES,
    files=st.lists(REPORTS, max_size=2),
    metadata=st.none() | JSON,
)


@given(ANSWERS)
def test_json_bytes_equals_model_dump_json(answer: Generation) -> None:
    written = answer.json_bytes()

    assert json.loads(written) == json.loads(answer.model_dump_json())
    assert Generation.model_validate_json(written) == answer
    assert SCHEMA.is_valid(json.loads(written))


@given(ANSWERS, st.lists(TOKENS, max_size=3) | TOKENS | TEXT | st.booleans())
def test_a_parsed_answer_of_any_type_is_written(answer: Generation, parsed: object) -> None:
    told = Generation(**{**vars(answer), "parsed": parsed})

    assert json.loads(told.json_bytes())["parsed"] == parsed
