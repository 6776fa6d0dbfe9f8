"""Digits, letters and signs of every script and shape as plain ASCII: full-width ones, dashes, superscripts, fractions.

Owns: which characters are the same to a reader. Invariant: total, and linear in the text's length; a text that is plain
already is returned as it is.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile(r"(?<=[0-9)])([⁺⁻]?[⁰¹²³⁴-⁹]{1,9})")
_OTHER_SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]+")  # of a unit: cm²
_PART = re.compile(r"[¼-¾⅐-⅞]")
_PARTS = {
    code: str(Fraction(unicodedata.numeric(chr(code))).limit_denominator(10))
    for code in (*range(ord("¼"), ord("¾") + 1), *range(ord("⅐"), ord("⅞") + 1))
}
_AFTER_DIGIT = re.compile(r"(?<=[0-9])(?=[¼-¾⅐-⅞])")
_SAME = {
    **dict.fromkeys("−–‒‐‑﹣⁃—―", "-"),
    **dict.fromkeys("·⋅∙•✕✖⨯", "×"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("’‘ʼ", "'"),
    **dict.fromkeys("≃≅∼", "≈"),
    "٫": ".",
    "٬": ",",
    "∗": "*",
    "🔟": "10",
    "。": ".",
    "〜": "~",
}


class _Plain(dict[int, str]):
    """What each character is to a reader, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        plain = _SAME.get(char) or _of_script(char)
        if len(self) < 4096:
            self[code] = plain
        return plain


def _of_script(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    if "！" <= char <= "～":  # full-width forms
        return chr(ord(char) - 0xFEE0)
    if "Ⓐ" <= char <= "ⓩ":  # letters in circles
        return unicodedata.normalize("NFKC", char)
    if char == "￥":
        return "¥"
    category = unicodedata.category(char)
    return " " if category == "Zs" else "" if category == "Cf" else char


_PLAIN = _Plain({code: chr(code) for code in range(128)})


def plain_numerals(text: str) -> str:
    """`text` with ASCII digits, "-" for every dash, "^3" for a superscript after a digit and "1/2" for ½."""
    if text.isascii():
        return text
    if _PART.search(text):
        text = _AFTER_DIGIT.sub(" ", text).translate(_PARTS)
    text = _SUPERSCRIPT.sub(lambda found: "^" + found[1].translate(_SUPERSCRIPTS), text)
    return _OTHER_SUPERSCRIPT.sub("", text).translate(_PLAIN)
