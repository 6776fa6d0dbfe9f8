"""The recipe: everything a run is, as strict typed models read from one YAML file.

Owns: what recipes are made of (each section has a module beside this one), how they are read, and what makes two of
them the same. What is wrong with one is put into words in `reasoning.recipe.explaining`.

Invariants
- Unknown keys and impossible values are refused here, before any process starts.
- `Recipe.fingerprint()` is what makes a run directory belong to a recipe: the content of what is learnt, not where
  it runs (`cluster` and `storage` may change between a run and its resumption).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from reasoning.files.user_error import UserError
from reasoning.files.yaml_text import read_yaml
from reasoning.recipe.base import GrowingSection, yaml_problem
from reasoning.recipe.cluster import ClusterSection, StorageSection, TrackingSection
from reasoning.recipe.engine import EngineSection
from reasoning.recipe.explaining import explain
from reasoning.recipe.learning import LATER_KEYS as LATER_LEARNING_KEYS
from reasoning.recipe.learning import LATER_LADDER_KEYS, LearningSection
from reasoning.recipe.student import StudentSection
from reasoning.recipe.task import TaskSection
from reasoning.recipe.teacher import LATER_KEYS, THROUGHPUT_KEYS, TailoredTeacherSection, TeacherSection
from reasoning.records import stable_id

_HUB_KEYS = ("HF_TOKEN",)
_DATA = {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".gz"}  # no recipe is called so
_S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

RecipeT = TypeVar("RecipeT", bound="RunRecipe")


class RecipeError(UserError, ValueError):
    """A recipe that cannot be run. The message names the file, each key's path and what would be right."""


class RunRecipe(GrowingSection):
    """What the recipes of all kinds of run have in common. `name` is the run's directory under `storage.path`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        default="run", description="The run's name: its folder under `storage.path`."
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The seed of every draw: what is generated, split, sampled and shuffled."
    )
    task: TaskSection = TaskSection()
    student: StudentSection = StudentSection()
    teacher: TeacherSection = TeacherSection()
    cluster: ClusterSection = ClusterSection()
    storage: StorageSection = StorageSection()
    tracking: TrackingSection = TrackingSection()

    @classmethod
    def later_keys(cls) -> tuple[str, ...]:
        return ("tracking",)

    def replace(self, name: str | None = None, storage_path: str | None = None, seed: int | None = None) -> Self:
        """This recipe with some of its keys replaced, checked anew. None keeps a key, and one that was left out stays
        so: its default adapts to the data. Raises `RecipeError`."""
        content = self.model_dump(exclude_unset=True)
        content |= {key: value for key, value in (("name", name), ("seed", seed)) if value is not None}
        if storage_path is not None:
            content["storage"] = content.get("storage", {}) | {"path": storage_path}
        try:
            return type(self).model_validate(content)
        except ValidationError as error:
            raise RecipeError(explain(error, "command line", type(self))) from error

    def student_engine(self) -> EngineSection:
        """How an engine that answers with the student is set up, sampled or served."""
        return EngineSection.of(self.student, self.cluster)

    def secret_names(self) -> list[str]:
        """The names of the secrets that a run takes, where they are set: keys of its teachers, of the hub, of S3."""
        storage = _S3_KEYS if self.storage.path.startswith("s3://") else ()
        return sorted({*self.teacher_secret_names(), *self.tracking.secret_names(), *_HUB_KEYS, *storage})

    def teacher_secret_names(self) -> list[str]:
        """The names of the secrets without which a teacher cannot be asked."""
        teachers = [self.teacher, *([first] if (first := getattr(self.teacher, "first", None)) else [])]
        places = [endpoint for teacher in teachers for endpoint in teacher.all_endpoints]
        return sorted({name for place in places for name in place.secret_names()})

    def fingerprint(self) -> str:
        """What makes a run directory this recipe's: a hash of `identity()`."""
        return stable_id(self.identity())

    def differences(self, other: RunRecipe) -> list[str]:
        """The paths of the keys in which `other` cannot continue a run of this recipe; none where it can. What a
        provider makes a user change on the way (`send_seed`, a temperature that a model does not take) is not among
        them."""
        mine, theirs = self.identity(), other.identity()
        for one in (mine, theirs):  # `keep`: a run that began before near questions were left out goes on with them
            one["task"].pop("near_test", None)
        for teacher, another in _teachers_in(mine, theirs):
            if None in (teacher.get("temperature"), another.get("temperature")):
                teacher.pop("temperature", None), another.pop("temperature", None)
            for key in _CHANGEABLE:
                teacher.pop(key, None), another.pop(key, None)
        return list(_paths_that_differ(mine, theirs))

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What is learnt, as plain data: everything but where the run happens and how far it goes."""


_CHANGEABLE = ("send_seed",)  # in the identity, since it always was, and yet no reason to begin a run anew


def _teachers_in(mine: dict[str, Any], theirs: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The sections of the teachers in two identities, pair by pair."""
    yield mine["teacher"], theirs["teacher"]
    first, other = mine["teacher"].get("first"), theirs["teacher"].get("first")
    if first and other:
        yield first, other


