"""The student's own right attempts as rationales: what rejection sampling teaches without a teacher.

Owns: which right attempts become rationales, and when two of them are the same solution.

Invariants
- An attempt that is kept is whole, right, and in the student's form: its rationale is what stood before its answer.
- Two attempts of a question that take the same steps are one solution, however they are spaced or punctuated.
- The same attempts give the same rationales, in the order of the attempts.

Source: rejection-sampling fine-tuning keeps one of the answers with the same equations (Yuan et al., arXiv 2308.01825).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reasoning.grading.answers import judged_part
from reasoning.prompts.student_forms import StudentForm
from reasoning.records import Attempt, Problem, Rationale, RationaleSource, Verdict

_NUMBER = r"[$€£(\-]*\d(?:[\d.,]*\d)?[%)]*"
_EQUATION = re.compile(rf"{_NUMBER}(?:\s*[+\-*/×÷x^]\s*{_NUMBER})*\s*=\s*{_NUMBER}")
_SENTENCE = re.compile(r"[.!?;]\s+|\n+")
_NOT_A_WORD = re.compile(r"[^\w+\-*/×÷=%<>]+")


def own_rationales(
    problem: Problem, attempts: Iterable[Attempt], form: StudentForm, model: str, at_most: int
) -> list[Rationale]:
    """At most `at_most` rationales from the right ones of `attempts` at `problem`, distinct by their steps. `model` is
    the student's name."""
    found: dict[tuple[str, ...], Rationale] = {}
    for attempt in attempts:
        if attempt.verdict is not Verdict.CORRECT or not attempt.complete:
            continue
        text = form.rationale_in(judged_part(attempt.text))
        if not text:
            continue
        rationale = Rationale(
            problem_id=problem.id,
            round=attempt.round,
            source=RationaleSource.STUDENT,
            prompt=form.id,
            model=model,
            text=text,
            answer=attempt.prediction,
            kept=True,
            sample=attempt.sample,
        )
        found.setdefault(steps_of(text), rationale)
    return list(found.values())[:at_most]


def steps_of(text: str) -> tuple[str, ...]:
    """What a solution does, step by step: its equations where it calculates, otherwise its sentences, without case,
    spaces and punctuation."""
    equations = [re.sub(r"[\s,$€£()]", "", found[0]) for found in _EQUATION.finditer(text)]
    if equations:
        return tuple(equations)
    sentences = (_NOT_A_WORD.sub(" ", sentence.casefold()).strip() for sentence in _SENTENCE.split(text))
    return tuple(sentence for sentence in sentences if sentence)
