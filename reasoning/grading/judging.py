"""What a text is worth to a round: whether an attempt is a mistake, whether a reply holds a rationale to keep.

Owns: the filter of rationales, and what a mistake is. Students' attempts and teachers' replies are judged here alike.

Invariants
- A truncated attempt is no mistake. A complete attempt without an answer is one.
- Any text is a valid reply; it is kept when it is complete and its answer is the gold one.
"""

from __future__ import annotations

from collections.abc import Iterable

from reasoning.grading.answers import answer_of_reply, extract, judged_part, same_answer
from reasoning.prompts.headings import one_block, read_reply
from reasoning.records import Attempt, Mistake, Problem, Rationale, RationaleSource, Verdict

_MISTAKEN = (Verdict.WRONG, Verdict.NO_ANSWER)


def mistakes_of(attempts: Iterable[Attempt]) -> list[Mistake]:
    """The complete, wrong attempts, each text once per question: those with an answer first, otherwise in the order of
    the attempts. A text that was given in several rounds is a mistake of the last of them."""
    found: dict[tuple[str, str], Mistake] = {}
    for attempt in attempts:
        if attempt.verdict not in _MISTAKEN:
            continue
        text = one_block(judged_part(attempt.text))
        if text:  # an empty attempt shows the teacher nothing
            mistake = Mistake(attempt.problem_id, attempt.round, text, attempt.prediction)
            found[mistake.problem_id, text] = mistake
    return sorted(found.values(), key=lambda mistake: not mistake.prediction)


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
