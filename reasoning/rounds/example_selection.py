"""What is learnt in a round: examples, from the rationales that were kept and the mistakes that were made.

Owns: which question teaches how often and with what. What counts as a rationale or a mistake is judged in
`reasoning.grading.rationale_filter` and `reasoning.grading.mistakes`.

Invariants
- A positive is a kept rationale and ends in the gold answer; a negative is a whole wrong attempt and ends in the
  student's own wrong answer. (Paper A's code appended the gold answer to negatives.)
- A complete attempt without an answer is a mistake for the teacher, and never a negative: the triplet loss compares
  representations of answers, and such a text ends in none.
- A question is one example, its texts are distinct, and no text is both a positive and a negative.
- The same arguments give the same examples in the same order, that of the problems.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.learning import LearningSection
from reasoning.records import Example, Mistake, Problem, Rationale, RationaleSource
from reasoning.rounds.ladder.rationalization import without_outgrown

_PREFERENCE = {
    RationaleSource.TAILORED: 2,
    RationaleSource.NEW: 2,
    RationaleSource.PLAIN: 1,
    RationaleSource.STUDENT: 0,
}


def select(
    problems: Sequence[Problem],
    rationales: Sequence[Rationale],
    mistakes: Sequence[Mistake],
    learning: LearningSection,
    round: int,
    seed: int,
    form: StudentForm,
    solved: frozenset[str] = frozenset(),
) -> list[Example]:
    """The examples of `round`, from every rationale and mistake so far.

    Round 0 teaches all questions that have a kept rationale. A later round teaches those that got one in this round,
    and a share `learning.rehearsal` of the others, drawn by `seed` and `round`. At most `learning.max_positives`
    rationales, tailored before plain and newest first, and `learning.max_negatives` mistakes, newest first (paper A:
    10 and 4). Questions that are `solved` are rehearsed like earlier ones, from the student's own words first. Words to
    a shown answer are left out where it came to that by itself later."""
    kept: dict[str, list[Rationale]] = {}
    for rationale in rationales:
        if rationale.kept:
            kept.setdefault(rationale.problem_id, []).append(rationale)
    if learning.ladder is not None and learning.ladder.rationalize:
        kept = {id: without_outgrown(found) for id, found in kept.items()}
    missed: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        missed.setdefault(mistake.problem_id, []).append(mistake)
    taught = _taught(problems, kept, learning.rehearsal, round, seed, solved)
    return [
        _example(problem, kept[problem.id], missed.get(problem.id, []), learning, form, problem.id in solved)
        for problem in taught
    ]


def label_examples(problems: Sequence[Problem], form: StudentForm) -> list[Example]:
    """What a student learns from labels alone, for a form without reasoning: every question and its gold answer."""
    return [Example(p.id, form.prompt(p.question), (form.completion("", p.answer),)) for p in problems]


def _taught(
    problems: Sequence[Problem],
    kept: dict[str, list[Rationale]],
    rehearsal: float,
    round: int,
    seed: int,
    solved: frozenset[str],
) -> list[Problem]:
    known = [problem for problem in problems if problem.id in kept]
    if round == 0:
        return known
    new = {problem.id for problem in known if any(rationale.round == round for rationale in kept[problem.id])}
    new -= solved
    earlier = [problem.id for problem in known if problem.id not in new]
    count = min(len(earlier), int(rehearsal * len(earlier) + 0.5))
    again = set(random.Random(f"{seed} rehearsal {round}").sample(earlier, count))
    return [problem for problem in known if problem.id in new or problem.id in again]


def _example(
    problem: Problem,
    kept: list[Rationale],
    missed: list[Mistake],
    learning: LearningSection,
    form: StudentForm,
    solved: bool,
) -> Example:
    ordered = sorted(kept, key=lambda rationale: (_PREFERENCE[rationale.source], rationale.round), reverse=True)
    if solved:
        ordered.sort(key=lambda rationale: rationale.source is not RationaleSource.STUDENT)
    completions = (form.completion(rationale.text, problem.answer) for rationale in ordered)
    positives = _distinct(completions)[: learning.max_positives]
    newest = sorted(missed, key=lambda mistake: mistake.round, reverse=True) if learning.self_reflection else []
    wrong: dict[str, Mistake] = {}
    for mistake in newest:
        if mistake.prediction:
            wrong.setdefault(form.own_completion(mistake.text), mistake)
    negatives = [text for text in wrong if text not in positives][: learning.max_negatives]
    steps = _wrong_steps([wrong[text] for text in negatives], kept) if learning.objective.compares_steps else ()
    return Example(problem.id, form.prompt(problem.question), tuple(positives), tuple(negatives), steps)


def _wrong_steps(mistakes: Sequence[Mistake], kept: Sequence[Rationale]) -> tuple[str, ...]:
    """For each mistake the step that the teacher called the first wrong one, as its newest kept reply says it; nothing
    where it did so of none."""
    told = {one.mistake_id: one.wrong_step for one in kept if one.wrong_step}
    steps = tuple(told.get(mistake.id, "") for mistake in mistakes)
    return steps if any(steps) else ()


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
