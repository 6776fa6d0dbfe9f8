"""What goes along with a submitted run: its recipe, the files that the recipe names, the module of its own grader.

Owns: which files those are, where they lie on the cluster, and how the recipe names them there.

Invariants
- Nothing else is sent: no folder is taken whole but one that the recipe names, and of that no hidden file, environment
  or cache.
- A file inside the folder where `tailor` was started keeps its relative path, so that the recipe (and with it the run's
  identity) stays as it is. A file from elsewhere gets a place of its own, which the uploaded recipe names.
- A relative path that leads to nothing is refused. An absolute one that leads to nothing here is left to the nodes.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel

from pipelines.errors import Refused
from reasoning.files.resources import resource
from reasoning.prompts.files import PROMPTS
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.tailored import Recipe

MOST_BYTES = 400 * 1024**2  # Ray takes packages of 512 MiB
START = "start.sh"
_PROMPTS = {"prompt", "first_prompt", "feedback_prompt", "label_prompt"}
_FOLDERS = {"model", "hub_id"}  # names of a hub, or folders
_ELSEWHERE = "uploaded"
_LEFT_OUT = {"__pycache__", "node_modules"}
_ON_THE_CLUSTER = ("storage", "cluster")

AnyRecipe = Recipe | FineTuneCotRecipe


@dataclass(frozen=True, slots=True)
class Uploads:
    """What goes along: files by their place in the job's folder, the recipe's place and text, and what to know."""

    files: dict[str, Path]
    recipe: str
    text: str
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files.values()) + len(self.text.encode())

    def gather(self, folder: Path) -> None:
        """Puts everything into `folder`, as it will lie on the cluster."""
        for place, file in self.files.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (folder / self.recipe).parent.mkdir(parents=True, exist_ok=True)
        (folder / self.recipe).write_text(self.text, encoding="utf-8")
        shutil.copyfile(resource("pipelines.run.jobs", START), folder / START)


def uploads(recipe: AnyRecipe, file: Path, original: str, here: Path) -> Uploads:
    """What goes along with `recipe`, read from `file`, whose text is `original`, by a `tailor` that was started in
    `here`. Raises `Refused`."""
    files: dict[str, Path] = {}
    moved: dict[tuple[str | int, ...], str] = {}
    notes: list[str] = []
    for key, named in _named_files(recipe, here):
        source = here / Path(named).expanduser()
        dotted = ".".join(map(str, key))
        if not source.exists():
            if not Path(named).is_absolute():
                raise Refused(f"{file}: {dotted}: {named} is not there; nothing was submitted. Fix the path")
            notes.append(f"{dotted}: {named} is not on this machine; the nodes must have it.")
            continue
        if here.is_relative_to(source.resolve()):
            raise Refused(
                f"{file}: {dotted}: {named} is the folder that tailor was started in, or one above it, which would be "
                "uploaded whole. Put what belongs to the run into a folder of its own"
            )
        place = _place(source, named, here) or f"{_ELSEWHERE}/{dotted}/{source.resolve().name}"
        if place != PurePosixPath(Path(named).as_posix()).as_posix():
            moved[key] = place
        files |= (
            {str(PurePosixPath(place) / inner): path for inner, path in _files_of(source, dotted)}
            if source.is_dir()
            else {place: source}
        )
    files |= _grader_files(recipe, here, notes)
    at = _place(file, str(file), here) or file.name
    found = Uploads(files, at, _text(recipe, original, moved), tuple(notes))
    if found.bytes > MOST_BYTES:
        largest = max(files, key=lambda place: files[place].stat().st_size)
        raise Refused(
            f"{file}: {found.bytes / 1024**2:,.0f} MiB would be uploaded, the largest file {files[largest]}, and a job "
            f"may bring {MOST_BYTES / 1024**2:.0f}. Put large files where the nodes can read them, and name them by "
            "that absolute path"
        )
    return found


def _named_files(recipe: AnyRecipe, here: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The keys of the recipe that name a file or folder, and what they name."""
    for section in type(recipe).model_fields:
        if section not in _ON_THE_CLUSTER:
            yield from _in(getattr(recipe, section), (section,), here)


