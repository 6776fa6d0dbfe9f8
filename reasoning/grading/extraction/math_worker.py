"""The process that compares expressions with Math-Verify: `python -m reasoning.grading.extraction.math_worker`.

Owns: one line of JSON in, [left, right], and one out, true or false. It is stopped from outside when a comparison takes
too long (`reasoning.grading.extraction.equal_expressions`), and ends when its input does.

Invariant: it takes no more than `MEMORY` bytes, whatever an expression asks for.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from contextlib import suppress
from typing import Any

MEMORY = 4 * 2**30
CLOSE = 1e-6  # of the larger of two numbers


def main() -> None:
    with suppress(OSError, ValueError):  # a limit that is lower already stays
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify
    from sympy import Expr

    logging.disable(logging.CRITICAL)
    configs = (LatexExtractionConfig(), ExprExtractionConfig())
    sys.set_int_max_str_digits(10_000)

    def read(text: str) -> Any:
        return parse(f"${text}$", configs, parsing_timeout=None, extraction_mode="first_match")

    def close(one: Any, other: Any) -> bool:
        """Of two numbers, whether they are close for their size: Math-Verify rounds to six decimals."""
        if not (isinstance(one, Expr) and isinstance(other, Expr) and one.is_number and other.is_number):
            return True
        size = max(abs(one.evalf()), abs(other.evalf()))
        return bool(abs((one - other).evalf()) <= size * CLOSE)

    print("ready", flush=True)
    for line in sys.stdin:
        try:
            left, right = (
                parse(f"${text}$", configs, parsing_timeout=None, extraction_mode="first_match")
                for text in json.loads(line)
            )
            same = bool(left) and bool(right) and bool(verify(right, left, timeout_seconds=None))
            same = same and close(left[0], right[0])
        except Exception:  # noqa: BLE001 - an expression may make the libraries raise anything; then it is not the same
            same = False
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    main()
