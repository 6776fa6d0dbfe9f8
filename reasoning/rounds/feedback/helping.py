"""The ladder at work: where each question of an exam stands, what is asked for it, and what that came to.

Owns: the queries of each rung, and the order in which a budget is spent.

Invariants
- What is asked follows from finished files and the replies in the journal: a run that is started again asks the same.
- Without a budget a question's help is known the moment it is graded, and asked for while the exam goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reasoning.files.tables import read_table
from reasoning.recipe.learning import LadderSection
from reasoning.records import Attempt, Mistake, Rationale, RationaleSource
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.feedback.rationales import Told, ask_rationales, refuse_if_all_failed
from reasoning.rounds.ladder.budget import CHARACTERS_A_TOKEN, Budget, budget_of_a_round
from reasoning.rounds.ladder.history import (
    Help,
    History,
    Standing,
    by_question,
    history_before,
    rationalized_in,
    standings,
)
from reasoning.rounds.ladder.own_rationales import own_rationales
from reasoning.rounds.ladder.policy import ASKED, Candidate, Rung, in_order
from reasoning.rounds.ladder.rationalization import rationalized, was_shown_answer
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.requests import Ask, Query
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply


def queries_for(classroom: TeacherSession, standing: Standing, history: History) -> list[Query]:
    """What is asked for a question on its rung; nothing where the teacher is not asked. New questions are asked for by
    `reasoning.rounds.new_questions`."""
    learning, problem, mistake = classroom.recipe.learning, standing.problem, standing.mistake
    if standing.rung is Rung.PLAIN:
        start = history.next_sample.get(problem.id, 0)
        return [Query(Ask.RATIONALES, problem, mistake, start + n) for n in range(learning.first_rationales)]
    if standing.rung is Rung.TAILORED and mistake is not None:
        start = history.next_sample.get(mistake.id, 0)
        return [Query(Ask.FEEDBACK, problem, mistake, start + n) for n in range(learning.rationales_per_mistake)]
    return []


def rung_metrics(found: Iterable[Standing]) -> dict[str, int]:
    """How many questions of an exam stand on each rung, as metrics."""
    rungs = [standing.rung for standing in found]
    return {f"help_{rung}": rungs.count(rung) for rung in Rung}


@dataclass(frozen=True, slots=True)
class Helped:
    """What the ladder did after an exam: where its questions stand (`found`), what the teacher `told`, the student's
    `own` rationales, the questions that get new questions (`practising`), and those whose turn came (`reached`)."""

    found: Sequence[Standing]
    told: Sequence[Told]
    own: Sequence[Rationale]
    practising: Sequence[Standing]
    reached: frozenset[str]

    @property
    def mistakes(self) -> list[Mistake]:
        """Those that new questions are to be asked for."""
        return [one.mistake for one in self.practising if one.mistake is not None]


async def help_by_the_ladder(classroom: TeacherSession, round: int) -> Helped:
    """Helps every question of the exam of `round` as far as the budget reaches, but for new questions."""
    ladder = classroom.recipe.learning.ladder or LadderSection()
    history, found = history_before(classroom, round), standings(classroom, round)
    own = _own(classroom, round, found, ladder)
    by_id = {one.problem.id: one for one in found}
    waiting = [Candidate(one.problem, one.rung, one.results) for one in found if one.rung in ASKED]
    if ladder.has_budget:  # without, the order is that of the exam, in which requests went out already
        waiting = in_order(waiting)
    planned = [(one, queries_for(classroom, by_id[one.problem.id], history)) for one in waiting]
    classroom.progress.begin(round, Phase.FEEDBACK, sum(len(queries) for _, queries in planned))
    budget = budget_of_a_round(classroom.recipe, _longest_told(classroom, round))
    told, reached = await _spend(classroom, round, [pair for pair in planned if pair[1]], budget)
    refuse_if_all_failed(told)
    practising = [by_id[one.problem.id] for one, queries in planned if not queries]
    practising = practising[: _affordable(classroom, practising, budget)]
    return Helped(found, told, own, practising, frozenset(reached | {one.problem.id for one in practising}))


def _longest_told(classroom: TeacherSession, round: int) -> float:
    """A guess at the tokens of a reply: the longest rationale of the teacher so far. 0: there is none."""
    texts = [
        rationale.text
        for number in range(round)
        for rationale in read_table(classroom.files(number).rationales, Rationale)
        if rationale.source is not RationaleSource.STUDENT
    ]
    return max(map(len, texts), default=0) / CHARACTERS_A_TOKEN


async def _spend(
    classroom: TeacherSession, round: int, planned: Sequence[tuple[Candidate, list[Query]]], budget: Budget
) -> tuple[list[Told], set[str]]:
    """Asks in order, as many questions at a time as fit into the budget. Returns the answers, and whose turn came."""
    told: list[Told] = []
    reached: set[str] = set()
    while planned:
        requests = [[classroom.requests.first(query) for query in queries] for _, queries in planned]
        count = budget.fitting(requests)
        if not count:
            break
        now, planned = planned[:count], planned[count:]
        queries = [query for _, asked in now for query in asked]
        answers = await ask_rationales(classroom, round, queries, [query.sample for query in queries])
        for answer in answers:
            request = classroom.requests.first(answer.query)
            if answer.prompt_tokens or answer.completion_tokens:
                budget.book(request, answer.prompt_tokens, answer.completion_tokens)
            elif isinstance(answer.outcome, TeacherFailure) and answer.outcome.kind is FailureKind.TRUNCATED:
                budget.book_cut_off(request)
        told += answers
        reached |= {one.problem.id for one, _ in now}
    return told, reached


def _affordable(classroom: TeacherSession, practising: Sequence[Standing], budget: Budget) -> int:
    """How many of `practising` can get new questions: each takes the request for them, and that for every answer."""
    section = classroom.recipe.learning.new_questions
    if section is None or not practising:
        return 0
    asked = []
    for one in practising:
        assert one.mistake is not None  # the policy needs it for this rung
        proposal = classroom.requests.first(classroom.requests.new_questions_for(one.mistake))
        answer = classroom.requests.first(Query(Ask.NEW_ANSWERS, one.problem))
        asked.append([proposal] * section.per_mistake + [answer] * (section.per_mistake * section.answers))
    return budget.fitting(asked)


def _own(classroom: TeacherSession, round: int, found: Sequence[Standing], ladder: LadderSection) -> list[Rationale]:
    """The student's own words: of the questions on the rungs of these, and of solved ones that have none yet without
    having been shown their answers."""
    attempts = by_question(read_table(classroom.files(round).exam, Attempt))
    shown = rationalized_in(classroom, round)
    before = {
        rationale.problem_id
        for number in range(round)
        for rationale in read_table(classroom.files(number).rationales, Rationale)
        if rationale.source is RationaleSource.STUDENT and not was_shown_answer(rationale)
    }
    wanted = [
        one.problem
        for one in found
        if one.rung is Rung.OWN or (one.rung is Rung.SOLVED and one.problem.id not in before)
    ]
    with_answer = [one.problem for one in found if one.rung is Rung.RATIONALIZED]
    form, model = classroom.prompts.form, classroom.recipe.student.model
    return [
        *(own for one in wanted for own in own_rationales(one, attempts[one.id], form, model, ladder.own)),
        *(own for one in with_answer for own in rationalized(one, shown[one.id], form, model, ladder.rationalize)),
    ]


def help_records(helped: Helped, round: int, new: Sequence[NewProblem], replies: Sequence[TeacherReply]) -> list[Help]:
    """What each question of the exam got. `new` are the new questions, `replies` all that was told for them: each
    question that got such counts with an equal share of the tokens."""
    answers: dict[str, list[Told]] = {}
    for answer in helped.told:
        answers.setdefault(answer.query.problem.id, []).append(answer)
    kept = Counter(rationale.problem_id for rationale in helped.own)
    kept.update(one.from_problem_id for one in new if one.fate is ProposalOutcome.KEPT)
    share = _Shares(replies, len(helped.practising))
    return [_help(one, round, answers.get(one.problem.id, ()), helped, kept, share) for one in helped.found]


class _Shares:
    """Tokens of the replies about new questions, in equal parts; what cannot be divided is in the first ones."""

    def __init__(self, replies: Sequence[TeacherReply], parts: int) -> None:
        self._left = (sum(reply.prompt_tokens for reply in replies), sum(reply.completion_tokens for reply in replies))
        self._parts = parts

    def next(self) -> tuple[int, int]:
        prompt, completion = (-(-tokens // self._parts) for tokens in self._left)
        self._left, self._parts = (self._left[0] - prompt, self._left[1] - completion), self._parts - 1
        return prompt, completion


def _help(
    one: Standing, round: int, answers: Sequence[Told], helped: Helped, kept: Mapping[str, int], shares: _Shares
) -> Help:
    answered = any(isinstance(answer.outcome, TeacherReply) for answer in answers)
    reached = one.problem.id in helped.reached and (answered or one.rung is Rung.NEW_QUESTIONS)
    shared = shares.next() if one.rung is Rung.NEW_QUESTIONS and reached else (0, 0)
    return Help(
        problem_id=one.problem.id,
        round=round,
        rung=one.rung,
        right=one.results[-1].right,
        attempts=one.results[-1].attempts,
        reached=reached or one.rung not in ASKED,
        kept=sum(answer.kept for answer in answers) + kept.get(one.problem.id, 0),
        prompt_tokens=sum(answer.prompt_tokens for answer in answers) + shared[0],
        completion_tokens=sum(answer.completion_tokens for answer in answers) + shared[1],
    )
