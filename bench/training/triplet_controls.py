"""By what can the triplet loss be solved? Controls in which right and wrong differ in one thing alone.

    python -m bench.training.triplet_controls            # about five minutes on one core

The embedded student is trained with the triplet loss alone on generated coin flips, once for every representation and
every control, and the loss is measured on questions that it has not seen. A control:

- `mistake`: the real thing, a solution with a wrong step that is followed through to the wrong answer.
- `right`: the wrong one is a third right solution. What is solved here is solved by noise: it has to stay high.
- `answer`: the wrong one is a right solution in which the last word, the answer, is turned round.
- `reasoning`: the wrong one is a mistake that ends in the right answer.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import torch

from bench.refusals import count_or_none
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, Split
from reasoning.student.checkpoint import load_student
from reasoning.tasks.families import FAMILIES, problems
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.report import TrainingError
from reasoning.training.samples import draw_pass

Control = Literal["mistake", "right", "answer", "reasoning"]
CONTROLS: tuple[Control, ...] = get_args(Control)
REPRESENTATIONS = ("last", "mean", "rationale", "divergence")
TURNED = {"yes": "no", "no": "yes"}


def examples(control: Control, seed: int, count: int) -> list[Example]:
    """Questions with two right solutions each, and what `control` holds against them."""
    family, form, draw = FAMILIES["coin_flip"], default_form(), random.Random(f"{control} {seed}")
    made = []
    for problem in problems(family, seed, Split.TRAIN, count):
        question, answer = problem.question, problem.answer
        rights = [family.rationale(question, draw).text for _ in range(3)]
        mistake = family.corrupt(question, draw)
        while mistake.answer == answer:
            mistake = family.corrupt(question, draw)
        wrong = {
            "mistake": (mistake.text, mistake.answer),
            "right": (rights[2], answer),
            "answer": (rights[2], TURNED[answer]),
            "reasoning": (mistake.text, answer),
        }[control]
        positives = tuple(dict.fromkeys(form.completion(text, answer) for text in rights[:2]))
        made.append(Example(problem.id, form.prompt(question), positives, (form.completion(*wrong),)))
    return made


def losses(objective: ObjectiveSection, control: Control, steps: Sequence[int], seed: int) -> Iterator[float]:
    """The loss on unseen questions, after each of these numbers of steps."""
    student = load_student(str(EMBEDDED_STUDENT))
    training = TrainingSection(epochs=1, batch_size=16, learning_rate=1e-3, warmup_steps=0, schedule="constant")
    frame = default_form().frame
    taught, unseen = (
        FineTuning(student.model, student.tokenizer, made, training, objective, seed, 0, 1, "float32", frame)
        for made in (examples(control, seed, 16 * max(steps) // 2 + 32), examples(control, seed + 1_000, 64))
    )
    batches = iter(draw_pass(taught.data.examples, training.batch_size, seed, 0))
    done = 0
    for wanted in steps:
        student.model.train()
        for _ in range(wanted - done):
            taught.learn(next(batches), training.learning_rate)
        done = wanted
        yield _measured(unseen)


def _measured(run: FineTuning) -> float:
    run.model.eval()
    batches = draw_pass(run.data.examples, 32, 0, 0)
    with torch.no_grad():
        found = [float(run.losses(batch, run.losses.counts(batch))[1][-1]) for batch in batches]
    return sum(found) / len(found)


def table(steps: Sequence[int], seed: int) -> Iterator[str]:
    """A Markdown table, line by line."""
    yield "| representation | " + " | ".join(f"{control}, {n} steps" for control in CONTROLS for n in steps) + " |"
    yield "|---" * (1 + len(CONTROLS) * len(steps)) + "|"
    for representation in REPRESENTATIONS:
        keys: dict[str, Any] = {"loss": "contrastive", "representation": representation}
        cells: list[str] = []
        for control in CONTROLS:
            try:
                cells += [f"{loss:.2f}" for loss in losses(ObjectiveSection(**keys), control, steps, seed)]
            except TrainingError:  # right and wrong do not part where this representation looks
                cells += ["not compared"] * len(steps)
        yield f"| `{representation}` | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=count_or_none, nargs="+", default=[0, 20, 60])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for line in table(asked.steps, asked.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
