"""Which training questions are asked when, and how: round 0's draw, the exams' slices, and their sampling.

Owns: the draws by seed. Invariant: exams of successive rounds meet every training question before any one twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from reasoning.recipe.learning import LearningSection
from reasoning.recipe.tailored import Recipe
from reasoning.records import Problem, stable_id
from reasoning.student.sampling import Sampling


def first_questions(train: Sequence[Problem], learning: LearningSection, seed: int) -> list[Problem]:
    """The questions that the teacher answers plainly in round 0: `learning.first_questions` of them, or all."""
    return random.Random(f"{seed} first").sample(list(train), min(learning.first_questions, len(train)))


def exam_order(train: Sequence[Problem], seed: int) -> list[Problem]:
    """The shuffle in which exams that do not ask all questions come by them."""
    return random.Random(f"{seed} exam").sample(list(train), len(train))


def exam_questions(train: Sequence[Problem], learning: LearningSection, seed: int, round: int) -> list[Problem]:
    """The questions of the exam of `round` (1, 2, ...): all, or the next slice of one shuffle, round and round."""
    count = learning.exam.questions
    if count is None or count >= len(train):
        return list(train)
    order = exam_order(train, seed)
    start = (round - 1) * count
    return [order[(start + i) % len(order)] for i in range(count)]


def examined(train: Sequence[Problem], learning: LearningSection, seed: int) -> list[Problem]:
    """The training questions that the exams of all rounds may come to, with the ladder too."""
    count = learning.exam.questions
    if count is None or count >= len(train):
        return list(train) if learning.rounds else []
    return exam_order(train, seed)[: learning.rounds * count]


def exam_sampling(recipe: Recipe, problem: Problem, round: int, max_new_tokens: int) -> Sampling:
    """How the student answers `problem` in the exam of `round`."""
    section = recipe.learning.exam
    return Sampling(
        samples=section.samples,
        temperature=section.temperature,
        top_p=section.top_p,
        max_new_tokens=max_new_tokens,
        seed=int(stable_id(recipe.seed, round, problem.id)[:7], 16),
        stop=(),
    )
