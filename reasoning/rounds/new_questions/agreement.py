"""What becomes of a new question: several independent answers decide whether it is kept, and with which answer.

Owns: the count of answers that are the same, and the record of a new question with its rationales.

Invariants
- A kept question's answer is the one that most of its answers agree on, and at least as many as the recipe wants;
  on a tie the question is dropped.
- A reply that was cut off has no vote. The teacher that wrote the question has one, like every independent answer.
- A kept question teaches by the rationales that end in its answer, and by no others.

Source: answers that agree are more often right (self-consistency, Wang et al., 2023, arXiv 2203.11171); a question
without a gold answer is kept by that alone. Independent answers are sampled: at temperature 0 they are one answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reasoning.grading.answers import same_answer
from reasoning.grading.majority import same_answers
from reasoning.grading.rationale_filter import keep
from reasoning.prompts.headings import one_block
from reasoning.records import AnswerKind, Mistake, Problem, Rationale, RationaleSource, Split, stable_id
from reasoning.rounds.new_questions.proposals import Proposal, ProposalOutcome


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answer that most agree on ("" when there is none, or several lead), how many do, and how many were asked."""

    answer: str
    agreed: int
    asked: int


def agreement(answers: Sequence[str], kind: AnswerKind) -> Agreement:
    """Counts the answers that are the same; "" is none. The answer is written as the first of those that agree."""
    groups = same_answers(answers, kind)
    if not groups or (len(groups) > 1 and len(groups[0]) == len(groups[1])):
        return Agreement("", len(groups[0]) if groups else 0, len(answers))
    return Agreement(groups[0][0], len(groups[0]), len(answers))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proposal comes from: the mistake that it is for, on which problem; who was asked, by which prompt."""

    problem: Problem
    mistake: Mistake
    round: int
    prompt: str
    model: str


@dataclass(frozen=True, slots=True)
class NewProblem:
    """A new question and what became of it.

    `answer` is the agreed one when it was kept, else the teacher's own. `agreed` of `asked` answers, the teacher's own
    included, were the same (0 of 0 when it was not admitted). `id` is that of the `Problem` it makes.
    """

    task: str
    question: str
    answer: str
    answer_kind: AnswerKind
    choices: tuple[str, ...]
    round: int
    from_problem_id: str
    mistake_id: str
    prompt: str
    model: str
    fate: ProposalOutcome
    agreed: int = 0
    asked: int = 0
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", stable_id(self.task, self.question))

    @property
    def problem(self) -> Problem:
        """The training problem it is. Raises `ValueError` for one that was not kept."""
        if self.fate is not ProposalOutcome.KEPT:
            raise ValueError(f"new question {self.id} was not kept ({self.fate}), so it cannot be learned from")
        return Problem(self.task, self.question, self.answer, self.answer_kind, Split.TRAIN, self.choices)


def not_admitted(proposal: Proposal, origin: Origin, fault: ProposalOutcome) -> NewProblem:
    """The record of a proposal that `ProposalFilter` found a fault with."""
    return _record(proposal, origin, fault, proposal.answer)


def independent_answer(
    reply_text: str,
    proposal: Proposal,
    origin: Origin,
    *,
    prompt: str,
    model: str,
    complete: bool = True,
    teach_thinking: bool = False,
) -> Rationale:
    """What the teacher answers to the new question when it is shown that alone; without an answer when the reply was
    cut off. `settle` decides whether it is kept."""
    found = keep(
        reply_text,
        proposal.problem(origin.problem.task),
        round=origin.round,
        source=RationaleSource.PLAIN,
        prompt=prompt,
        model=model,
        complete=complete,
        teach_thinking=teach_thinking,
    )
    return replace(found, kept=False, answer=found.answer if complete else "")


def settle(
    proposal: Proposal, origin: Origin, answers: Sequence[Rationale], needed: int
) -> tuple[NewProblem, list[Rationale]]:
    """What becomes of an admitted proposal, given its independent answers, and all its rationales, the teacher's own
    first. It is kept when at least `needed` answers, the teacher's own among them, are the same."""
    kind = proposal.answer_kind
    found = agreement([proposal.answer, *(rationale.answer for rationale in answers)], kind)
    kept = bool(found.answer) and found.agreed >= needed
    record = _record(
        proposal,
        origin,
        ProposalOutcome.KEPT if kept else ProposalOutcome.NOT_AGREED,
        found.answer if kept else proposal.answer,
        found,
    )
    own = Rationale(
        problem_id=record.id,
        round=origin.round,
        source=RationaleSource.NEW,
        prompt=origin.prompt,
        model=origin.model,
        text=one_block(proposal.rationale),
        answer=proposal.answer,
        kept=False,
        mistake_id=origin.mistake.id,
    )
    told = [rationale for rationale in (own, *answers) if rationale.text]
    return record, [replace(one, kept=kept and same_answer(one.answer, record.answer, kind)) for one in told]


def held_out_after_all(record: NewProblem, rationales: Iterable[Rationale]) -> tuple[NewProblem, list[Rationale]]:
    """A kept question and its rationales, when the answer that was agreed on shows it to be a held-out one."""
    return replace(record, fate=ProposalOutcome.HELD_OUT), [replace(one, kept=False) for one in rationales]


def new_question_metrics(records: Iterable[NewProblem]) -> dict[str, int]:
    """How many new questions were proposed, and how many met each fate."""
    fates = Counter(record.fate for record in records)
    return {"new_proposed": sum(fates.values()), **{f"new_{fate}": fates[fate] for fate in ProposalOutcome}}


def _record(
    proposal: Proposal, origin: Origin, fate: ProposalOutcome, answer: str, found: Agreement | None = None
) -> NewProblem:
    return NewProblem(
        task=origin.problem.task,
        question=proposal.question,
        answer=answer,
        answer_kind=proposal.answer_kind,
        choices=proposal.choices,
        round=origin.round,
        from_problem_id=origin.problem.id,
        mistake_id=origin.mistake.id,
        prompt=origin.prompt,
        model=origin.model,
        fate=fate,
        agreed=found.agreed if found else 0,
        asked=found.asked if found else 0,
    )
