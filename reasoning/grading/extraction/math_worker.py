"""The process that compares expressions with Math-Verify: `python -m reasoning.grading.extraction.math_worker SECONDS`.

Owns: one line of JSON in, [left, right], and one out, true or false. It ends when its input does.

Invariant: it takes no more than `MEMORY` bytes, and ends at once, without a line, after so many seconds of the
processor in one comparison, whatever an expression asks for.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
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

    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process, in the midst of a library's C code, too
    print("ready", flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
        try:
            left, right = (
                parse(f"${text}$", configs, parsing_timeout=None, extraction_mode="first_match")
                for text in json.loads(line)
            )
            same = bool(left) and bool(right) and bool(verify(right, left, timeout_seconds=None))
            same = same and close(left[0], right[0])
        except Exception:  # noqa: BLE001 - an expression may make the libraries raise anything; then it is not the same
            same = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    main()
