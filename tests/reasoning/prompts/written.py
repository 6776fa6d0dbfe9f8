"""A prompt file of a test's own."""

from __future__ import annotations

from pathlib import Path


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    """The path of a file with `text` in it, as a recipe names it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)
