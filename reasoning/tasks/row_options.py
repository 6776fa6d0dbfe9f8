"""The options of a row, in any of the ways data lists them.

Owns: which labels and texts a value lists as options. Invariant: options keep their order; what is not a list of
options is refused with a `ValueError` that says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from reasoning.files.python_text import written_value
from reasoning.grading.kinds.alternatives import written_list
from reasoning.grading.numbers.gold_numbers import number_text
from reasoning.grading.options import LETTERS, given

_LABELS, _TEXTS = ("label", "key", "letter", "id"), ("text", "value", "content", "option", "answer")
_RIGHT = ("is_correct", "iscorrect", "correct", "is_right", "is_answer", "is_true")
_MARK = re.compile(r"(?:(?<=\s)|(?<=,)|\A)\(?([A-Za-z])\s*[).:]\s")
_BETWEEN = ("\n", "|", ";")


def options_in(value: Any) -> tuple[Any, tuple[str, ...]]:
    """The labels and the texts of the options that `value` lists. Raises `ValueError`."""
    labels, texts = _labels_and_texts(_written(value) if isinstance(value, str) else value)
    return checked(labels, texts)


def right_options(value: Any) -> list[Any] | None:
    """Of options that say each whether it is right ({text, is_correct}), those that are; None of any others."""
    if not isinstance(value, list) or not value or not all(isinstance(option, Mapping) for option in value):
        return None
    mark = next((name for name in value[0] if str(name).lower() in _RIGHT), None)
    if mark is None or not all(option.get(mark) in (True, False, 0, 1) for option in value):
        return None
    texts = [next((option[name] for name in _TEXTS if name in option), None) for option in value]
    return [text for option, text in zip(value, texts, strict=True) if option[mark] and text is not None]


def options_of_fields(names: Sequence[str], values: Sequence[Any]) -> tuple[Any, tuple[str, ...]]:
    """The labels and the texts of options that stand in a field each; the last ones may be left empty. Their labels are
    what tells the names apart: A of `A` or `option_A`, 1 of `option1`. Raises `ValueError`."""
    there = list(values)
    while there and (there[-1] is None or (isinstance(there[-1], str) and not there[-1].strip())):
        there.pop()
    columns = zip(*(name.lower() for name in names), strict=False)
    shared = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, columns))
    return checked([name[shared:] or name for name in names], there)


def checked(labels: Any, texts: Sequence[Any]) -> tuple[Any, tuple[str, ...]]:
    options = tuple(option_text(text) for text in texts)
    if not 2 <= len(options) <= len(LETTERS) or len(labels) < len(options):
        raise ValueError(f"a question has 2 to {len(LETTERS)} options, each with a text, this has {len(options)}")
    marks = [re.match(rf"\s*\(?{letter}[).:]", option) for letter, option in zip(LETTERS, options, strict=False)]
    if all(marks):
        options = tuple(option_text(option[mark.end() :]) for option, mark in zip(options, marks, strict=True) if mark)
    return labels, options


def option_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"one of its options is not a text but {type(value).__name__}")
    text = (value if isinstance(value, str) else number_text(value)).strip()
    if not text:
        raise ValueError("one of its options is empty")
    return text


def _labels_and_texts(value: Any) -> tuple[Any, Sequence[Any]]:
    if isinstance(value, Mapping):
        return _of_object(value)
    if isinstance(value, list | tuple):
        names = _names(value)
        if names:
            return [option[names[0]] for option in value], [option[names[1]] for option in value]
        if right_options(value) is not None:
            return LETTERS, [next((option[name] for name in _TEXTS if name in option), None) for option in value]
        return LETTERS, list(value)
    raise ValueError(f"its options are not a list but {type(value).__name__}")


def _of_object(value: Mapping[Any, Any]) -> tuple[Any, Sequence[Any]]:
    for label in ("label", "labels"):
        for text in ("text", "texts"):
            if isinstance(value.get(text), list) and isinstance(value.get(label), list):
                return value[label], value[text]
    value = given(value)
    letters = [str(key).strip("() .").upper() for key in value] == list(LETTERS[: len(value)])
    scores = all(score in (0, 1) for score in value.values())
    if value and (all(isinstance(text, str) for text in value.values()) or (letters and not scores)):
        return list(value), list(value.values())
    return LETTERS, list(value)  # {text: score}


def _names(value: Sequence[Any]) -> tuple[str, str] | None:
    """Of a list of objects the fields that hold label and text."""
    if not value or not all(isinstance(option, Mapping) for option in value):
        return None
    return next(
        ((a, b) for a in _LABELS for b in _TEXTS if all(a in option and b in option for option in value)),
        None,
    )


def _written(text: str) -> Any:
    """The options that a text writes out: as a list or an object, each after its letter, or with a sign between."""
    listed = written_list(text)
    if listed is not None:
        return listed
    if text.lstrip().startswith(("{", "[{", "array(")):
        printed = written_value(text)
        if printed is None:
            raise ValueError(f"its options are not JSON: {text[:40]!r}")
        return printed
    marks = list(_MARK.finditer(text))
    letters = [mark[1].upper() for mark in marks]
    if len(marks) > 1 and letters == list(LETTERS[: len(marks)]) and not text[: marks[0].start()].strip():
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        return [text[mark.end() : end].strip(" ,;\t\r\n") for mark, end in zip(marks, ends, strict=True)]
    for sign in _BETWEEN:
        parts = [part.strip() for part in text.split(sign) if part.strip()]
        if len(parts) > 1:
            return parts
    raise ValueError(f"its options are one text, {text[:40]!r}; list them, or put a | between them")
