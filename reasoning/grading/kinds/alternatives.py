"""Several right answers to one question, in the ways data states them.

Owns: which values of a row are lists of answers, any of which is right. How one of them is read is its kind's.

Invariant: a value that states no answer is refused with what is missing; nothing but `ValueError` is raised.

The ways: a list; SQuAD's {text: [...], answer_start: [...]}, or a list of {text}; TriviaQA's {value, aliases}; DROP's
{spans: [...]}; a list or such an object that a table's cell holds as text, in JSON's, Python's or NumPy's notation.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from reasoning.files.python_text import written_value

_INNER = ("text", "spans", "input_text", "value", "answer", "answers", "aliases")  # of an object, the first is taught


def alternatives(value: Any) -> list[Any]:
    """The answers that `value` states, at least one; itself where it is one. Raises `ValueError`."""
    found = list(_each(value))
    if not found:
        raise ValueError("its answer is missing" if value is None else "it has no answer: its list of answers is empty")
    return found


def _each(value: Any) -> Iterator[Any]:
    if value is None:
        return
    if isinstance(value, str):
        listed = written_list(value)
        if (printed := _printed(value)) is not None:
            yield from _each(printed)
            return
        yield from [value] if listed is None or not all(isinstance(one, str) for one in listed) else listed
    elif isinstance(value, list | tuple):
        for one in value:
            if one != "":
                yield from _each(one)
    elif isinstance(value, Mapping) and (names := _inner_names(value)):
        for name in names:
            yield from _each(value[name])
    else:
        yield value


def _printed(text: str) -> list[Any] | Mapping[Any, Any] | None:
    """The object with answers, or NumPy's array of them, that a table's cell holds as JSON or as Python prints it."""
    if not text.lstrip().startswith(("{", "array(")):
        return None
    found = written_value(text)
    return found if isinstance(found, list) or (isinstance(found, Mapping) and _inner_names(found)) else None


def _inner_names(value: Mapping[Any, Any]) -> list[Any]:
    """The fields of an object that hold answers; none where it is an answer of its own, such as scores."""
    lowered = {name.lower(): name for name in value if isinstance(name, str)}
    return [lowered[name] for name in _INNER if name in lowered and not isinstance(value[lowered[name]], int | float)]


def written_list(text: str) -> list[Any] | None:
    """The list that `text` writes out: '["a", "b"]', "['a', 'b']", or NumPy's "['a' 'b']"; None for any other text."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _python_list(text)
    return found if isinstance(found, list) and found else None


def _python_list(text: str) -> list[Any] | None:
    """Python's notation. Texts without a comma between them are NumPy's, and not one text, as they are in Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes that Python does not know
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
            texts = [token.string for token in tokens if token.type == tokenize.STRING]
            signs = {token.string for token in tokens if token.type == tokenize.OP}
            found = (
                [ast.literal_eval(one) for one in texts] if signs == {"[", "]"} and texts else ast.literal_eval(text)
            )
        except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError):
            return None
    several = isinstance(found, list) and len([one for one in found if isinstance(one, str)]) == len(texts)
    return found if several else None
