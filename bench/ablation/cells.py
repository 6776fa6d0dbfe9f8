"""Cells: one arm at one seed and budget on one ground, run and filed.

Invariant: a cell is filed whole or not at all, and never taken for one of another budget, ground or student.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from bench.ablation.arms import Arm
from bench.ablation.grounds import GROUNDS, Ground
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.files.json_files import read_json
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

    def told(self, amount: float) -> str:
        """An amount between budgets, as a person is told of it."""
        return f"{amount:.3g}" if self.dollars is not None else f"{amount:,.0f}"

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
    accuracy: Annotated[tuple[float, ...], Field(min_length=1)]
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


@dataclass(frozen=True)
class _Filed(Cell):
    """A cell with what it is of, as its file has it."""

    budget: Budget
    ground: str = "coin-flips"
    student: str = ""


_FILED = TypeAdapter(_Filed)


def filed_cell(arm: Arm, seed: int, budget: Budget, folder: Path, ground: Ground, device: str) -> Cell:
    """Runs one cell and files it."""
    cell = run_cell(arm, seed, budget, folder, ground, device)
    keep(cell, folder, budget, ground)
    return cell


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
    run = folder / "running" / _stem(arm.name, seed, budget, ground)
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
    """The cells of `budget` on `ground` that are in `folder`. Raises `DataError` for a file there that is no cell."""
    cells: dict[tuple[str, int], Cell] = {}
    for file in sorted(folder.glob("cells/*.json")):
        try:
            filed = _FILED.validate_python(read_json(file))
        except ValidationError as error:
            fault = error.errors()[0]
            what = f"no cell of this version ({'.'.join(map(str, fault['loc']))}: {fault['msg']})"
            raise DataError(str(file), what, "move it elsewhere") from error
        if filed.budget == budget and (filed.ground, filed.student) == _where(ground):
            cells[filed.arm, filed.seed] = Cell(**{field.name: getattr(filed, field.name) for field in fields(Cell)})
    return cells


def keep(cell: Cell, folder: Path, budget: Budget, ground: Ground = GROUNDS["coin-flips"]) -> None:
    """Files a finished cell, whole or not at all."""
    content = {"budget": asdict(budget), **_told_where(ground), **asdict(cell)}
    with new_file(folder / "cells" / f"{_stem(cell.arm, cell.seed, budget, ground)}.json") as part:
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _stem(arm: str, seed: int, budget: Budget, ground: Ground) -> str:
    """A cell's name, which no other has."""
    return f"{arm}-{seed}-{stable_id(asdict(budget), *_told_where(ground).values())[:8]}"


def _told_where(ground: Ground) -> dict[str, str]:
    """Where a cell was run, as its file says it."""
    name, student = _where(ground)
    return {} if ground == GROUNDS["coin-flips"] else {"ground": name, "student": student}


def _where(ground: Ground) -> tuple[str, str]:
    """What tells grounds apart: the task and the student, wherever its folder lies."""
    return ground.name, Path(ground.student_name).name
