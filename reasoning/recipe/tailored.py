"""The recipe: everything a run is, as strict typed models read from one YAML file.

Owns: what recipes are made of (each section has a module beside this one), how they are read, what makes two of them
the same, and the error that names a key's path and its cure.

Invariants
- Unknown keys and impossible values are refused here, before any process starts.
- `Recipe.fingerprint()` is what makes a run directory belong to a recipe: the content of what is learnt, not where
  it runs (`cluster` and `storage` may change between a run and its resumption).
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from reasoning.recipe.base import Section, yaml_problem
from reasoning.recipe.cluster import ClusterSection, StorageSection
from reasoning.recipe.learning import LearningSection
from reasoning.recipe.student import StudentSection
from reasoning.recipe.task import TaskSection
from reasoning.recipe.teacher import THROUGHPUT_KEYS, EndpointSection, TeacherSection
from reasoning.records import stable_id

RecipeT = TypeVar("RecipeT", bound="RunRecipe")


class RecipeError(ValueError):
    """A recipe that cannot be run. The message names the file, each key's path and what would be right."""


class RunRecipe(Section):
    """What the recipes of all kinds of run have in common. `name` is the run's directory under `storage.path`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "run"
    seed: Annotated[int, Field(ge=0)] = 0
    task: TaskSection = TaskSection()
    student: StudentSection = StudentSection()
    teacher: EndpointSection = EndpointSection()
    cluster: ClusterSection = ClusterSection()
    storage: StorageSection = StorageSection()

    def replace(self, name: str | None = None, storage_path: str | None = None, seed: int | None = None) -> Self:
        """This recipe with some of its keys replaced, checked anew. None keeps a key. Raises `RecipeError`."""
        content = self.model_dump()
        content |= {key: value for key, value in (("name", name), ("seed", seed)) if value is not None}
        if storage_path is not None:
            content["storage"] |= {"path": storage_path}
        try:
            return type(self).model_validate(content)
        except ValidationError as error:
            raise RecipeError(_explain(error, "command line", type(self))) from error

    def fingerprint(self) -> str:
        """What makes a run directory this recipe's: a hash of `identity()`."""
        return stable_id(self.identity())

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What is learnt, as plain data: everything but where the run happens and how far it goes."""


class Recipe(RunRecipe):
    """One run of tailored learning."""

    teacher: TeacherSection = TeacherSection()
    learning: LearningSection = LearningSection()

    def identity(self) -> dict[str, Any]:
        """What is learnt: seed, task, student, teacher, learning, as plain data. Left out: where the run happens, how
        fast the teacher is asked, and for how many rounds (a finished run may be continued). Prompts are here by their
        names; a run's directory keeps their content."""
        content = self.model_dump(mode="json", include={"seed", "task", "student", "teacher", "learning"})
        for endpoint in (content["teacher"], content["teacher"].get("first") or {}):
            for key in THROUGHPUT_KEYS:
                endpoint.pop(key, None)
        for key in ("rounds", "patience"):
            content["learning"].pop(key, None)
        return content


def parse_recipe(text: str, origin: str, data_folder: Path | None = None) -> Recipe:
    """Reads a recipe of tailored learning from YAML text; see `parse_as`."""
    return parse_as(Recipe, text, origin, data_folder)


def parse_as(kind: type[RecipeT], text: str, origin: str, data_folder: Path | None = None) -> RecipeT:
    """Reads a recipe of one kind of run from YAML text. `origin` (a path) names it in errors; `${DATA}` stands for
    `data_folder`.

    Raises `RecipeError` naming every wrong key by its path."""
    if "${DATA}" in text:
        if data_folder is None:
            raise RecipeError(
                f"{origin}: the recipe reads a data folder (${{DATA}}); give it with --data DIR or the "
                "environment variable TAILOR_DATA"
            )
        text = text.replace("${DATA}", str(data_folder))
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:  # its own words quote the text, in which a key may stand
        raise RecipeError(f"{origin}: not YAML: {yaml_problem(error)}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of sections, this is a {type(content).__name__}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise RecipeError(_explain(error, origin, kind)) from error


def load_recipe(path: Path, data_folder: Path | None = None) -> Recipe:
    """Reads the recipe file at `path`; see `parse_as`."""
    return parse_recipe(recipe_text(path), str(path), data_folder)


def recipe_text(path: Path) -> str:
    """What is in the recipe file at `path`. Raises `RecipeError`."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _explain(error: ValidationError, origin: str, kind: type[RunRecipe]) -> str:
    lines = [f"{origin}: this recipe cannot be run:"]
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "recipe"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(sorted(_fields_at(kind, problem["loc"][:-1])))
            lines.append(f"  {where}: unknown key; known here: {known}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = problem.get("input")
            secret = where.endswith(("base_url", "api_key_env"))  # by mistake it may hold a password, or the key itself
            shown = f" (got {got!r})" if not secret and (got is None or isinstance(got, str | int | float)) else ""
            lines.append(f"  {where}: {message}{shown}")
    return "\n".join(lines)


def _fields_at(kind: type[RunRecipe], location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = kind
    for part in location:
        field = model.model_fields.get(str(part))
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if nested:
            model = nested[0]
    return list(model.model_fields)
