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
    """The exam on training questions that finds the student's mistakes (paper A: four samples a question)."""

    questions: PositiveInt | None = Field(
        default=None, description="How many training questions an exam has, a fresh slice each round. Default: all."
    )
    samples: PositiveInt = Field(default=4, description="How often the student answers each question.")
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = Field(
        default=0.7, description="The sampling temperature of those answers."
    )
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1.0, description="Sample from the most likely tokens that have this share of the probability."
    )


class NewQuestionsSection(Section):
    """New questions about old mistakes, each of which needs the step that was missed (LLM2LLM, arXiv 2403.15042)."""

    per_mistake: PositiveInt = Field(
        default=1, description="How many new questions the teacher is asked for per mistake."
    )
    answers: PositiveInt = Field(default=3, description="How often the teacher answers each new question again.")
    agreement: PositiveInt = Field(
        default=3,
        description=(
            "A question is kept when at least this many of all its answers are the same: its own and "
            "the `answers` more."
        ),
    )
    prompt: str = Field(default="new_questions", description="The prompt that asks for new questions.")

    @model_validator(mode="after")
    def _can_agree(self) -> NewQuestionsSection:
        if not 2 <= self.agreement <= self.answers + 1:
            raise ValueError(f"agreement must be between 2 and {self.answers + 1}: `answers`, and the question's own")
        return self


class ImportedSection(Section):
    """Rationales and mistakes from elsewhere, learnt from in round 0 on ([exchange.md](exchange.md))."""

    rationales: Path | None = Field(
        default=None,
        description=("A file of rationales to learn from: a table that `tailor import` wrote, or a published file."),
    )
    mistakes: Path | None = Field(default=None, description="A file of mistakes to learn from, likewise.")


class LearningSection(Section):
    """The loop. Round 0 learns from plain rationales, each later round from the mistakes of an exam.

    Feedback is tailored or not by `teacher.feedback_prompt`."""

    rounds: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2, description="How many rounds follow round 0. More may be asked of a finished run."
    )
    patience: PositiveInt | None = Field(
        default=None, description="Stop after this many rounds without a better validation accuracy. Default: never."
    )
    first_questions: Annotated[int, Field(ge=0)] = Field(
        default=200, description="How many training questions the teacher answers for round 0."
    )
    first_rationales: PositiveInt = Field(default=1, description="How many rationales it writes for each of them.")
    mistakes_per_question: PositiveInt = Field(
        default=1, description="How many of a question's wrong answers are shown to the teacher in a round."
    )
    rationales_per_mistake: PositiveInt = Field(
        default=1, description="How many rationales the teacher writes about each mistake."
    )
    rehearsal: Fraction = Field(
        default=1.0, description="The share of earlier questions that later rounds learn again."
    )
    max_positives: PositiveInt = Field(
        default=10, description="At most this many rationales of a question are learnt from."
    )
    max_negatives: PositiveInt = Field(default=4, description="At most this many of its mistakes are learnt from.")
    self_reflection: bool = Field(
        default=True, description="Whether the student learns from its own mistakes (the triplet loss)."
    )
    filter: Literal["answer", "none"] = Field(
        default="answer",
        description="Which rationales are kept: those whose answer is right (`answer`), or all (`none`).",
    )
    new_questions: NewQuestionsSection | None = Field(
        default=None, description="Ask the teacher for new questions about old mistakes. Default: off."
    )
    imported: ImportedSection = ImportedSection()
    exam: ExamSection = ExamSection()
    objective: ObjectiveSection = ObjectiveSection()
    first_training: TrainingSection = TrainingSection()
    training: TrainingSection = TrainingSection()
