"""Absolute values: "|-3|" is 3, in plain bars and in those of LaTeX.

Owns: which bars enclose a value; those of a table do not. What is in them and is no arithmetic stays as it is.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.mathematics import decimal, plain
from reasoning.grading.extraction.numerals import plain_numerals
from reasoning.grading.numbers.quantities import sum_at

_BAR = r"\s{0,9}(?:\||\\[lr]?vert(?![a-z]))"
_OPENING = re.compile(
    rf"\\(?:left|[bB]igg?l?){_BAR}\s{{0,9}}(?=[-−(\\0-9])|\\lvert(?![a-z])\s{{0,9}}|\\vert\s{{0,9}}(?=[-−(\\0-9])",
    re.ASCII,
)
_CLOSING = re.compile(
    rf"\s{{0,9}}\\(?:right|[bB]igg?r?(?!l)){_BAR}|\s{{0,9}}\\rvert(?![a-z])|(?<=[0-9)}}])\s{{0,9}}\\vert(?![a-z])",
    re.ASCII,
)
_BARS = re.compile(r"(?<![\w|)])\|(?![\s|])([^|\n]{1,60})(?<!\s)\|(?!\|)")
_TABLE_ROW = re.compile(r"\s*\|(?:[^|\n]*\|){2,}\s*\Z")
_MINUS = re.compile(r"(?<=[0-9)])-(?=[0-9(])")


def without_bars(line: str) -> str:
    """`line` with its absolute values instead of the arithmetic between bars."""
    if "\\" in line:
        line = _CLOSING.sub("|", _OPENING.sub("|", line))
    return line if "|" not in line or _TABLE_ROW.match(line) else _BARS.sub(_value, line)


def _value(found: re.Match[str]) -> str:
    inner = _MINUS.sub(" - ", plain(plain_numerals(found[1])).strip())
    worked = sum_at(inner, 0)
    return decimal(abs(worked[0])) if worked and worked[1] == len(inner) else found[0]
