"""Errors of fields are in the words of this API, not in pydantic's."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.api.auth import TokenRequest
from app.api.field_errors import field_error, nearest
from app.api.options import ChatRequest, ContentItem

PYDANTIC = re.compile(
    r"input should|should (be|have|match)|valid (string|list|dict|integer|number)|extra inputs|required", re.IGNORECASE
)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=5) | st.just("x" * 300)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
PART_FIELDS = ["text", "file_id", "inline_data", "url", "mime_type", "start", "fps", "type"]
PARTS = st.dictionaries(st.sampled_from(PART_FIELDS), VALUES)
MESSAGES = st.dictionaries(st.sampled_from(["role", "content"]), st.lists(PARTS, max_size=2) | VALUES)


@pytest.mark.parametrize("model", [ChatRequest, ContentItem, TokenRequest])
@given(st.data())
def test_no_error_speaks_pydantics_words(model: type[BaseModel], data: st.DataObject) -> None:
    fields = st.sampled_from([*model.model_fields, "other"])
    document = data.draw(st.dictionaries(fields, VALUES | st.lists(MESSAGES, max_size=2)))
    found: list[Any] = []
    try:
        model.model_validate(document)
    except ValidationError as error:
        found = [field_error(item) for item in error.errors()]

    assert [error for error in found if PYDANTIC.search(error.message)] == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("system", ". Did you mean 'system_instruction'?"),
        ("max_tokens", ". Did you mean 'max_output_tokens'?"),
        ("zzzz", ""),
    ],
)
def test_names_of_other_apis_lead_to_the_name_of_this_one(name: str, hint: str) -> None:
    assert nearest(name, list(ChatRequest.model_fields)) == hint
