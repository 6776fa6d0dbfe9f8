"""The generated task families: problems without end, from a seed.

Owns: the registry of families and the drawing of disjoint splits. Invariants: a question belongs to the split that its
own hash says (`splits`), so no seed and no size can make splits overlap; no question is drawn twice in one call.
"""

from __future__ import annotations

import random
from typing import Any

from reasoning.records import Problem, Split
from reasoning.tasks.families.arithmetic import Arithmetic
from reasoning.tasks.families.coin_flip import CoinFlip
from reasoning.tasks.families.family import Family
from reasoning.tasks.families.last_letters import LastLetters
from reasoning.tasks.families.shuffled_objects import ShuffledObjects
from reasoning.tasks.families.splits import split_of

_FAMILIES: tuple[Family[Any], ...] = (CoinFlip(), LastLetters(), ShuffledObjects(), Arithmetic())
FAMILIES: dict[str, Family[Any]] = {family.name: family for family in _FAMILIES}

_PATIENCE = 5_000  # draws in a row without a new question before a family counts as exhausted


class FamilyExhaustedError(RuntimeError):
    """A family has fewer questions than were asked for."""

    def __init__(self, family: str, split: Split, found: int, wanted: int) -> None:
        super().__init__(
            f"family '{family}' gave only {found} different questions of split '{split}', {wanted} were asked for; "
            "ask for fewer, or make the family larger (more people, words, swaps or steps)"
        )


def problems(family: Family[Any], seed: int, split: Split, n: int) -> list[Problem]:
    """`n` different problems of a split; the same arguments always give the same ones, and more of them begin with the
    fewer. Errors: `FamilyExhaustedError`."""
    rng = random.Random(f"{family.name}:{seed}")
    drawn: dict[str, Problem] = {}
    idle = 0
    while len(drawn) < n:
        question, answer = family.generate(rng)
        idle += 1
        if question not in drawn and split_of(question) is split:
            choices = family.choices(question)
            drawn[question] = Problem(family.name, question, answer, family.answer_kind, split, choices)
            idle = 0
        if idle > _PATIENCE:
            raise FamilyExhaustedError(family.name, split, len(drawn), n)
    return list(drawn.values())


__all__ = ["FAMILIES", "Family", "FamilyExhaustedError", "problems", "split_of"]
