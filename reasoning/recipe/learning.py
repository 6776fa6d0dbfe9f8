"""The loop of tailored learning: the keys of `learning`.

Owns: their defaults, bounds and cross-checks; an objective's and a training's are in `reasoning.recipe.training`.

Invariant: unknown keys and impossible values are refused here, before any process starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import Fraction, PositiveInt, Section
from reasoning.recipe.training import ObjectiveSection, TrainingSection


class ExamSection(Section):
    """The exam on training questions (paper A: four samples a question, 128 new tokens)."""

    questions: PositiveInt | None = Field(default=None, description="a fresh slice a round; default: all")
    samples: PositiveInt = 4
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0


class NewQuestionsSection(Section):
    """New questions for old mistakes (LLM2LLM, arXiv 2403.15042): `per_mistake` new ones that need the missed step.
    Each is answered `answers` times more, and kept when at least `agreement` of all its answers are the same."""

    per_mistake: PositiveInt = 1
    answers: PositiveInt = 3
    agreement: PositiveInt = 3
    prompt: str = "new_questions"

    @model_validator(mode="after")
    def _can_agree(self) -> NewQuestionsSection:
        if not 2 <= self.agreement <= self.answers + 1:
            raise ValueError(f"agreement must be between 2 and {self.answers + 1}: `answers`, and the question's own")
        return self


class ImportedSection(Section):
    """Rationales and mistakes from elsewhere, learnt from in round 0 on: tables that `tailor import` wrote, or the
    published files themselves (see docs/exchange.md)."""

    rationales: Path | None = None
    mistakes: Path | None = None


class LearningSection(Section):
    """The loop. Round 0 learns from `first_questions` plain rationales; rounds 1..`rounds` from mistakes.

    Feedback is tailored or not by `teacher.feedback_prompt`. Without `self_reflection` the student's mistakes are not
    learnt from (no triplet loss). `filter` says which rationales are kept: those whose answer is right, or all."""

    rounds: Annotated[int, Field(ge=0, le=100)] = 2
    patience: PositiveInt | None = Field(default=None, description="stop after this many rounds without improvement")
    first_questions: Annotated[int, Field(ge=0)] = 200
    first_rationales: PositiveInt = 1
    mistakes_per_question: PositiveInt = 1
    rationales_per_mistake: PositiveInt = 1
    rehearsal: Fraction = Field(default=1.0, description="share of earlier questions learnt again in later rounds")
    max_positives: PositiveInt = 10
    max_negatives: PositiveInt = 4
    self_reflection: bool = True
    filter: Literal["answer", "none"] = "answer"
    new_questions: NewQuestionsSection | None = None
    imported: ImportedSection = ImportedSection()
    exam: ExamSection = ExamSection()
    objective: ObjectiveSection = ObjectiveSection()
    first_training: TrainingSection = TrainingSection()
    training: TrainingSection = TrainingSection()
