"""Rationales asked of the teacher: queries in, graded rationales out.

Owns: what is recorded of a reply, and of each part of a reply to several questions.

Invariants
- The answers are in the order of the queries, whatever order the teacher gives them in.
- A part that cannot be read is asked for again, alone and as it would have been at first. So is each part of a request
  that was refused for its length or its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reasoning.grading.net import in_net
from reasoning.grading.rationale_filter import keep
from reasoning.prompts.parts import parts_of_reply
from reasoning.records import Rationale
from reasoning.rounds.classroom import TeacherRefused, TeacherSession, gather_all
from reasoning.rounds.requests import Ask, Group, Query, prompt_of
from reasoning.teacher.calls import Outcome, TeacherFailure, TeacherReply
from reasoning.teacher.thinking import split_thinking
from reasoning.teacher.turns import own_turn


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a query: the teacher's reply or failure, the rationale in a reply, kept or not, and the tokens that
    it took, prompt and completion: its share of a request with others, and of one of its own."""

    query: Query
    outcome: Outcome
    rationale: Rationale | None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def kept(self) -> bool:
        return self.rationale is not None and self.rationale.kept


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: Outcome
    prompt_tokens: int
    completion_tokens: int


async def ask_rationales(
    classroom: TeacherSession, round: int, queries: Sequence[Query], samples: Sequence[int]
) -> list[Told]:
    """Asks all `queries`, several in a request where the recipe wants that; `samples` are the numbers that their
    rationales get."""
    requests = classroom.requests
    answered = await gather_all(_answers(classroom, group) for group in requests.groups(queries))
    answers = {key: answer for found in answered for key, answer in found.items()}
    told = []
    for query, sample in zip(queries, samples, strict=True):
        one = answers[requests.first(query).key]
        reply = one.outcome
        rationale = _rationale(classroom, reply, query, round, sample) if isinstance(reply, TeacherReply) else None
        told.append(Told(query, reply, rationale, one.prompt_tokens, one.completion_tokens))
    return told


async def _answers(classroom: TeacherSession, group: Group) -> dict[str, _Answer]:
    """What came of each query of a group, by the key of its own request."""
    outcome = await classroom.start_asking_together(group)
    keys = [classroom.requests.first(query).key for query in group]
    if len(group) == 1:
        classroom.progress.add(done=1)
        return {keys[0]: _answer(outcome)}
    if isinstance(outcome, TeacherFailure):
        if outcome.kind.transient:  # it was tried again and again
            classroom.progress.add(done=len(group))
            return dict.fromkeys(keys, _answer(outcome))
        parts: Sequence[TeacherReply | None] = [None] * len(group)
    else:
        parts = _parts(outcome, len(group))

    async def one(query: Query, part: TeacherReply | None, share: tuple[int, int]) -> _Answer:
        if part is None:
            alone = _answer(await classroom.start_asking(query))
            part_of_both = (alone.prompt_tokens + share[0], alone.completion_tokens + share[1])
            answer = _Answer(alone.outcome, *part_of_both)
        else:
            answer = _Answer(part, *share)
        classroom.progress.add(done=1)
        return answer

    shares = _shares(outcome, len(group))
    return dict(zip(keys, await gather_all(map(one, group, parts, shares)), strict=True))


def _answer(outcome: Outcome) -> _Answer:
    return _Answer(outcome, *next(iter(_shares(outcome, 1))))


def _parts(reply: TeacherReply, count: int) -> list[TeacherReply | None]:
    """The parts of a reply as replies of their own; None for each that has to be asked for again."""
    thinking = split_thinking(reply.text)
    said = own_turn(thinking.said) if thinking.closed else ""
    texts = parts_of_reply(said, count, complete=not reply.truncated)
    return [None if text is None else replace(reply, text=text, finish_reason="stop", thinking="") for text in texts]


def _shares(outcome: Outcome, count: int) -> list[tuple[int, int]]:
    """The tokens of a reply in equal parts, what cannot be divided with the first ones."""
    if isinstance(outcome, TeacherFailure):
        return [(0, 0)] * count
    totals = (outcome.prompt_tokens, outcome.completion_tokens)
    divided = [[total // count + (number < total % count) for number in range(count)] for total in totals]
    return list(zip(*divided, strict=True))


def refuse_if_all_failed(told: Sequence[Told]) -> None:
    """Raises `TeacherRefused` where something was asked, and nothing was answered."""
    failures = [one.outcome for one in told if isinstance(one.outcome, TeacherFailure)]
    if failures and len(failures) == len(told):
        raise TeacherRefused(f"none of {len(told)} questions was answered; the last failure: {failures[-1].message}")


def _rationale(classroom: TeacherSession, reply: TeacherReply, query: Query, round: int, sample: int) -> Rationale:
    recipe, prompt = classroom.recipe, prompt_of(classroom.prompts, query.ask)
    teacher = recipe.teacher.for_first if query.ask is Ask.RATIONALES else recipe.teacher
    problem, mistake_id = query.problem, query.mistake.id if query.mistake else ""

    def kept() -> Rationale:
        return keep(
            reply.whole_text,
            problem,
            round=round,
            source=prompt.source,
            prompt=prompt.id,
            model=teacher.model,
            mistake_id=mistake_id,
            complete=not reply.truncated,
            any_answer=recipe.learning.filter == "none",
            teach_thinking=teacher.teaches_thinking,
            sample=sample,
            attempt=_shown(classroom, query) if prompt.shows_mistake else "",
            continues=prompt.continues,
        )

    of = (problem.id, round, prompt.source, prompt.id, teacher.model)
    not_read = Rationale(*of, text="", answer="", kept=False, mistake_id=mistake_id, sample=sample)
    return in_net(problem.id, kept, not_read, lambda: classroom.progress.add(ungraded=1))


def _shown(classroom: TeacherSession, query: Query) -> str:
    """The student's solution that the teacher was shown, without the form's own first words."""
    words = classroom.prompts.form.frame.words[0].strip()
    return query.mistake.text.removeprefix(words).lstrip() if query.mistake else ""
