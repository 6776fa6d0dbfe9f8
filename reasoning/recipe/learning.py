"""The loop of tailored learning: the keys of `learning`.

Owns: their defaults, bounds and cross-checks; an objective's and a training's are in `reasoning.recipe.training`.

Invariant: unknown keys and impossible values are refused here, before any process starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import Fraction, Positive, PositiveInt, Section
from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection, TrainingSection

EVERY_QUESTION = 2**31  # as `first_questions`: however many there are

# Keys that came after recipes had been used: with these values they are no part of a run's identity, which stays what
# it was.
LATER_KEYS: Mapping[str, object] = {"help": "tailored", "ladder": None, "per_request": 1}
LATER_LADDER_KEYS: Mapping[str, object] = {"rationalize": 0}


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


class LadderSection(Section):
    """The cheapest help that can work, question by question, by what the exam found (`help: ladder`). Each rung is
    switched off by itself; what would have stood on it gets the next one."""

    solved_after: PositiveInt | None = Field(
        default=2,
        description=(
            "A question is solved when all its attempts were right in this many of its exams, one after another: it "
            "gets no help, and is examined less often. null: never."
        ),
    )
    examine_solved: Fraction = Field(default=0.25, description="The share of the solved questions that an exam asks.")
    examine_again: Fraction = Field(
        default=0.5,
        description=(
            "With `exam.questions`: at most this share of an exam are questions that were missed before, those that "
            "are right about half of the time first. The others are new."
        ),
    )
    own: Annotated[int, Field(ge=0)] = Field(
        default=4,
        description=(
            "A question with right attempts is learnt from at most this many of them, distinct by their steps, "
            "without asking the teacher (rejection sampling, arXiv 2308.01825). 0: never."
        ),
    )
    guessable_share: Fraction = Field(
        default=1.0,
        description=(
            "Where a right answer is easily guessed (yes or no, up to five choices), own attempts are learnt from "
            "when more than this share of them are right. 1: never, since by guesses a student learns to guess "
            "(docs/results)."
        ),
    )
    rationalize: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description=(
            "A question without a right attempt is answered this many times more with its right answer shown; what "
            "comes to that answer is learnt from as if it had not been shown, without asking the teacher "
            "(rationalization, STaR, arXiv 2203.14465). It learns how to use a shown answer from the teacher's "
            "rationales, each of which is learnt once more with its answer shown. Where answers are easily guessed: "
            "never. 0: never."
        ),
    )
    plain: bool = Field(
        default=True, description="A question that has no rationale of the teacher yet gets a plain one."
    )
    tailored: bool = Field(
        default=True, description="One that has learnt a rationale and is still missed gets feedback on its mistake."
    )
    new_questions: bool = Field(
        default=True,
        description=(
            "One that is missed after that too gets new questions for the missed step, where "
            "`learning.new_questions` says how."
        ),
    )
    teacher_tokens: PositiveInt | None = Field(
        default=None,
        description=(
            "The teacher's tokens that the help of a round may take (prompts and completions), spent where it is "
            "expected to help most. The last requests may pass it a little. Default: no limit."
        ),
    )
    dollars: Positive | None = Field(
        default=None, description="The same in dollars, at the teacher's price. Default: no limit."
    )

    @model_validator(mode="after")
    def _has_one_budget(self) -> LadderSection:
        if self.teacher_tokens is not None and self.dollars is not None:
            raise ValueError("give a round one budget: teacher_tokens or dollars")
        return self

    @property
    def has_budget(self) -> bool:
        return self.teacher_tokens is not None or self.dollars is not None


class ImportedSection(Section):
    """Rationales and mistakes from elsewhere, learnt from in round 0 on ([exchange.md](papers/exchange.md))."""

    rationales: Path | None = Field(
        default=None,
        description=("A file of rationales to learn from: a table that `tailor import` wrote, or a published file."),
    )
    mistakes: Path | None = Field(default=None, description="A file of mistakes to learn from, likewise.")


class LearningSection(Section):
    """The loop. Round 0 learns from plain rationales, each later round from the mistakes of an exam.

    Feedback is tailored or not by `teacher.feedback_prompt`, where `help` does not say otherwise."""

    @model_validator(mode="before")
    @classmethod
    def _the_ladder_has_its_keys(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and content.get("help") == "ladder" and content.get("ladder") is None:
            return {**content, "ladder": {}}
        return content

    @model_validator(mode="after")
    def _only_the_ladder_has_them(self) -> LearningSection:
        if self.help != "ladder" and self.ladder is not None:
            raise ValueError(f"ladder needs help: ladder (help is {self.help})")
        return self

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
    help: Literal["tailored", "plain", "ladder"] = Field(
        default="tailored",
        description=(
            "The help that missed questions get: what `teacher.feedback_prompt` asks for (`tailored`), a further plain "
            "rationale (`plain`), or the cheapest that can work for each of them (`ladder`)."
        ),
    )
    ladder: LadderSection | None = Field(default=None, description="For `help: ladder`: its rungs and its budget.")
    mistakes_per_question: PositiveInt = Field(
        default=1, description="How many of a question's wrong answers are shown to the teacher in a round."
    )
    rationales_per_mistake: PositiveInt = Field(
        default=1, description="How many rationales the teacher writes about each mistake."
    )
    per_request: Annotated[int, Field(ge=1, le=32)] = Field(
        default=1,
        description=(
            "So many questions share a request to the teacher, and its instructions. Needs prompts that can, such as "
            "`tailored_shared` and `plain_shared`."
        ),
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
    first_training: TrainingSection = Field(
        default=TrainingSection(), description="How round 0's fine-tuning runs, with AdamW."
    )
    training: TrainingSection = Field(
        default=TrainingSection(), description="How the fine-tuning of each later round runs: the same keys."
    )

    @model_validator(mode="after")
    def _mistakes_are_there(self) -> LearningSection:
        if self.objective.loss in PAIR_LOSSES and self.objective.loss != "on_policy" and not self.self_reflection:
            raise ValueError(f"objective.loss: {self.objective.loss} learns from mistakes: leave self_reflection on")
        if self.objective.loss == "contrastive" and not self.self_reflection:
            raise ValueError("objective.loss: contrastive is the triplet loss alone: leave self_reflection on")
        if self.objective.loss == "on_policy" and self.ladder is not None and self.ladder.rationalize:
            raise ValueError(
                "ladder.rationalize learns from questions with their answers shown, and objective.loss: on_policy from "
                "the student's own attempts as they are: leave one of them out"
            )
        return self
