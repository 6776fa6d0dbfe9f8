"""Writes docs/recipe.md, the reference of recipes: `python -m pipelines.recipe.reference [FILE]`.

Owns: the command. What is on the page is in `reasoning.recipe.reference`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reasoning.recipe.reference import reference

PAGE = Path("docs/recipe.md")


def main() -> None:
    """Writes the page to the file that is named, or to docs/recipe.md of the folder where it is started."""
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
