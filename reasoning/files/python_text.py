"""Values that a table's cell holds as text: JSON, or what Python and NumPy print, and so pandas' `to_csv` of objects.

Owns: which of these texts are read, and as what. Nothing in them is run.

Invariants
- Only lists, objects, texts, numbers, `True`, `False` and `None` are read; any other text is None.
- A print that leaves out its middle (`...`) is no value.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import warnings
from typing import Any

_OPENS, _CLOSES = {"[": "]", "{": "}"}, {"]", "}"}
_LAYOUT = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}


def written_value(text: str) -> Any:
    """What `text` writes out as JSON, or else as `python_value` reads it; None where it is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return python_value(text)


def python_value(text: str) -> list[Any] | dict[Any, Any] | None:
    """The list or the object that `text` writes out: "{'a': [1, 2]}", NumPy's "[{'a': 1}\\n {'a': 2}]" without commas,
    "array(['x', 'y'], dtype=object)"; None for any other text."""
    text = text.strip()
    if not text.startswith(("[", "{", "array(")) or ("..." in text and _leaves_out(text)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that Python does not know
            found = ast.literal_eval(_as_python(text))
    except (ValueError, SyntaxError, tokenize.TokenError, IndentationError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, list | dict) else None


def _as_python(text: str) -> str:
    """`text` with commas between values that follow one another, and without `array(` and what comes after its list."""
    written: list[str] = []
    depths: list[int] = []  # of the lists that stand in an `array(`
    depth, before, skipping = 0, "", False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _LAYOUT:
            continue
        word = token.string
        if word == "array":
            before = _separated(written, before, "[")
            continue
        if word == "(" and before in ("", ":", ",", "["):
            depths.append(depth)
            continue
        if word == ")" and depths:
            depths.pop()
            skipping = False
            continue
        if skipping or (depths and depth == depths[-1] and word == ","):
            skipping = True  # dtype=object
            continue
        before = _separated(written, before, word)
        depth += (word in _OPENS) - (word in _CLOSES)
        written.append(word)
        before = word
    return " ".join(written)


def _separated(written: list[str], before: str, word: str) -> str:
    """Puts a comma where a value follows a value."""
    ends = before in _CLOSES or (before != "" and before not in _OPENS and before not in (",", ":", "-"))
    begins = word in _OPENS or (word not in _CLOSES and word not in (",", ":"))
    if ends and begins:
        written.append(",")
        return ","
    return before


def _leaves_out(text: str) -> bool:
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return any(token.type == tokenize.OP and token.string == "..." for token in tokens)
    except (tokenize.TokenError, SyntaxError):
        return True
