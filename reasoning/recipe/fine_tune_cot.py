"""The recipe of Fine-tune-CoT: what the teacher is asked, how many rationales a question, how the student is taught.

Owns: its keys and their defaults, which are those of paper B (arXiv 2212.10071); what a degree is in the terms that
this pipeline shares with tailored learning.

Invariants
- A degree is the number of rationales per question that a student learns from. Degree 0 is the paper's baseline: labels
  alone, in a form without reasoning.
- A degree is round 0 of tailored learning and nothing after it: the base student, the teacher's plain rationales.
- What a directory belongs to leaves out which degrees are wanted: more of them may be asked of the same run later.

Source: paper B, section 3 and its training code: AdamW with a constant rate of 3e-4 and torch's own weight decay, no
clipping, 20 epochs of batches of 8, input and label up to 512 tokens, the prompt not trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from reasoning.files.yaml_text import read_yaml
from reasoning.recipe.base import PositiveInt, Section
from reasoning.recipe.learning import LearningSection
from reasoning.recipe.student import StudentSection
from reasoning.recipe.tailored import Recipe, RecipeError, RunRecipe, parse_as, parse_recipe, recipe_text
from reasoning.recipe.teacher import LATER_KEYS, THROUGHPUT_KEYS, RunTeacherSection, TailoredTeacherSection
from reasoning.recipe.training import ObjectiveSection, TrainingSection

LABELS_ALONE = 0  # the degree of the baseline
NEW_TOKENS = 1024
DIVERSE_TEMPERATURE = 0.7

Degree = Annotated[int, Field(ge=0, le=64)]


class CotStudentSection(StudentSection):
    """The model that learns, and how it is asked. `max_new_tokens` is 1024, less if its context is shorter."""

    prompt: str = Field(
        default="fine_tune_cot",
        description=(
            "The form in which it is asked and answers: the name of one that comes with Tailor, or the "
            "path of a file ([prompts.md](prompts.md))."
        ),
    )


class CotTeacherSection(RunTeacherSection):
    """The teacher. Without `temperature` it is asked at 0 for one rationale a question and at 0.7 for several."""

    prompt: str = Field(default="zero_shot_cot", description="The prompt that asks for a rationale and its answer.")
    max_tokens: PositiveInt = Field(default=128, description="The longest reply, in tokens.")


class CotTrainingSection(TrainingSection):
    """How each degree's fine-tuning runs, with AdamW."""

    epochs: PositiveInt = Field(default=20, description="How many passes are made over the examples.")
    batch_size: PositiveInt = Field(
        default=8, description="Questions in one step of the optimizer, over all trainers together."
    )
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=3e-4, description="The highest learning rate."
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="constant",
        description=(
            "The learning rate after the warm-up: it falls to zero along a cosine or a line, or stays constant."
        ),
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Steps in which the learning rate rises from zero."
    )
    max_grad_norm: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None, description="Gradients are scaled down to this norm. `null` turns clipping off."
    )
    epoch: Literal["last", "best"] = Field(
        default="best",
        description=(
            "Which epoch's student is kept: the last one's, or the best one's by validation accuracy, "
            "for which those not yet examined and the best one so far are stored until then."
        ),
    )


class FineTuningSection(Section):
    """What is collected and learnt. A degree is the number of rationales per question that a student learns from."""

    degrees: Annotated[tuple[Degree, ...], Field(min_length=1)] = Field(
        default=(1,),
        description=(
            "The students to make, each by its number of rationales per question. 0 is the baseline: labels alone."
        ),
    )
    degree: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description=(
            "How many rationales are collected per question. Default: as many as the largest of `degrees` needs."
        ),
    )
    filter: Literal["answer", "none"] = Field(
        default="answer",
        description="Which rationales are kept: those whose answer is right (`answer`), or all (`none`).",
    )
    label_prompt: str = Field(default="fine_tune", description="The form of degree 0, which learns labels alone.")
    loss: Literal["weighted", "full", "completion"] = Field(
        default="completion",
        description=(
            "What the loss counts: `completion`, only the answer's tokens (paper B); `full`, all "
            "tokens alike; `weighted`, all, the prompt's with a tenth of the weight."
        ),
    )
    training: CotTrainingSection = CotTrainingSection()

    @model_validator(mode="after")
    def _degrees_are_collected(self) -> FineTuningSection:
        if len(set(self.degrees)) < len(self.degrees):
            raise ValueError(f"degrees: {list(self.degrees)} names a degree twice")
        if self.degree is not None and self.degree < max(self.degrees):
            raise ValueError(f"degree: {self.degree} rationales are too few for degrees up to {max(self.degrees)}")
        return self

    @property
    def collected(self) -> int:
        """How many rationales are collected per question; 0 when labels alone are learnt."""
        return self.degree or max(self.degrees)


