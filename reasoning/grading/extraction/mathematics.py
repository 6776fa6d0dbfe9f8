"""Mathematics in an answer: LaTeX made plain, and expressions worked out by Math-Verify.

Owns: what of LaTeX is only dress, and the one place where Math-Verify is asked.

Invariants
- Math-Verify gets short arithmetic only: digits, operators, brackets, fractions, roots, pi and small exponents. It runs
  without its own time limit, which raises outside the main thread, so nothing that could take long gets there.
- It is imported when first needed: that takes seconds, and the fast path never does.
"""

from __future__ import annotations

import logging
import math
import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

_LONGEST = 80
_BELOW_ZERO = re.compile(  # its sign within: \frac{-1}{2}
    r"(?<![-−0-9.)}\]])(?<![-−0-9.)}\]] )\\frac\s*(?:\{\s*[-−]\s*([0-9]{1,15})\s*\}\s*\{\s*([0-9]{1,15})\s*\}"
    r"|\{\s*([0-9]{1,15})\s*\}\s*\{\s*[-−]\s*([0-9]{1,15})\s*\})"
)
_DRESS = (
    (
        re.compile(
            r"\\(?:(?:text|math|operatorname|mbox|hbox|fbox|framebox|emph|underline|overline|ensuremath"
            r"|textcolor|phantom|mathop)"
            r"[a-z]*|boxed|bf|it|rm|tt)\s*\{([^{}]*)\}"
        ),
        r"\1",
    ),
    (re.compile(r"\\(?:color|textcolor)\s*\{[^{}]*\}|\\(?:bf|it|rm|tt|sf|large|Large|small)\b"), ""),
    (
        re.compile(
            r"\\(?:left|right|displaystyle|textstyle|limits|big|Big|bigg|Bigg)(?![a-z])|\\[,!;:]|\\[()\[\]]|\$\$"
        ),
        "",
    ),
    (re.compile(r"\{([,.])\}"), r"\1"),
    (re.compile(r"(?<=[0-9])\s*\^\s*\{?\s*(?:st|nd|rd|th)\s*\}?"), ""),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\(?:degree|circ)\b"), "°"),
    (re.compile(r"\\([$%#&_{}])"), r"\1"),
    (re.compile(r"\\[dtc]?frac(?![a-z])"), r"\\frac"),
    (_BELOW_ZERO, r"-\1\3/\2\4"),
    (re.compile(r"(?<=[0-9])\s*\\frac\s*\{\s*([0-9]{1,15})\s*\}\s*\{\s*([0-9]{1,15})\s*\}"), r" \1/\2"),
    (re.compile(r"(?<=[0-9])\s*\\frac\s*([0-9])\s*([0-9])"), r" \1/\2"),
    (re.compile(r"\\frac\s*\{\s*([0-9]{1,15})\s*\}\s*\{\s*([0-9]{1,15})\s*\}"), r"\1/\2"),
    (re.compile(r"\\frac\s*\{?\s*([0-9])\s*\}?\s*\{?([0-9]{1,15})\}?"), r"\1/\2"),
    (
        re.compile(r"\{\s*([0-9]{1,15})\s*\\over\s*([0-9]{1,15})\s*\}|([0-9]{1,15})\s*\\over\s*([0-9]{1,15})"),
        r"\1\3/\2\4",
    ),
    (re.compile(r"\\(?:times|cdot|ast)(?![a-z])"), "×"),
    (re.compile(r"(×\s*10\s*\^\s*)\{\s*([-+−]?[0-9]{1,3})\s*\}(?!\s*[\^0-9])"), r"\1\2"),
    (re.compile(r"\\div(?![a-z])"), "÷"),
    (
        re.compile(
            r"\\(?:approx|equiv|simeq|Rightarrow|Longrightarrow|implies|to|rightarrow|therefore"
            r"|iff)(?![a-zA-Z])|[≈≡⇒→]"
        ),
        "=",
    ),
    (re.compile(r"\\(?:leq?|leqslant)(?![a-z])"), "≤"),
    (re.compile(r"\\(?:geq?|geqslant)(?![a-z])"), "≥"),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
    (re.compile(r"\\neq?(?![a-z])"), "≠"),
    (re.compile(r"\\pm(?![a-z])"), "±"),
    (re.compile(r"~|\\quad\b|\\qquad\b|\\ "), " "),
    (re.compile(r"(?<![\^_a-zA-Z}\]])\{([^{}\\]*)\}"), r"\1"),
)
_REPEATING = re.compile(  # 0.\overline{3}
    r"(?<![0-9.])([0-9]{0,9})\.([0-9]{0,9})\\(?:overline|bar|dot|overbar)\s*(?:\{\s*([0-9]{1,9})\s*\}|([0-9]))"
)
_ARITHMETIC = re.compile(r"(?:\\(?:frac|sqrt|pi)\b|\\frac(?=[0-9{])|[0-9.+\-*/^(){}\s×÷])+")
_LONG_DIGITS = re.compile(r"[0-9.]{16}")
_EXPONENT = re.compile(r"\^(?:[0-9](?![0-9])|\{-?[0-9]{1,2}\}|[0-9]{1,2}(?![0-9]))")
_MOST_EXPONENTS = 2


