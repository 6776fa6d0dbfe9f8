"""Which replies of a teacher hold a rationale that is kept.

Owns: the filter of rationales. Invariants
- Any text is a valid reply; its rationale is kept when it is complete and its answer is the gold one.
- What the teacher thinks before it speaks is neither answer nor rationale, unless it is to be taught.
- A frame around the whole of what it says is not taught.
- A step that it calls wrong is one of the attempt that it was shown, or none. A reply that goes on where the student
  went wrong is kept when it says where that is, and is made whole with the student's own words before it.
"""

from __future__ import annotations

import re

from reasoning.grading.answers import answers_problem, find_answer, found_in_reply, is_right_for
from reasoning.grading.kinds import rules_for
from reasoning.grading.own_grader import own_verdict
from reasoning.prompts.frame import Span
from reasoning.prompts.headings import one_block, read_reply
from reasoning.prompts.steps import begins_like, numbering, told_step
from reasoning.records import Problem, Rationale, RationaleSource, Verdict
from reasoning.teacher.thinking import split_thinking, with_thinking
from reasoning.teacher.turns import next_turn, own_turn

_MARKS = re.compile(r"\\boxed|[\W_]+")
_FRAMES = (
    re.compile(
        r"\s*<(?P<mark>response|output|answer|solution|final|final_answer|result|reply)>"
        r"(?P<inside>.*)(?P<end></(?P=mark)>)\s*",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"\s*```\w*\n(?P<inside>.*)\n(?P<end>```)\s*", re.DOTALL),
)


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
    teach_thinking: bool = False,
    sample: int = 0,
    attempt: str = "",
    continues: bool = False,
) -> Rationale:
    """The rationale in a teacher's reply; `kept` when it is complete, not empty, and its answer is the gold one (with
    `any_answer`, whatever its answer: paper B's switch).

    Any text is a valid reply. What the reply says about the mistake is not part of the rationale, nor is what the
    teacher thinks before it speaks; with `teach_thinking` that stands before it, between `<think>` and `</think>`.
    Thinking that does not end was cut off, whatever `complete` says. `attempt` is the student's solution that it was
    shown; `continues`: it was asked to go on from the first wrong step of that."""
    thinking = split_thinking(reply_text)
    said = own_turn(thinking.said)
    whole = said[: _own_end(said)]
    said = _unwrapped(whole)
    reply = read_reply(said)
    if reply.answer_text == said:  # no answer heading
        found = find_answer(reply.rationale, rules_for(problem), problem.choices)
    else:
        found = found_in_reply(reply.answer_text, problem)
    same = is_right_for(found, problem)
    answer = found.answer
    if same and not answers_problem(answer, problem):  # the whole is right, not its first clause: "Paris, France"
        answer = found.also
    step = told_step(reply, attempt) if attempt else None
    text, whole_text = reply.rationale, not continues or step is not None
    if continues and step is not None and text:
        text = _after_own_words(text, attempt, step)
    if teach_thinking and thinking.thought and text:
        text = one_block(with_thinking(thinking.thought, text))
    elif reply.answer_text == said and not problem.grader and _bare(text) == _bare(answer):
        text = ""  # an answer alone
    own = own_verdict(problem, whole) is Verdict.CORRECT if problem.grader and thinking.closed else False
    right = own if problem.grader else same
    return Rationale(
        problem_id=problem.id,
        round=round,
        source=source,
        prompt=prompt,
        model=model,
        text=text,
        answer=answer,
        kept=(right or any_answer) and complete and thinking.closed and bool(text) and whole_text,
        mistake_id=mistake_id,
        sample=sample,
        wrong_step=attempt[slice(*step)] if step is not None else "",
    )


def _bare(text: str) -> str:
    return _MARKS.sub("", text.casefold())


def _after_own_words(text: str, attempt: str, step: Span) -> str:
    """What a teacher goes on with at `step` of `attempt`, after the words before it, unless it said them again."""
    own = attempt[: step[0]]
    before = own.rstrip()
    if not before or begins_like(text, before):
        return text
    text = text if numbering(text) else numbering(attempt[slice(*step)]) + text
    return f"{before}\n{text}" if "\n" in own[len(before) :] else f"{before} {text}"


def _unwrapped(said: str) -> str:
    """What a reply says without a frame around the whole of it, which would be taught with it: a pair of marks."""
    for frame in _FRAMES:
        framed = frame.fullmatch(said)
        if framed is not None and framed["end"] not in framed["inside"]:
            return framed["inside"]
    return said


def _own_end(said: str) -> int:
    """Where a teacher's own words end. It may repeat the question; only after an answer is one of its own making."""
    end = next_turn(said)
    return end if "answer" in said[:end].lower() else len(said)
