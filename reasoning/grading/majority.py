"""What most of several answers to one question say.

Owns: the counting. Answers are the same by the rule of their kind, as everywhere; "" is no answer and has no vote.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.grading.answers import same_answer
from reasoning.grading.kinds import Kind


def same_answers(answers: Sequence[str], kind: Kind) -> list[list[str]]:
    """The answers in groups of the same, the largest first, those of one size in the order in which they came."""
    groups: list[list[str]] = []
    for answer in answers:
        group = next((group for group in groups if same_answer(answer, group[0], kind)), None)
        if group is not None:
            group.append(answer)
        elif same_answer(answer, answer, kind):  # it is an answer of this kind at all
            groups.append([answer])
    return sorted(groups, key=len, reverse=True)
