"""Answers as models could send them: any JSON, and JSON that resembles the requested JSON."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**20), max_value=10**20)
    | st.floats()
    | st.text()
    | st.sampled_from(["12.5", "-1", "1e999", "NaN", "\x00", "data:image/png;base64,", "data:image/png;base64,AAAA"])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


def answers(list_name: str, item_names: Sequence[str], other_names: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """Return texts of JSON: anything at all, or lists of items with these members, each of any value."""
    edges = st.lists(st.integers(-10, 1010) | SCALARS, min_size=4, max_size=4)
    item = st.dictionaries(st.sampled_from(item_names), edges | ANYTHING, max_size=len(item_names))
    items = st.lists(item | ANYTHING, max_size=5)
    whole = st.dictionaries(st.sampled_from([list_name, *other_names]), items | ANYTHING, max_size=3)
    return (ANYTHING | items | whole).map(json.dumps)
