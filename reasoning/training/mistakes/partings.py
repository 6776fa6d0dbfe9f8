"""Where a right completion and a wrong one of the same question part, in characters.

Owns: the choice of how it is found.

- A question of a generated family: by the family's program, which knows every step.
- Any other: the step that the teacher called the first wrong one, or one before it with an equation that is not true,
  and the step of the same place in the right one.
- The teacher called none so: the first with an equation that is not true.
- No such equation: the first sentence in which the two differ.

Invariant: only reasoning is looked at. Two completions that differ in their answers alone do not part.
"""

from __future__ import annotations

from reasoning.grading.numbers.equations import all_true
from reasoning.prompts.frame import Frame, Span
from reasoning.prompts.steps import steps_of
from reasoning.tasks.families.parted_steps import Parted, family_of, parted_steps


def parting(frame: Frame, prompt: str, right: str, wrong: str, said: str = "") -> Parted | None:
    """Where `right` and `wrong`, completions of `prompt`, part; None where their reasoning does not. `said` is the step
    of `wrong` that the teacher called the first wrong one, "" where it called none so."""
    reasons = [text[: frame.reasoning_end(text)] for text in (right, wrong)]
    question = frame.question(prompt)
    family = family_of(question) if question is not None else None
    if question is not None and family is not None:
        return parted_steps(family, question, *reasons)
    steps = [steps_of(text) for text in reasons]
    known = (_first_false(reasons[1], steps[1]), _first_said(reasons[1], steps[1], said))
    at = min((place for place in known if place is not None), default=None)
    if at is None:
        pairs = enumerate(zip(*steps, strict=False))
        at = next((i for i, (mine, other) in pairs if right[slice(*mine)] != wrong[slice(*other)]), None)
    if at is None or not steps[0]:
        return None
    return Parted(steps[0][min(at, len(steps[0]) - 1)], steps[1][at])


def _first_said(text: str, steps: list[Span], said: str) -> int | None:
    """Which step `said` is, or begins in."""
    place = text.find(said) if said else -1
    return next((index for index, span in enumerate(steps) if span[0] <= place < span[1]), None)


def _first_false(text: str, steps: list[Span]) -> int | None:
    """The first step with an equation of two numbers that is not true."""
    for index, span in enumerate(steps):
        if not all_true(text[slice(*span)]):
            return index
    return None
