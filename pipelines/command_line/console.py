"""What commands and runs print on.

Invariant: what others call `:name:` (a path, an address, a student's words) is shown as it is, and is no picture.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console


def plain_console(**settings: Any) -> Console:
    """A `rich.console.Console` with these settings."""
    return Console(emoji=False, **settings)
