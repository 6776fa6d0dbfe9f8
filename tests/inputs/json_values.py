"""Values that JSON can hold, as whatever somebody else wrote may be."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def json_values(
    *leaves: Any, names: st.SearchStrategy[str] | None = None, finite: bool = False, most: int = 4
) -> st.SearchStrategy[Any]:
    """Nulls, true and false, numbers, texts and the further `leaves`, and lists and objects of them. `names` are those
    of fields; `finite`: without NaN and Infinity; `most`: how many are in one."""
    numbers = st.integers() | st.floats(allow_nan=not finite, allow_infinity=not finite)
    simple = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20), *(st.just(leaf) for leaf in leaves))
    fields = st.text(max_size=5) if names is None else names
    return st.recursive(
        simple,
        lambda inner: st.lists(inner, max_size=most) | st.dictionaries(fields, inner, max_size=most),
        max_leaves=10,
    )
