"""One-step exercises: questions of the task families with a single step, in the form in which the student answers.

Owns: the one-step versions of the families and their passages. Invariant: no question has more than one step, so the
student meets the form and the single step, and never a whole problem of a family.
"""

from __future__ import annotations

import random
from typing import Any

from reasoning.prompts.student_forms import student_completion, student_prompt
from reasoning.student.embedded.passage import Passage, Writer, passage
from reasoning.tasks.families import Family
from reasoning.tasks.families.arithmetic import Arithmetic
from reasoning.tasks.families.coin_flip import CoinFlip
from reasoning.tasks.families.last_letters import LastLetters
from reasoning.tasks.families.shuffled_objects import ShuffledObjects

ONE_STEP: dict[str, Family[Any]] = {
    "one_calculation": Arithmetic(steps=(1, 1)),
    "one_flip": CoinFlip(people=(1, 1)),
    "one_letter": LastLetters(words=(1, 1)),
    "one_swap": ShuffledObjects(swaps=(1, 1)),
}
_IN_SMALLER_STEPS = 0.2  # the share of exercises that is worked out in smaller steps, as after a mistake


def exercise(family: Family[Any], rng: random.Random) -> Passage:
    """A one-step question and its worked answer."""
    question, _ = family.generate(rng)
    if rng.random() < _IN_SMALLER_STEPS:
        corrupt = family.corrupt(question, rng)
        told = family.feedback(question, f"{corrupt.text}\nAnswer: {corrupt.answer}", rng)
        return passage(student_prompt(question), student_completion(told.rationale, told.answer))
    worked = family.rationale(question, rng)
    return passage(student_prompt(question), student_completion(worked.text, worked.answer))


def _writer(family: Family[Any]) -> Writer:
    return lambda rng: exercise(family, rng)


WRITERS: dict[str, Writer] = {name: _writer(family) for name, family in ONE_STEP.items()}