def _paths_that_differ(left: object, right: object, path: str = "") -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            yield from _paths_that_differ(left.get(key), right.get(key), f"{path}.{key}" if path else str(key))
    elif left != right:
        yield path


class Recipe(RunRecipe):
    """One run of tailored learning."""

    teacher: TailoredTeacherSection = TailoredTeacherSection()
    learning: LearningSection = LearningSection()

    @model_validator(mode="after")
    def _thoughts_belong_to_one_question(self) -> Recipe:
        if self.learning.per_request > 1 and (self.teacher.teaches_thinking or self.teacher.for_first.teaches_thinking):
            raise ValueError("learning.per_request needs teacher.thinking: drop: a thought is about all its questions")
        return self

    @model_validator(mode="after")
    def _logits_are_to_be_had(self) -> Recipe:
        objective, teacher = self.learning.objective, self.teacher
        if objective.loss != "on_policy":
            return self
        if teacher.kind != "serve" or any(endpoint.serve is None for endpoint in teacher.all_endpoints):
            elsewhere = " and has endpoints elsewhere" if teacher.kind == "serve" else ""
            raise ValueError(
                "learning.objective.loss: on_policy needs a teacher whose logits can be had: teacher.kind: serve, a "
                "model with the student's own tokenizer that the run serves itself, and no endpoint elsewhere (it is "
                f"{teacher.kind}{elsewhere}; another teacher may still write round 0's rationales: teacher.first)"
            )
        if objective.language_weight == 0:
            raise ValueError(
                "learning.objective.loss: on_policy needs language_weight above 0: round 0 has no attempts"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """What is learnt: seed, task, student, teacher, learning, as plain data. Left out: where the run happens, how
        fast the teacher is asked, and for how many rounds (a finished run may be continued). Prompts are here by their
        names; a run's directory keeps their content."""
        content = self.model_dump(mode="json", include={"seed", "task", "student", "teacher", "learning"})
        for endpoint in (content["teacher"], content["teacher"].get("first") or {}):
            for key in THROUGHPUT_KEYS:
                endpoint.pop(key, None)
            for key, value in LATER_KEYS.items():
                if endpoint.get(key) == value:
                    del endpoint[key]
        for key in ("rounds", "patience"):
            content["learning"].pop(key, None)
        ladder = content["learning"].get("ladder") or {}
        for section, later_keys in ((content["learning"], LATER_LEARNING_KEYS), (ladder, LATER_LADDER_KEYS)):
            for later, default in later_keys.items():
                if later in section and section[later] == default:
                    del section[later]
        for key in ("first_training", "training"):
            content["learning"][key] = getattr(self.learning, key).identity()
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
        content = read_yaml(text)
    except yaml.YAMLError as error:  # its own words quote the text, in which a key may stand
        raise RecipeError(f"{origin}: not YAML: {yaml_problem(error)}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise RecipeError(f"{origin}: a recipe is a mapping of sections, this is a {type(content).__name__}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise RecipeError(explain(error, origin, kind)) from error


def load_recipe(path: Path) -> Recipe:
    """Reads the recipe file at `path`; see `parse_as`."""
    return parse_recipe(recipe_text(path), str(path))


def recipe_text(path: Path) -> str:
    """What is in the recipe file at `path`. Raises `RecipeError`."""
    if path.suffix.lower() in _DATA and path.is_file():
        raise RecipeError(
            f"{path}: this looks like a file of questions; write a recipe for it first: tailor init my-run.yaml --data "
            f"{path}"
        )
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe file") from error
    except IsADirectoryError as error:
        its_own = path / "recipe.yaml"
        such = f", such as {its_own}" if its_own.is_file() else ""
        raise RecipeError(f"{path}: this is a folder; give the recipe's file{such}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
