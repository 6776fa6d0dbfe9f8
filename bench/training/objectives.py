"""What does learning from one's own mistakes add? The same student, the same examples, one objective an arm.

    python -m bench.training.objectives --seed 0 --folder runs/objectives      # a seed takes about five minutes
    python -m bench.training.objectives --table --folder runs/objectives

No teacher is paid: the solutions are the family's own, two a question. For each seed the embedded student learns some
questions, sits an exam on others (four attempts each), and from there every arm learns the same examples of the
missed questions: their two right solutions, and the student's own mistakes. All make the same number of steps, on the
same solutions in the same order, and answer the same unseen questions greedily. A cell is a line of a file; what is
there is not done again.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench.refusals import count
from reasoning.grading.answers import grade
from reasoning.grading.intervals import mean_interval
from reasoning.grading.mistakes import mistakes_of
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Attempt, Example, Problem, Split, Verdict
from reasoning.student.checkpoint import Student, load_student
from reasoning.student.generation import Generator
from reasoning.student.sampling import Sampling
from reasoning.tasks.families import FAMILIES, problems
from reasoning.training.fine_tuning import fine_tune

ARMS: dict[str, dict[str, Any]] = {
    "LM alone": {"loss": "completion", "contrastive_weight": 0.0},
    "triplet, last": {"loss": "completion"},
    "triplet, rationale": {"loss": "completion", "representation": "rationale"},
    "triplet, divergence": {"loss": "completion", "representation": "divergence"},
    "dpo": {"loss": "dpo"},
    "step_dpo": {"loss": "step_dpo"},
    "self_distillation": {"loss": "self_distillation"},
}
NEW_TOKENS = 160
REFERENCE = "LM alone"


@dataclass(frozen=True)
class Cell:
    """An arm at a seed. `before` and `accuracy`: shares of unseen questions answered rightly before and after it."""

    arm: str
    seed: int
    before: float
    accuracy: float
    questions: int
    mistakes: int
    seconds: float


def _training(epochs: int, rate: float) -> TrainingSection:
    return TrainingSection(epochs=epochs, batch_size=16, learning_rate=rate, warmup_steps=5, max_tokens=400)


def _answered(student: Student, asked: Sequence[Problem], sampling: Sampling) -> list[list[Attempt]]:
    form = default_form()
    completions = Generator(student).answer([form.prompt(problem.question) for problem in asked], sampling)
    found = []
    for problem, texts in zip(asked, completions, strict=True):
        attempts = []
        for sample, one in enumerate(texts):
            prediction, verdict = grade(one.text, one.complete, problem)
            attempts.append(Attempt(problem.id, 0, sample, one.text, one.complete, one.tokens, prediction, verdict))
        found.append(attempts)
    return found


def _accuracy(student: Student, asked: Sequence[Problem]) -> float:
    answers = _answered(student, asked, Sampling(max_new_tokens=NEW_TOKENS))
    return mean(float(attempts[0].verdict is Verdict.CORRECT) for attempts in answers)


def _solved(problem: Problem, draw: random.Random, negatives: Sequence[str] = ()) -> Example:
    form, family = default_form(), FAMILIES[problem.task]
    rights = [form.completion(family.rationale(problem.question, draw).text, problem.answer) for _ in range(2)]
    positives = tuple(dict.fromkeys(rights))
    kept = tuple(dict.fromkeys(text for text in negatives if text not in positives))[:4]
    return Example(problem.id, form.prompt(problem.question), positives, kept)


def run_seed(
    family: str, seed: int, first: int, examined: int, asked: int, epochs: int, arms: Sequence[str] = tuple(ARMS)
) -> Iterator[Cell]:
    """The cells of a seed, arm by arm."""
    draw, form = random.Random(f"{family} {seed}"), default_form()
    train = problems(FAMILIES[family], seed, Split.TRAIN, first + examined)
    unseen = problems(FAMILIES[family], seed, Split.TEST, asked)
    student = load_student(str(EMBEDDED_STUDENT))
    alone = ObjectiveSection(**ARMS[REFERENCE])
    plain = [_solved(problem, draw) for problem in train[:first]]
    fine_tune(student.model, student.tokenizer, plain, _training(6, 1e-3), alone, seed, frame=form.frame)
    before = _accuracy(student, unseen)
    exam = _answered(student, train[first:], Sampling(4, 0.7, max_new_tokens=NEW_TOKENS, seed=seed))
    examples = []
    for problem, attempts in zip(train[first:], exam, strict=True):
        wrong = [form.own_completion(mistake.text) for mistake in mistakes_of(attempts) if mistake.prediction]
        if wrong:
            examples.append(_solved(problem, draw, wrong))
    mistakes = sum(len(example.negatives) for example in examples)
    weights = {name: weight.clone() for name, weight in student.model.state_dict().items()}
    for arm in arms:
        started = time.monotonic()
        student.model.load_state_dict(weights)
        objective = ObjectiveSection(**ARMS[arm])
        fine_tune(
            student.model, student.tokenizer, examples, _training(epochs, 5e-4), objective, seed, frame=form.frame
        )
        accuracy = _accuracy(student, unseen)
        yield Cell(arm, seed, before, accuracy, len(examples), mistakes, time.monotonic() - started)


def read(file: Path) -> list[Cell]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Cell(**json.loads(line)) for line in lines]


def table(cells: Sequence[Cell]) -> Iterator[str]:
    """A Markdown table, line by line."""
    yield "| objective | seeds | before, % | accuracy, % | against LM alone, points | 95 % interval |"
    yield "|---|---|---|---|---|---|"
    reference = {cell.seed: cell.accuracy for cell in cells if cell.arm == REFERENCE}
    for arm in ARMS:
        mine = [cell for cell in cells if cell.arm == arm]
        if not mine:
            continue
        against = [100 * (cell.accuracy - reference[cell.seed]) for cell in mine if cell.seed in reference]
        interval = mean_interval(against) if len(against) > 1 and arm != REFERENCE else None
        bounds = f"{interval.low:.1f} – {interval.high:.1f}" if interval else "–"
        points = f"{mean(against):+.1f}" if against and arm != REFERENCE else "–"
        before, after = (100 * mean(getattr(cell, name) for cell in mine) for name in ("before", "accuracy"))
        yield f"| {arm} | {len(mine)} | {before:.1f} | {after:.1f} | {points} | {bounds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=list(FAMILIES), default="coin_flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=count, default=60, help="questions learnt before the exam")
    parser.add_argument("--examined", type=count, default=120, help="questions of the exam")
    parser.add_argument("--asked", type=count, default=200, help="unseen questions")
    parser.add_argument("--epochs", type=count, default=3)
    parser.add_argument("--folder", type=Path, default=Path("runs/objectives"))
    parser.add_argument("--table", action="store_true", help="only print what is there")
    asked = parser.parse_args()
    file = asked.folder / f"{asked.family}.jsonl"
    done = {cell.arm for cell in read(file) if cell.seed == asked.seed}
    left = [arm for arm in ARMS if arm not in done]
    if not asked.table and left:
        asked.folder.mkdir(parents=True, exist_ok=True)
        cells = run_seed(asked.family, asked.seed, asked.first, asked.examined, asked.asked, asked.epochs, left)
        for cell in cells:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(cell)) + "\n")
            print(f"{cell.arm}, seed {cell.seed}: {100 * cell.accuracy:.1f} % ({cell.seconds:.0f} s)", flush=True)
    for line in table(read(file)):
        print(line)


if __name__ == "__main__":
    main()
