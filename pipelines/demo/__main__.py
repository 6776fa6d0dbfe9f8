"""`make demo`: the quickstart recipe on real parts."""

from __future__ import annotations

import sys

from rich.console import Console

from pipelines.demo.demo import demo
from pipelines.errors import told_plainly


def main() -> int:
    import ray

    try:
        with told_plainly():
            demo(Console())
    finally:
        ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
