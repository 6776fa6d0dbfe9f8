"""The classes of columns that hold their numbers, as Hugging Face's datasets have them (`ClassLabel`).

Owns: where a dataset or a file says what its classes are called. Invariant: what cannot be read says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def classes_in(features: Any) -> dict[str, tuple[str, ...]]:
    """The names of the classes of each column that has some: of `features` as the library holds them ({column:
    ClassLabel}), or as it writes them into a Parquet file."""
    found: dict[str, tuple[str, ...]] = {}
    for column, feature in features.items() if isinstance(features, Mapping) else ():
        written = isinstance(feature, Mapping)
        is_class = feature.get("_type") == "ClassLabel" if written else type(feature).__name__ == "ClassLabel"
        names = (feature.get("names") if written else getattr(feature, "names", None)) if is_class else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[str(column)] = tuple(names)
    return found


def classes_of_schema(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """The same of an Arrow schema's `metadata`."""
    try:
        written = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        return classes_in(written["info"]["features"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
