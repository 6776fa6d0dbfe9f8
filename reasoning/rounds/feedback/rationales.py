"""Rationales asked of the teacher: queries in, graded rationales out.

Owns: what is recorded of a reply.

Invariant: the answers are in the order of the queries, whatever order the teacher gives them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasoning.grading.rationale_filter import keep
from reasoning.records import Rationale
from reasoning.rounds.classroom import TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.requests import Ask, Query, prompt_of
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherReply


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a query: the teacher's reply or failure, and the rationale in a reply, kept or not."""

    query: Query
    outcome: Outcome
    rationale: Rationale | None

    @property
    def kept(self) -> bool:
        return self.rationale is not None and self.rationale.kept


async def ask_rationales(
    classroom: TeacherSession, round: int, queries: Sequence[Query], samples: Sequence[int]
) -> list[Told]:
    """Asks all `queries`; `samples` are the numbers that their rationales get."""

    async def one(query: Query, sample: int) -> Told:
        outcome = await classroom.start_asking(query)
        classroom.progress.add(done=1)
        rationale = _rationale(classroom, outcome, query, round, sample) if isinstance(outcome, TeacherReply) else None
        return Told(query, outcome, rationale)

    return await gather_all(one(*pair) for pair in zip(queries, samples, strict=True))


def refuse_if_all_failed(told: Sequence[Told]) -> None:
    """Raises `TeacherRefused` where something was asked, and nothing was answered."""
    failures = [one.outcome for one in told if isinstance(one.outcome, TeacherFailure)]
    if failures and len(failures) == len(told):
        raise TeacherRefused(f"none of {len(told)} questions was answered; the last failure: {failures[-1].message}")


def _rationale(classroom: TeacherSession, reply: TeacherReply, query: Query, round: int, sample: int) -> Rationale:
    recipe, prompt = classroom.recipe, prompt_of(classroom.prompts, query.ask)
    teacher = recipe.teacher.for_first if query.ask is Ask.RATIONALES else recipe.teacher
    return keep(
        reply.whole_text,
        query.problem,
        round=round,
        source=prompt.source,
        prompt=prompt.id,
        model=teacher.model,
        mistake_id=query.mistake.id if query.mistake else "",
        complete=not reply.truncated,
        any_answer=recipe.learning.filter == "none",
        teach_thinking=teacher.teaches_thinking,
        sample=sample,
    )
