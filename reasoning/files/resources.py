"""Files that belong to the code and travel with it in a wheel: prompts, prices, templates, the embedded student.

Owns: finding them. They lie inside the packages, never beside them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def resource(package: str, *names: str) -> Path:
    """The file or folder `names` inside `package`: `resource("reasoning.teacher", "prices.yaml")`.

    A package is installed as files, so that what it holds has a path that other libraries can open."""
    return Path(str(files(package))).joinpath(*names)
