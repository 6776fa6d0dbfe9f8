"""New questions for old mistakes, asked for and settled: a part of the feedback of a round, when the recipe wants it.

Owns: who is asked what, in which order proposals are judged. What a proposal is and who is admitted is in
`reasoning.rounds.new_questions.proposals`, what becomes of it in `reasoning.rounds.new_questions.agreement`.

Invariant: proposals are judged in the order of the mistakes, whatever order the teacher answered in, so that a run that
is resumed keeps the same ones.

Source: LLM2LLM (arXiv 2403.15042).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reasoning.files.tables import read_table
from reasoning.grading.net import in_net
from reasoning.recipe.learning import NewQuestionsSection
from reasoning.records import Mistake, Problem, Rationale
from reasoning.rounds.classroom import TeacherSession, gather_all
from reasoning.rounds.new_questions.agreement import (
    NewProblem,
    Origin,
    held_out_after_all,
    independent_answer,
    not_admitted,
    settle,
)
from reasoning.rounds.new_questions.proposals import Proposal, ProposalFilter, ProposalOutcome, read_new_questions
from reasoning.tasks.families import split_of
from reasoning.teacher.calls import TeacherReply


async def ask_new_questions(
    classroom: TeacherSession, round: int, mistakes: Sequence[Mistake], section: NewQuestionsSection
) -> tuple[list[NewProblem], list[Rationale]]:
    """New questions for `mistakes`: a record of every proposal, and the rationales of those that were admitted.

    A few mistakes at a time, as many as the teacher takes requests: one that stops answering (its limit, its budget)
    leaves whole new questions behind, not proposals without answers."""
    known = [
        *classroom.data.train,
        *classroom.data.validation,
        *classroom.data.test,
        *kept_new_problems(classroom, round - 1),
    ]
    proposal_filter = ProposalFilter(known, split_of if classroom.recipe.task.source == "generated" else None)
    records: list[NewProblem] = []
    rationales: list[Rationale] = []
    at_once = classroom.recipe.teacher.max_in_flight
    not_read: ProposalOutcome | None = ProposalOutcome.MALFORMED
    for start in range(0, len(mistakes), at_once):
        proposed = await gather_all(
            _proposals(classroom, round, mistake, section) for mistake in mistakes[start : start + at_once]
        )
        admitted: list[tuple[Proposal, Origin]] = []
        for origin, proposals in proposed:
            for proposal in proposals:
                fault = in_net(origin.problem.id, partial(proposal_filter.fault, proposal), not_read)
                if fault is None:
                    admitted.append((proposal, origin))
                else:
                    records.append(not_admitted(proposal, origin, fault))
        settled = await gather_all(_settled(classroom, *pair, section) for pair in admitted)
        for (proposal, _), (record, told) in zip(admitted, settled, strict=True):
            if record.fate is ProposalOutcome.KEPT and proposal_filter.is_held_out(proposal, record.answer):
                record, told = held_out_after_all(record, told)
            records.append(record)
            rationales += told
    return records, rationales


def kept_new_problems(classroom: TeacherSession, last: int) -> list[Problem]:
    """The new questions that were kept in the rounds up to `last`, as problems to learn from."""
    files = [classroom.files(round).new_problems for round in range(1, last + 1)]
    return [
        record.problem
        for file in files
        if Path(file).exists()
        for record in read_table(file, NewProblem)
        if record.fate is ProposalOutcome.KEPT
    ]


async def _proposals(
    classroom: TeacherSession, round: int, mistake: Mistake, section: NewQuestionsSection
) -> tuple[Origin, list[Proposal]]:
    problem, prompt = classroom.train_by_id[mistake.problem_id], classroom.prompts.new_questions
    assert prompt is not None  # the recipe has the section, so it has the prompt
    origin = Origin(problem, mistake, round, prompt.id, classroom.recipe.teacher.model)
    reply = await classroom.start_asking(classroom.requests.new_questions_for(mistake))
    if not isinstance(reply, TeacherReply):
        return origin, []
    kind, complete = problem.answer_kind, not reply.truncated
    read = partial(read_new_questions, reply.text, kind, complete=complete, at_most=section.per_mistake)
    return origin, in_net(problem.id, read, [])


async def _settled(
    classroom: TeacherSession, proposal: Proposal, origin: Origin, section: NewQuestionsSection
) -> tuple[NewProblem, list[Rationale]]:
    """Asks the new question alone, as often as the recipe wants, and lets the answers decide."""
    prompt = classroom.prompts.plain
    queries = classroom.requests.answers_to(proposal.problem(origin.problem.task))
    asked = [classroom.start_asking(query) for query in queries]
    replies = [await task for task in asked]

    def settled() -> tuple[NewProblem, list[Rationale]]:
        answers = [
            independent_answer(
                reply.whole_text,
                proposal,
                origin,
                prompt=prompt.id,
                model=origin.model,
                complete=not reply.truncated,
                teach_thinking=classroom.recipe.teacher.teaches_thinking,
            )
            for reply in replies
            if isinstance(reply, TeacherReply)
        ]
        return settle(proposal, origin, answers, section.agreement)

    not_read = not_admitted(proposal, origin, ProposalOutcome.NOT_AGREED), list[Rationale]()
    return in_net(origin.problem.id, settled, not_read)
