"""Which help a question gets, and whose turn comes first."""

from __future__ import annotations

import pytest

from reasoning.recipe.learning import LadderSection
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.ladder.policy import HELPED, Candidate, Known, Result, Rung, in_order, is_guessable, rung_of

NUMBER = Problem("t", "How many?", "4", AnswerKind.NUMBER, Split.TRAIN)
YES_NO = Problem("t", "Is it?", "yes", AnswerKind.YES_NO, Split.TRAIN)
OF_FOUR = Problem("t", "Which?", "B", AnswerKind.CHOICE, Split.TRAIN, ("a", "b", "c", "d"))
OF_SIX = Problem("t", "Which one?", "B", AnswerKind.CHOICE, Split.TRAIN, ("a", "b", "c", "d", "e", "f"))
T, N = Rung.TAILORED, Rung.NEW_QUESTIONS


def known(
    *right: int,
    taught: bool = True,
    helped: tuple[Rung, ...] = (),
    mistake: bool = True,
    n: int = 4,
    rationalized: bool = False,
) -> Known:
    results = tuple(Result(round, count, n) for round, count in enumerate(right, 1))
    return Known(results, taught, frozenset(helped), mistake, rationalized)


@pytest.mark.parametrize(
    ("problem", "what", "keys", "rung"),
    [
        (NUMBER, known(4), {}, Rung.OWN),  # once is not yet solved
        (NUMBER, known(4, 4), {}, Rung.SOLVED),
        (NUMBER, known(4, 3), {}, Rung.OWN),
        (NUMBER, known(4, 3, 4), {}, Rung.OWN),
        (NUMBER, known(4), {"solved_after": 1}, Rung.SOLVED),
        (NUMBER, known(4, 4, 4), {"solved_after": None}, Rung.OWN),
        (NUMBER, known(4, 4, 4), {"solved_after": None, "own": 0}, Rung.NONE),
        (NUMBER, known(1), {}, Rung.OWN),
        (NUMBER, known(1), {"own": 0}, T),
        (YES_NO, known(3), {}, T),
        (YES_NO, known(2), {"guessable_share": 0.5}, T),  # half of them is what a coin would say
        (YES_NO, known(3), {"guessable_share": 0.5}, Rung.OWN),
        (YES_NO, known(2), {"guessable_share": 0.0}, Rung.OWN),
        (YES_NO, known(2, taught=False), {}, Rung.PLAIN),
        (OF_FOUR, known(2), {}, T),
        (OF_FOUR, known(3), {"guessable_share": 0.5}, Rung.OWN),
        (OF_SIX, known(1), {}, Rung.OWN),
        (NUMBER, known(0, taught=False), {}, Rung.PLAIN),
        (NUMBER, known(0, taught=False), {"plain": False}, T),
        (NUMBER, known(0), {}, T),
        (NUMBER, known(0, 0, helped=(T,)), {}, N),
        (NUMBER, known(0, 0, helped=(T,)), {"new_questions": False}, T),
        (NUMBER, known(0, 0, 0, helped=(T, N)), {}, T),
        (NUMBER, known(0, mistake=False), {}, Rung.PLAIN),  # all were cut off: there is nothing to show
        (NUMBER, known(0, mistake=False), {"plain": False}, Rung.NONE),
        (NUMBER, known(0), {"tailored": False}, N),
        (NUMBER, known(0, helped=(N,)), {"tailored": False, "plain": False}, Rung.NONE),
        (NUMBER, known(0, taught=False, rationalized=True), {}, Rung.RATIONALIZED),
        (NUMBER, known(0, rationalized=True, mistake=False), {}, Rung.RATIONALIZED),
        (NUMBER, known(0, 0, taught=False, rationalized=True, helped=(Rung.RATIONALIZED,)), {}, Rung.PLAIN),
    ],
)
def test_the_cheapest_help_that_can_work(problem: Problem, what: Known, keys: dict[str, object], rung: Rung) -> None:
    assert rung_of(problem, what, LadderSection.model_validate(keys), new_questions=True) is rung


def test_every_rung_has_words_of_its_own() -> None:
    assert list(HELPED) == list(Rung) and len({*HELPED.values()}) == len(Rung)


def test_new_questions_are_for_runs_that_ask_for_such() -> None:
    assert rung_of(NUMBER, known(0, helped=(T,)), LadderSection(), new_questions=False) is T


def test_what_is_right_half_of_the_time_comes_first_then_what_was_right_before_then_the_cheaper() -> None:
    def one(name: str, rung: Rung, *right: int) -> Candidate:
        problem = Problem("t", name, "4", AnswerKind.NUMBER, Split.TRAIN)
        return Candidate(problem, rung, known(*right).results)

    candidates = [
        one("dear", Rung.NEW_QUESTIONS, 0),
        one("tailored", T, 0),
        one("plain", Rung.PLAIN, 0),
        one("was right", T, 3, 0),
        one("seldom", T, 1),
        one("half", T, 2),
        one("plain too", Rung.PLAIN, 0),
    ]
    ordered = [candidate.problem.question for candidate in in_order(candidates)]
    assert ordered == ["half", "seldom", "was right", "plain", "plain too", "tailored", "dear"]


def test_luck() -> None:
    assert [is_guessable(one) for one in (NUMBER, YES_NO, OF_FOUR, OF_SIX)] == [False, True, True, False]
