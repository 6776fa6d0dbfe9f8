"""Which training questions an exam asks, where the ladder decides what help they get.

Owns: the draw. Solved questions come back seldom; what was missed comes back, so that it is known whether the help
helped; the rest is new.

Invariant: the recipe and the results of earlier exams give the exam, in every process and after every crash.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from reasoning.recipe.learning import LadderSection, LearningSection
from reasoning.records import Problem
from reasoning.rounds.exam import exam_order
from reasoning.rounds.ladder.policy import Result, is_solved

Results = Mapping[str, tuple[Result, ...]]


def ladder_exam(
    train: Sequence[Problem], learning: LearningSection, seed: int, round: int, results: Results
) -> list[Problem]:
    """The questions of the exam of `round`, given the `results` of the exams before it, by the id of the question.

    Without `exam.questions` all are asked, and a share of the solved ones. With it, so many: those that were missed
    before (at most `examine_again` of the exam, the medium ones first), then new ones, then whatever was asked longest
    ago, the solved ones last."""
    ladder = learning.ladder or LadderSection()
    count = learning.exam.questions
    if count is None or count >= len(train):
        return _all_but_solved(train, ladder, seed, round, results)
    order = exam_order(train, seed)
    missed = [one for one in order if one.id in results and not results[one.id][-1].all_right]
    missed.sort(key=lambda one: -_medium(results[one.id][-1]))
    again = missed[: int(ladder.examine_again * count + 0.5)]
    fresh = [one for one in order if one.id not in results]
    taken = {one.id for one in again}
    rest = [one for one in order if one.id in results and one.id not in taken]
    rest.sort(key=lambda one: (is_solved(results[one.id], ladder.solved_after), results[one.id][-1].round))
    return [*again, *fresh, *rest][:count]


def _all_but_solved(
    train: Sequence[Problem], ladder: LadderSection, seed: int, round: int, results: Results
) -> list[Problem]:
    solved = [one.id for one in train if is_solved(results.get(one.id, ()), ladder.solved_after)]
    count = int(ladder.examine_solved * len(solved) + 0.5)
    if len(solved) == len(train):
        count = max(1, count)  # an exam has a question
    asked = set(random.Random(f"{seed} solved {round}").sample(solved, count))
    left_out = set(solved) - asked
    return [one for one in train if one.id not in left_out]


def _medium(result: Result) -> float:
    return result.share * (1 - result.share)
