"""Where a right and a wrong solution of a generated question part: found by the family that the question is of.

Owns: the first wrong step of the wrong one, and that step in the right one. Invariant: a question of no family, or a
pair in which the right one has not got that step or the wrong one no wrong sentence, is told apart, never guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasoning.tasks.families import FAMILIES, Family

Span = tuple[int, int]  # of characters, the second not included


@dataclass(frozen=True, slots=True)
class Parted:
    """The characters of the step in the right text and in the wrong one."""

    right: Span
    wrong: Span


def family_of(question: str) -> Family[object] | None:
    """The family whose wording `question` has."""
    return next((family for family in FAMILIES.values() if family.parse(question) is not None), None)


def parted_steps(family: Family[object], question: str, right: str, wrong: str) -> Parted | None:
    """Where `wrong` goes wrong for the first time, and the same step of `right`: from its first sentence there to the
    one that finishes it. None where there is no such sentence in either."""
    said = family.said_steps(question, wrong)
    if not said or said[-1].right:
        return None
    step = said[-1].step
    found = [part for part in family.said_steps(question, right) if part.step == step and part.right]
    if not found:
        return None
    last = next((part for part in found if part.finishes), found[-1])
    return Parted((found[0].start, last.end), (said[-1].start, said[-1].end))
