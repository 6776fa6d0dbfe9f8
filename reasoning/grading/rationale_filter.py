"""Which replies of a teacher hold a rationale that is kept.

Owns: the filter of rationales. Invariant: any text is a valid reply; its rationale is kept when it is complete and its
answer is the gold one.
"""

from __future__ import annotations

from reasoning.grading.answers import answer_of_reply, extract, same_answer
from reasoning.prompts.headings import read_reply
from reasoning.records import Problem, Rationale, RationaleSource


def keep(
    reply_text: str,
    problem: Problem,
    *,
    round: int,
    source: RationaleSource,
    prompt: str,
    model: str,
    mistake_id: str = "",
    complete: bool = True,
    any_answer: bool = False,
    sample: int = 0,
) -> Rationale:
    """The rationale in a teacher's reply; `kept` when it is complete, not empty, and its answer is the gold one (with
    `any_answer`, whatever its answer: paper B's switch).

    Any text is a valid reply. What the reply says about the mistake is not part of the rationale."""
    reply = read_reply(reply_text)
    if reply.answer_text == reply_text:  # no answer heading
        answer = extract(reply.rationale, problem.answer_kind, problem.choices)
    else:
        answer = answer_of_reply(reply.answer_text, problem)
    right = same_answer(answer, problem.answer, problem.answer_kind)
    return Rationale(
        problem_id=problem.id,
        round=round,
        source=source,
        prompt=prompt,
        model=model,
        text=reply.rationale,
        answer=answer,
        kept=(right or any_answer) and complete and bool(reply.rationale),
        mistake_id=mistake_id,
        sample=sample,
    )
