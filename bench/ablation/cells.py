"""Cells: one arm at one seed and budget on one ground, run and filed.

Invariant: a cell is filed whole or not at all, and never taken for one of another budget, ground or student.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.ablation.arms import Arm
from bench.ablation.grounds import GROUNDS, Ground
from reasoning.files.durable import new_file
from reasoning.records import Mistake, stable_id
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.requests import Query, RequestBuilder


@dataclass(frozen=True)
class Budget:
    """What the teacher of each cell may cost: `dollars` at the `price` of a million tokens (input, cached, output), or
    `tokens`."""

    dollars: float | None
    tokens: int | None = None
    price: tuple[float, float, float] = (1.0, 0.5, 4.0)

    @property
    def name(self) -> str:
        return f"${self.dollars:g}" if self.dollars is not None else f"{self.tokens:,} tokens"

    @property
    def amount(self) -> float:
        """Dollars, or tokens."""
        return self.dollars if self.dollars is not None else float(self.tokens or 0)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars at the price."""
        return (prompt_tokens * self.price[0] + completion_tokens * self.price[2]) / 1e6


@dataclass(frozen=True)
class Cell:
    """What an arm came to at a seed. `accuracy` is on the test questions, by round; `prompts` and `completions` are the
    teacher's tokens. `kept` counts its rationales, `own` the student's; `sampled` the student's tokens in exams,
    `trained` tokens of prompts and rationales over all passes, in `steps`."""

    arm: str
    seed: int
    accuracy: tuple[float, ...]
    questions: int
    prompts: int
    completions: int
    kept: int
    own: int
    sampled: int
    trained: int
    steps: int
    new_questions: int
    seconds: float


def run_cell(
    arm: Arm, seed: int, budget: Budget, folder: Path, ground: Ground = GROUNDS["coin-flips"], device: str = "cpu"
) -> Cell:
    """Runs one cell from its beginning, its student on `device`; its run directory is removed when it is done."""
    import torch

    from reasoning.rounds.in_process import Allowance, InProcessClassroom, run_in_process
    from reasoning.teacher.prices import Price

    class RandomQuestions(InProcessClassroom):
        """Asks about a random question in the place of each that was missed."""

        @property
        def requests(self) -> RequestBuilder:
            return _OfRandomQuestions(self.recipe, self.prompts, self.data.train, self.train_by_id)

    torch.set_num_threads(1)
    run = folder / "running" / f"{ground.name}-{arm.name}-{seed}-{budget.name}"
    shutil.rmtree(run, ignore_errors=True)
    started = time.monotonic()
    per_million = Price(budget.price[0], budget.price[2], cached=budget.price[1])
    price = per_million if budget.dollars is not None else None
    allowance = Allowance(budget.tokens, budget.dollars, price, arm.first_share)
    kind = RandomQuestions if arm.random_questions else InProcessClassroom
    records, classroom = run_in_process(arm.recipe(seed, ground), run, allowance, kind, device)
    shutil.rmtree(run)

    def total(name: str, phase: Phase | None = None) -> int:
        return sum(int(record.metrics.get(name, 0)) for record in records if phase in (None, record.phase))

    tests = [record.metrics for record in records if "test_accuracy" in record.metrics]
    return Cell(
        arm=arm.name,
        seed=seed,
        accuracy=tuple(float(metrics["test_accuracy"]) for metrics in tests),
        questions=int(tests[-1]["test_questions"]),
        prompts=classroom.prompt_tokens,
        completions=classroom.completion_tokens,
        kept=total("kept"),
        own=total("own_rationales"),
        sampled=total("student_tokens", Phase.EXAM),
        trained=total("tokens", Phase.TRAIN),
        steps=total("steps", Phase.TRAIN),
        new_questions=total("new_kept"),
        seconds=time.monotonic() - started,
    )


class _OfRandomQuestions(RequestBuilder):
    def feedback_on(self, mistakes: Iterable[Mistake]) -> Iterator[Query]:
        for query in super().feedback_on(mistakes):
            drawn = random.Random(f"{self.recipe.seed} {query.mistake} {query.sample}").choice(self.train)
            yield replace(query, problem=drawn)


def finished(folder: Path, budget: Budget, ground: Ground = GROUNDS["coin-flips"]) -> dict[tuple[str, int], Cell]:
    """The cells of `budget` on `ground` that are in `folder`."""
    cells: dict[tuple[str, int], Cell] = {}
    for file in sorted(folder.glob("cells/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        where = (content.pop("ground", "coin-flips"), content.pop("student", ""))
        if content.pop("budget") != json.loads(json.dumps(asdict(budget))) or where != _where(ground):
            continue
        cell = Cell(**{**content, "accuracy": tuple(content["accuracy"])})
        cells[cell.arm, cell.seed] = cell
    return cells


def keep(cell: Cell, folder: Path, budget: Budget, ground: Ground = GROUNDS["coin-flips"]) -> None:
    """Files a finished cell, whole or not at all."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    name, student = _where(ground)
    where = {} if ground == GROUNDS["coin-flips"] else {"ground": name, "student": student}
    mark = stable_id(asdict(budget), *where.values())[:8]
    with new_file(folder / "cells" / f"{cell.arm}-{cell.seed}-{mark}.json") as part:
        part.write_text(json.dumps({"budget": asdict(budget), **where, **asdict(cell)}, indent=1), encoding="utf-8")


def _where(ground: Ground) -> tuple[str, str]:
    """What tells grounds apart: the task and the student, wherever its folder lies."""
    return ground.name, Path(ground.student_name).name
