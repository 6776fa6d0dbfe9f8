"""The arms: the ways in which a teacher's budget is spent.

Owns: what each arm is as a recipe. An arm differs from the others by the keys that it says, whatever the ground.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.ablation.grounds import GROUNDS, Ground
from reasoning.recipe.tailored import Recipe, parse_recipe

REFERENCE = "fine-tune-cot-1"
_TEACHER = {"kind": "offline", "error_rate": 0.1, "max_in_flight": 1}

Learning = Callable[[Ground], dict[str, Any]]


@dataclass(frozen=True)
class Arm:
    """One way to spend the budget: `learning` on a ground, and what differs from it in other sections."""

    name: str
    says: str
    learning: Learning
    other: dict[str, dict[str, Any]]
    first_share: float | None = None  # of the budget, for round 0
    random_questions: bool = False

    def recipe(self, seed: int, ground: Ground = GROUNDS["coin-flips"]) -> Recipe:
        content: dict[str, Any] = {"task": dict(ground.task), "student": dict(ground.student), "teacher": _TEACHER}
        for section, changes in self.other.items():
            content[section] = {**content.get(section, {}), **changes}
        content |= {"name": f"{self.name}-{seed}", "seed": seed, "learning": self.learning(ground)}
        return parse_recipe(json.dumps(content), f"arm {self.name}")


def _at_once(ground: Ground, epochs: int, learning: dict[str, Any]) -> dict[str, Any]:
    training = {**ground.training, "epochs": epochs}
    return {"rounds": 0, "first_questions": ground.task["train"], "first_training": training, **learning}


def _all_at_once(ground: Ground, **learning: Any) -> dict[str, Any]:
    """Learns once, from all that the budget buys."""
    return _at_once(ground, ground.once, learning)


def _of_labels(ground: Ground) -> dict[str, Any]:
    return _at_once(ground, ground.of_labels, {})


def _in_rounds(ground: Ground, **learning: Any) -> dict[str, Any]:
    """Learns in rounds, and rehearses: a rationale of the first is seen as often more as there are later rounds, and as
    often on the average as where all is learnt at once."""
    training = {**ground.training, "epochs": ground.in_rounds}
    return {
        **{"rounds": ground.rounds, "first_questions": ground.task["train"], "rehearsal": 1.0},
        **{"exam": dict(ground.exam), "self_reflection": False},
        **{"first_training": training, "training": training},
        **learning,
    }


def _longer(ground: Ground, times: int) -> dict[str, Any]:
    """The control of those that learn from more examples: about as many steps, of the same rationales."""
    return _at_once(ground, times * ground.once, {})


def _late_ladder(ground: Ground) -> dict[str, Any]:
    """The ladder after most of the budget: an exam of a student that can do something already."""
    first = {**ground.training, "epochs": ground.once}
    return _in_rounds(ground, first_training=first, help="ladder", ladder=_IN_ORDER)


def _then_own(ground: Ground) -> dict[str, Any]:
    """All the budget at once, as Fine-tune-CoT has it, and then what the student can do by itself: its own right
    attempts, of twice as many questions as other loops examine."""
    first = {**ground.training, "epochs": ground.once}
    exam = {**ground.exam, "questions": 2 * ground.exam["questions"]}
    ladder = {**_NO_TEACHER, "guessable_share": 0.5}
    return _in_rounds(ground, first_training=first, exam=exam, help="ladder", ladder=ladder)


def _then_own_again(ground: Ground) -> dict[str, Any]:
    """Twice over: the second exam is of a student that can do more."""
    return {**_then_own(ground), "rounds": ground.rounds + 1}


def _then_rationalized(ground: Ground) -> dict[str, Any]:
    """All the budget at once, and then four times as many questions as other loops examine, once each: what the student
    can do it learns from its own right attempts, and the rest from its own words to the answer that it is shown."""
    first = {**ground.training, "epochs": ground.once}
    exam = {"questions": 4 * ground.exam["questions"], "samples": 1}
    ladder = {**_NO_TEACHER, "rationalize": 1}
    return _in_rounds(ground, first_training=first, exam=exam, help="ladder", ladder=ladder)


def _once(**learning: Any) -> Learning:
    return partial(_all_at_once, **learning)  # which another process can be given


def _loop(**learning: Any) -> Learning:
    return partial(_in_rounds, **learning)


_TRIPLET = {"rationales_per_mistake": 2, "self_reflection": True}  # a triplet needs another right one
_SHARED = {"teacher": {"first_prompt": "plain_shared", "feedback_prompt": "tailored_shared"}}
_NEW = {"per_mistake": 2, "answers": 3, "agreement": 3}
_NO_TEACHER = {"plain": False, "tailored": False, "new_questions": False}
_IN_ORDER = {"teacher_tokens": 10**9}  # the arm's budget ends it; this one has it spent in the order of the ladder


def _comparing(loss: str) -> Learning:
    """The ladder, whose student learns from its mistakes too, in this way."""
    return _loop(help="ladder", ladder=_IN_ORDER, self_reflection=True, objective={"loss": loss})


def _guessing(share: float) -> dict[str, Any]:
    return {**_IN_ORDER, "guessable_share": share}


ARMS = (
    Arm(
        "label-only", "the answers of all training questions, no teacher", _of_labels, {"student": {"prompt": "label"}}
    ),
    Arm("fine-tune-cot-1", "one plain rationale a question", _once(), {}),
    Arm("fine-tune-cot-4", "four plain rationales a question", _once(first_rationales=4), {}),
    Arm("fine-tune-cot-1-long", "one plain rationale a question, twice the passes", partial(_longer, times=2), {}),
    Arm("fine-tune-cot-1-longer", "and four times the passes", partial(_longer, times=4), {}),
    Arm("then-own", "one plain rationale a question, then own right attempts", _then_own, {}, 1.0),
    Arm("then-own-again", "and another round of own right attempts", _then_own_again, {}, 1.0),
    Arm(
        "then-rationalized",
        "one plain rationale a question, then own words to shown answers",
        _then_rationalized,
        {},
        1.0,
    ),
    Arm(
        "fine-tune-cot-shared",
        "one plain rationale a question, four questions a request",
        _once(per_request=4),
        _SHARED,
    ),
    Arm("plain-random", "rounds, plain rationales of random questions", _loop(help="plain"), {}, None, True),
    Arm("plain-missed", "rounds, plain feedback on missed questions", _loop(help="plain"), {}),
    Arm("tailored-once", "rounds, tailored feedback, no self-reflection", _loop(), {}),
    Arm("paper-a", "rounds, tailored feedback, self-reflection", _loop(**_TRIPLET), {}),
    Arm("new-questions", "paper A, and new questions", _loop(**_TRIPLET, new_questions=_NEW), {}),
    Arm(
        "own-alone",
        "plain rationales, then own right attempts alone",
        _loop(help="ladder", ladder={**_NO_TEACHER, "guessable_share": 0.5}),
        {},
        1.0,
    ),
    Arm("ladder", "the cheapest help that works, no guesses", _loop(help="ladder", ladder=_IN_ORDER), {}),
    Arm(
        "ladder-majority-own", "and own attempts where most are right", _loop(help="ladder", ladder=_guessing(0.5)), {}
    ),
    Arm("ladder-any-own", "and own attempts where any is right", _loop(help="ladder", ladder=_guessing(0.0)), {}),
    Arm("ladder-shared", "the ladder, four a request", _loop(help="ladder", ladder=_IN_ORDER, per_request=4), _SHARED),
    Arm(
        "tailored-continuing",
        "rounds, tailored feedback that goes on from the student's own words",
        _loop(),
        {"teacher": {"feedback_prompt": "continuing"}},
    ),
    Arm("ladder-late", "the ladder, four fifths of the budget in round 0", _late_ladder, {}, 0.8),
    Arm("ladder-dpo", "the ladder, and dpo on mistakes", _comparing("dpo"), {}),
    Arm("ladder-step-dpo", "the ladder, and step_dpo on mistakes", _comparing("step_dpo"), {}),
    Arm("ladder-self-distillation", "the ladder, and self_distillation", _comparing("self_distillation"), {}),
)
