"""Folders of runs: what is said of a place that is none, and which one was probably meant.

Owns: these words. People name a round, a file in a run, or the folder that holds their runs.
"""

from __future__ import annotations

from pathlib import Path

_NAMED = 3  # runs that are named


def no_run_at(path: Path) -> str:
    """Why `path` is no run's folder, with what to give instead where that can be seen."""
    return f"{path}: not a run directory: {_why(path)}"


def _why(path: Path) -> str:
    if not path.exists():
        return "there is no such folder"
    why = "it has no recipe.yaml" if path.is_dir() else "it is a file"
    around = next((folder for folder in path.absolute().parents[:3] if _is_run(folder)), None)
    if around is not None:
        return f"{why}; it is in the run {_as_written(around, path)}: give that"
    inside = [folder for folder in _folders(path) if _is_run(folder)]
    if not inside:
        return why
    others = f" and {len(inside) - _NAMED} more" if len(inside) > _NAMED else ""
    return f"{why}; there are runs in it: give {', '.join(map(str, inside[:_NAMED]))}{others}"


def _is_run(folder: Path) -> bool:
    return (folder / "recipe.yaml").is_file()


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(folder for folder in path.iterdir() if folder.is_dir()) if path.is_dir() else []
    except OSError:
        return []


def _as_written(folder: Path, path: Path) -> Path:
    """`folder` as `path` writes the way there, where it does."""
    return next((one for one in path.parents if one.absolute() == folder and str(one) != "."), folder)