def _as_fraction(found: re.Match[str]) -> str:
    """A repeating decimal as "a/b": 0.1\\overline{6} is 1/6."""
    whole, fixed, repeated = found[1] or "0", found[2], found[3] or found[4]
    nines = (10 ** len(repeated) - 1) * 10 ** len(fixed)
    value = Fraction(int(whole + fixed + repeated) - int(whole + fixed), nines)
    return f"{value.numerator}/{value.denominator}"


def plain(said: str) -> str:
    """`said` without the dress of LaTeX: text commands, spacing, escaped signs; fractions of integers become "a/b"."""
    said = _REPEATING.sub(_as_fraction, said)
    for pattern, replacement in (_DRESS[0], *_DRESS):  # \boxed{\text{...}}
        said = pattern.sub(replacement, said)
    return said.strip()


@lru_cache(maxsize=1024)
def worked_out(expression: str) -> str:
    """The value of an arithmetic expression, plain or LaTeX, as a decimal number; "" when it is none, is longer than 80
    characters, or could take long."""
    expression = expression.replace("−", "-").replace("–", "-").replace(",", "").strip(" .;:$*")
    if not 0 < len(expression) <= _LONGEST or not _ARITHMETIC.fullmatch(expression) or _LONG_DIGITS.search(expression):
        return ""
    exponents = expression.count("^")
    if exponents > _MOST_EXPONENTS or exponents != len(_EXPONENT.findall(expression)) or "**" in expression:
        return ""
    return _math_verify(expression)


def _math_verify(expression: str) -> str:
    from math_verify import LatexExtractionConfig, parse
    from sympy import Basic

    logging.getLogger("math_verify.parser").setLevel(logging.ERROR)  # it warns that it has no time limit
    try:
        found = parse(
            f"${expression}$",
            [LatexExtractionConfig()],
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        value = found[0] if len(found) == 1 else None
        if not isinstance(value, Basic):
            return ""
        value = value.doit()
        if value.is_Rational:
            return decimal(Fraction(int(value.p), int(value.q)))
        number = float(value.evalf())
    except (ArithmeticError, AttributeError, NotImplementedError, RecursionError, TypeError, ValueError):
        return ""  # what it cannot work out is no number
    return decimal(Fraction(number)) if math.isfinite(number) else ""


def decimal(value: Fraction) -> str:
    """`value` in decimal digits, exact where it has at most 15 of them, else the nearest float's. "" where it is beyond
    a float's range."""
    if value.denominator == 1:
        return str(value.numerator) if abs(value) < 10**400 else ""
    try:
        digits = repr(float(value))
    except OverflowError:
        return ""
    text = format(Decimal(digits), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
