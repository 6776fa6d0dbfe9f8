"""`make demo`: the quickstart recipe on real parts."""

from __future__ import annotations

import sys

from pipelines.demo.demo import demo, ending
from pipelines.run.log_lines import console


def main() -> int:
    return ending(lambda: demo(console()))


if __name__ == "__main__":
    sys.exit(main())
