"""The student's own words to an answer that it was shown: rationales without a teacher for what it cannot do yet.

Owns: how an answer is shown, which questions are asked so, and from which examples a student learns to read one.

Invariants
- What comes of it is learnt as an answer to the question alone: what was shown is in no prompt and no completion of it.
- Who knows the answer comes to it on a wrong way, too, or on none: what is of no use is not learnt (`shown_answers`).
- The recipe, an exam's results and the help before it say who is asked again: a run that is started again asks the
  same.

Source: rationalization in STaR (Zelikman et al., arXiv 2203.14465), which puts the answer into a few-shot prompt. A
small student follows no such prompt, so it is taught to: by the teacher's rationales once more, their answers shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from reasoning.grading.answers import judged_part
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.learning import LadderSection
from reasoning.records import Attempt, Example, Problem, Rationale, RationaleSource, Verdict
from reasoning.rounds.ladder.own_rationales import own_rationales
from reasoning.rounds.ladder.policy import Rung, is_guessable
from reasoning.rounds.ladder.shown_answers import HINT, is_of_use

_ANSWER_SHOWN = ", answer shown"  # after the name of a rationale's prompt


def question_with_answer(problem: Problem) -> str:
    """`problem` as it is asked with its answer shown."""
    return f"{problem.question.strip()} ({HINT} {problem.answer.strip()}.)"


def is_asked_again(
    problem: Problem, attempts: Sequence[Attempt], ladder: LadderSection | None, helped: Collection[Rung] = ()
) -> bool:
    """Whether `problem`, after these `attempts`, is asked with its answer shown. `helped`: the rungs on which it was
    helped before; its own words to a shown answer are learnt once."""
    if ladder is None or not ladder.rationalize or is_guessable(problem) or Rung.RATIONALIZED in helped:
        return False
    return not any(attempt.verdict is Verdict.CORRECT for attempt in attempts)


def rationalized(
    problem: Problem, attempts: Iterable[Attempt], form: StudentForm, model: str, at_most: int
) -> list[Rationale]:
    """At most `at_most` rationales from those of `attempts`, with the answer shown, that came to it and are of use."""

    def good(attempt: Attempt) -> bool:
        text = form.rationale_in(judged_part(attempt.text))
        return text is not None and is_of_use(problem, text)

    own = own_rationales(problem, filter(good, attempts), form, model, at_most)
    return [replace(one, prompt=f"{one.prompt}{_ANSWER_SHOWN}") for one in own]


def was_shown_answer(rationale: Rationale) -> bool:
    """Whether `rationale` is the student's to an answer that it was shown."""
    return rationale.source is RationaleSource.STUDENT and rationale.prompt.endswith(_ANSWER_SHOWN)


def without_outgrown(rationales: Sequence[Rationale]) -> list[Rationale]:
    """`rationales` of one question without the student's to a shown answer that are older than its own without one,
    which seldom come to it on a wrong way."""
    by_itself = [r.round for r in rationales if r.source is RationaleSource.STUDENT and not was_shown_answer(r)]
    return [one for one in rationales if not (was_shown_answer(one) and one.round < max(by_itself, default=0))]


def is_rationalized(problem: Problem, attempts: Sequence[Attempt], form: StudentForm) -> bool:
    """Whether any of `attempts`, with the answer shown, is to be learnt from."""
    return bool(attempts) and bool(rationalized(problem, attempts, form, "", 1))


def reading_examples(
    examples: Iterable[Example],
    explained: Collection[str],
    problems: Mapping[str, Problem],
    form: StudentForm,
    ladder: LadderSection | None,
) -> list[Example]:
    """What teaches a student to read a shown answer: each of the round's `examples` whose question (by its id) the
    teacher has `explained` in this round once more, with the answer in its prompt and its first rationale."""
    if ladder is None or not ladder.rationalize:
        return []
    return [
        Example(one.problem_id, form.prompt(question_with_answer(problem)), one.positives[:1])
        for one in examples
        if one.problem_id in explained
        and one.positives
        and (problem := problems.get(one.problem_id)) is not None
        and not is_guessable(problem)
    ]