def _in(value: Any, key: tuple[str | int, ...], here: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _in(getattr(value, name), (*key, name), here)
    elif isinstance(value, tuple | list):
        for number, one in enumerate(value):
            yield from _in(one, (*key, number), here)
    elif isinstance(value, Path):
        yield key, str(value)
    elif isinstance(value, str) and key[-1] in _PROMPTS:
        kind = "student" if key[0] == "student" or key[-1] == "label_prompt" else "teacher"
        built_in = "/" not in value and (PROMPTS / kind / f"{value}.yaml").is_file()
        if not built_in and ("/" in value or (here / value).is_file()):
            yield key, value
    elif isinstance(value, str) and key[-1] in _FOLDERS and (here / Path(value).expanduser()).is_dir():
        yield key, value


def _place(source: Path, named: str, here: Path) -> str | None:
    """Where a file inside `here` lies there, as a path below it; None for one outside."""
    if ".." in Path(named).parts:
        return None
    return source.absolute().relative_to(here).as_posix() if source.absolute().is_relative_to(here) else None


def _files_of(folder: Path, key: str) -> Iterator[tuple[str, Path]]:
    """The files of a folder by their paths below it."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            one
            for one in folders
            if not one.startswith(".") and one not in _LEFT_OUT and not (Path(parent) / one / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _text(recipe: AnyRecipe, original: str, moved: dict[tuple[str | int, ...], str]) -> str:
    """The recipe as written, where nothing in it has another name there; else its content, with the new names."""
    if not moved and "${DATA}" not in original:
        return original
    content = recipe.model_dump(mode="json")
    for key, place in moved.items():
        inner: Any = content
        for part in key[:-1]:
            inner = inner[part]
        inner[key[-1]] = place
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


# The recipe's own grader ---------------------------------------------------------------------------------------------


def _grader_files(recipe: AnyRecipe, here: Path, notes: list[str]) -> dict[str, Path]:
    """The module of the recipe's own grader, and what it imports from beside it."""
    grader = recipe.task.form.grader if recipe.task.form is not None else None
    if grader is None:
        return {}
    files: dict[str, Path] = {}
    wanted = [grader.partition(":")[0]]
    while wanted:
        module = wanted.pop()
        for place, path in _module_files(module, here):
            if place not in files:
                files[place] = path
                wanted += _imported(path, place)
    if not files:
        notes.append(f"task.form.grader: {grader} is not in this folder; the nodes must have it installed.")
    return files


def _module_files(module: str, here: Path) -> Iterator[tuple[str, Path]]:
    """The files of a module of one's own, with the packages that it is in; none for a module that is installed."""
    for root in [here, *(Path(entry) for entry in sys.path if entry and not _is_installed(Path(entry)))]:
        base = root.joinpath(*module.split("."))
        file = base / "__init__.py" if (base / "__init__.py").is_file() else base.with_suffix(".py")
        if file.is_file() and not _is_installed(file):
            found = [file, *(parent / "__init__.py" for parent in file.parents if root in parent.parents)]
            yield from ((one.relative_to(root).as_posix(), one) for one in found if one.is_file())
            return


def _is_installed(path: Path) -> bool:
    """Whether `path` belongs to Python, an environment or Tailor, which the nodes have of their own."""
    own = importlib.util.find_spec("pipelines")
    ours = Path(own.origin).parent.parent if own is not None and own.origin else None
    prefixes = {Path(sys.prefix), Path(sys.base_prefix)}
    inside = any(prefix in path.parents or prefix == path for prefix in prefixes)
    return inside or (ours is not None and any(ours / room in (path, *path.parents) for room in _ROOMS))


_ROOMS = ("actors", "pipelines", "reasoning", "serve", "recipes")


def _imported(path: Path, place: str) -> Iterator[str]:
    """The full names that a module's file imports, its own package's by their full names."""
    package = PurePosixPath(place).parent.parts
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return  # told where graders are checked
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, (node.module,))))
            yield from filter(None, (base, *(f"{base}.{name.name}".lstrip(".") for name in node.names)))
