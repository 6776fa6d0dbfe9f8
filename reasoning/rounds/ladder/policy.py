"""The cheapest help that can work, for one question after an exam. The whole policy: read it, change it, switch it off.

Owns: the rungs and their words, which of them a question stands on, and whose turn comes first where the money does
not reach for all.

A question that is answered rightly again and again needs nothing. One that is sometimes right is taught by its own
right attempts, which cost no teacher. One that never is gets what it did not have yet, the cheapest first: its own
words to the answer that it was shown, where they came to it; a plain rationale, feedback on its mistake, new questions
for the step that it misses. Each rung can be switched off in `learning.ladder`; what would have stood on it gets the
next one.

Invariant: a pure function of what is known of the question. Nothing is read, drawn or asked here.

Sources: rejection sampling of own answers (arXiv 2308.01825); rationalization (STaR, arXiv 2203.14465); medium pass
rates are worth most (arXiv 2504.03380); new questions for old mistakes (LLM2LLM, arXiv 2403.15042).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reasoning.recipe.learning import LadderSection
from reasoning.records import AnswerKind, Problem

FEW_CHOICES = 5


class Rung(StrEnum):
    """What a question gets, in the order of what it costs."""

    SOLVED = "solved"  # nothing
    OWN = "own"  # its own right attempts
    RATIONALIZED = "rationalized"  # its own words, with the right answer shown
    PLAIN = "plain"  # a plain rationale
    TAILORED = "tailored"  # feedback on its mistake
    NEW_QUESTIONS = "new_questions"  # new questions for the step that it misses
    NONE = "none"  # nothing, since the rungs that could help are switched off


HELPED = {  # so many questions, as a person is told of them
    Rung.SOLVED: "solved",
    Rung.OWN: "by own right attempts",
    Rung.RATIONALIZED: "by own words to a shown answer",
    Rung.PLAIN: "by a plain rationale",
    Rung.TAILORED: "by feedback on the mistake",
    Rung.NEW_QUESTIONS: "by new questions",
    Rung.NONE: "not at all",
}
ASKED = (Rung.PLAIN, Rung.TAILORED, Rung.NEW_QUESTIONS)  # of the teacher


@dataclass(frozen=True, slots=True)
class Result:
    """What an exam found of a question: so many of its attempts were right."""

    round: int
    right: int
    attempts: int

    @property
    def share(self) -> float:
        return self.right / self.attempts if self.attempts else 0.0

    @property
    def all_right(self) -> bool:
        return self.attempts > 0 and self.right == self.attempts


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a question after an exam: the `results` of its exams, this one last; whether it has a rationale
    of the teacher; the rungs on which it was helped before; whether this exam left a mistake that can be shown; whether
    the student came to the right answer when it was shown."""

    results: tuple[Result, ...]
    taught: bool
    helped: frozenset[Rung]
    has_mistake: bool
    rationalized: bool = False


def rung_of(problem: Problem, known: Known, ladder: LadderSection, new_questions: bool) -> Rung:
    """The rung of `problem`. `new_questions`: whether the run asks for such at all."""
    now = known.results[-1]
    if is_solved(known.results, ladder.solved_after):
        return Rung.SOLVED
    if ladder.own and now.right and (now.share > ladder.guessable_share or not is_guessable(problem)):
        return Rung.OWN
    if now.all_right:
        return Rung.NONE
    if known.rationalized and Rung.RATIONALIZED not in known.helped:
        return Rung.RATIONALIZED
    if ladder.plain and not known.taught:
        return Rung.PLAIN
    if known.has_mistake and ladder.tailored and Rung.TAILORED not in known.helped:
        return Rung.TAILORED
    if known.has_mistake and ladder.new_questions and new_questions and Rung.NEW_QUESTIONS not in known.helped:
        return Rung.NEW_QUESTIONS
    if known.has_mistake and ladder.tailored:  # all was tried: its newest mistake once more
        return Rung.TAILORED
    return Rung.PLAIN if ladder.plain else Rung.NONE


def is_solved(results: Sequence[Result], after: int | None) -> bool:
    """Whether all attempts were right in the last `after` exams of a question (None: never solved)."""
    last = results[-after:] if after else ()
    return after is not None and len(last) == after and all(result.all_right for result in last)


def is_guessable(problem: Problem) -> bool:
    """Whether a right answer may well be luck: yes or no, or one of few choices."""
    if problem.answer_kind is AnswerKind.YES_NO:
        return True
    return problem.answer_kind is AnswerKind.CHOICE and len(problem.choices) <= FEW_CHOICES


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that the teacher may be asked about."""

    problem: Problem
    rung: Rung
    results: tuple[Result, ...]


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Where help is expected to do most first: attempts that are right about half of the time, then questions that were
    right before, then the cheaper rung; equals in the order of the exam."""
    return sorted(candidates, key=lambda one: (-_expected(one), -_right_before(one), ASKED.index(one.rung)))


def _expected(one: Candidate) -> float:
    share = one.results[-1].share
    return share * (1 - share)


def _right_before(one: Candidate) -> float:
    attempts = sum(result.attempts for result in one.results)
    return sum(result.right for result in one.results) / attempts if attempts else 0.0
