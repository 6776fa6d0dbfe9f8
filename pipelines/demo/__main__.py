"""`make demo`: the quickstart recipe on real parts."""

from __future__ import annotations

import sys

from rich.console import Console

from pipelines.demo.demo import demo, ending


def main() -> int:
    return ending(lambda: demo(Console(emoji=False)))


if __name__ == "__main__":
    sys.exit(main())