class FineTuneCotRecipe(RunRecipe):
    """One run of Fine-tune-CoT."""

    student: CotStudentSection = CotStudentSection()
    teacher: CotTeacherSection = CotTeacherSection()
    fine_tuning: FineTuningSection = FineTuningSection()

    @model_validator(mode="before")
    @classmethod
    def _temperature_goes_with_the_degree(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        teacher = content.get("teacher", {})
        if not isinstance(teacher, Mapping) or "temperature" in teacher:
            return content
        try:
            fine_tuning = FineTuningSection.model_validate(content.get("fine_tuning", {}))
        except ValidationError:  # told with the recipe's other faults
            return content
        temperature = DIVERSE_TEMPERATURE if fine_tuning.collected > 1 else 0.0
        return {**content, "teacher": {**teacher, "temperature": temperature}}

    @model_validator(mode="after")
    def _several_rationales_differ(self) -> FineTuneCotRecipe:
        if self.fine_tuning.collected > 1 and self.teacher.temperature == 0:
            raise ValueError(
                f"teacher.temperature 0 gives one rationale a question, and {self.fine_tuning.collected} are wanted "
                f"(fine_tuning): leave it out ({DIVERSE_TEMPERATURE}), or ask for degree 1"
            )
        return self

    def identity(self) -> dict[str, Any]:
        content = self.model_dump(mode="json", include={"seed", "task", "student", "teacher", "fine_tuning"})
        for key in THROUGHPUT_KEYS:
            content["teacher"].pop(key, None)
        for key, value in LATER_KEYS.items():
            if content["teacher"].get(key) == value:
                del content["teacher"][key]
        for key in ("degree", "degrees"):
            content["fine_tuning"].pop(key)
        content["fine_tuning"]["training"] = self.fine_tuning.training.identity()
        return content

    def within(self, context: int | None) -> FineTuneCotRecipe:
        """This recipe for a student of `context` positions: its answers are no longer than those."""
        if self.student.max_new_tokens is not None or context is None:
            return self
        student = self.student.model_copy(update={"max_new_tokens": min(NEW_TOKENS, context)})
        return self.model_copy(update={"student": student})

    def at_degree(self, degree: int, questions: int | None = None) -> Recipe:
        """`degree` as a run of tailored learning that ends with round 0, on `questions` of them (None: not said)."""
        fine_tuning, teacher = self.fine_tuning, self.teacher.model_dump(exclude={"prompt"})
        training = fine_tuning.training.model_dump()
        learning: dict[str, Any] = {
            "rounds": 0,
            "first_rationales": max(1, degree),
            "max_positives": max(1, degree),
            "self_reflection": False,
            "filter": fine_tuning.filter,
            "objective": ObjectiveSection(loss=fine_tuning.loss, contrastive_weight=0.0),
            "first_training": TrainingSection(**training),
            "training": TrainingSection(**training),
        }
        if questions is not None:
            learning["first_questions"] = questions
        return Recipe(
            name=f"{self.name}-degree-{degree:03d}",
            seed=self.seed,
            task=self.task,
            student=self._student(degree),
            teacher=TailoredTeacherSection(**teacher, first_prompt=self.teacher.prompt),
            learning=LearningSection(**learning),
            cluster=self.cluster,
            storage=self.storage,
            tracking=self.tracking,
        )

    def _student(self, degree: int) -> StudentSection:
        content = self.student.model_dump()
        content["max_new_tokens"] = self.student.max_new_tokens or NEW_TOKENS
        if degree == LABELS_ALONE:
            content |= {"prompt": self.fine_tuning.label_prompt, "demonstrations": None}
        return StudentSection(**content)


def parse_cot_recipe(text: str, origin: str, data_folder: Path | None = None) -> FineTuneCotRecipe:
    """Reads a recipe of Fine-tune-CoT from YAML text; see `reasoning.recipe.tailored.parse_as`."""
    return parse_as(FineTuneCotRecipe, text, origin, data_folder)


def load_cot_recipe(path: Path, data_folder: Path | None = None) -> FineTuneCotRecipe:
    """Reads the recipe file at `path`. Raises `RecipeError`."""
    text = recipe_text(path)
    if _has(text, "learning") and not is_cot_recipe(text):
        raise RecipeError(f"{path}: a recipe of tailored learning (it has learning): tailor run {path}")
    return parse_cot_recipe(text, str(path), data_folder)


def load_any_recipe(path: Path, data_folder: Path | None = None) -> Recipe | FineTuneCotRecipe:
    """Reads the recipe file at `path` as the kind that it is: `fine_tuning` is a key of Fine-tune-CoT's alone.

    Raises `RecipeError`."""
    return parse_any_recipe(recipe_text(path), str(path), data_folder)


def parse_any_recipe(text: str, origin: str, data_folder: Path | None = None) -> Recipe | FineTuneCotRecipe:
    """Reads a recipe of either kind from YAML text; see `parse_as`."""
    if is_cot_recipe(text):
        return parse_cot_recipe(text, origin, data_folder)
    return parse_recipe(text, origin, data_folder)


def is_cot_recipe(text: str) -> bool:
    """Whether `text` is a recipe of Fine-tune-CoT. False when it is not YAML; the reader refuses it later."""
    return _has(text, "fine_tuning")


def _has(text: str, section: str) -> bool:
    """Whether the YAML in `text` has that section."""
    try:
        content = read_yaml(text)
    except yaml.YAMLError:
        return False
    return isinstance(content, dict) and section in content
