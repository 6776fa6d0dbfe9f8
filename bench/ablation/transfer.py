"""Real questions: a student taught on generated stories, examined on published ones that it never saw.

    python -m bench.ablation.transfer --data DIR [--student FOLDER] [--arms fine-tune-cot-1 plain-missed] [--seeds 1]
    python -m bench.ablation.transfer --data DIR --table-only      # of the cells that are finished

DIR holds datasets/ and splits/. Arms, student, sizes and budget are those of `bench.ablation` on its ground
`arithmetic`; the teacher is the offline one. Then the last student answers the test questions (paper B's splits) of
MultiArith, SingleEq, AddSub and SVAMP greedily, in the form that it was taught in. Nothing is chosen by them. `none` is
the student that nobody taught. Beside it stand paper B's figures, of students that were trained on each set's own
questions.

A cell (an arm at a seed) is a file in the folder; the same command goes on where it was. No Ray.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bench.ablation.arms import ARMS, Arm
from bench.ablation.cells import Budget
from bench.ablation.grounds import GROUNDS, Ground
from bench.refusals import amount, count, refuse_student
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.files.json_files import read_json
from reasoning.grading.answers import grade
from reasoning.grading.intervals import wilson
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.task import TaskSection
from reasoning.records import Problem, Verdict, stable_id
from reasoning.tasks.loading import load_problems

SETS = ("multiarith", "single_eq", "addsub", "svamp")
UNTAUGHT = "none"
# Paper B's table: test accuracy, per cent, of Fine-tune-CoT with 0.3B and with 6.7B parameters.
PUBLISHED: Mapping[str, tuple[float, float]] = {
    "multiarith": (6.11, 33.33),
    "single_eq": (7.24, 20.39),
    "addsub": (6.72, 21.01),
    "svamp": (5.00, 12.67),
}


@dataclass(frozen=True)
class Cell:
    """What the student of an arm at a seed came to: `own`, right of the questions of its own kind (generated ones, with
    their number), and of each published set, by name. A student that nobody taught has no `own`."""

    arm: str
    seed: int
    own: tuple[int, int] | None
    right: dict[str, tuple[int, int]]


def questions(data: Path, name: str) -> tuple[Problem, ...]:
    """The test questions of a published set."""
    section = TaskSection(
        name=name,
        source="file",
        path=data / "datasets" / f"{name}.json",
        splits=data / "splits" / f"{name}__default.json",
        repeated="keep",
    )
    return tuple(load_problems(section, 0).test)


def examined(student: str, recipe: Recipe, asked: Sequence[Problem]) -> tuple[int, int]:
    """How many of `asked` the student at `student` answers rightly, and how many there are."""
    import torch

    from reasoning.prompts.run_prompts import run_prompts
    from reasoning.student.checkpoint import load_student
    from reasoning.student.generation import Generator
    from reasoning.student.sampling import Sampling

    form, dtype = run_prompts(recipe).form, recipe.student.dtype
    loaded = load_student(student, torch.float32 if dtype == "auto" else getattr(torch, dtype))
    loaded.model.eval()
    sampling = Sampling(max_new_tokens=recipe.student.max_new_tokens or 192)
    answers = Generator(loaded).answer([form.prompt(problem.question) for problem in asked], sampling)
    verdicts = [grade(one.text, one.complete, problem)[1] for problem, (one,) in zip(asked, answers, strict=True)]
    return sum(verdict is Verdict.CORRECT for verdict in verdicts), len(verdicts)


def run_cell(arm: Arm | None, seed: int, ground: Ground, budget: Budget, data: Path, folder: Path) -> Cell:
    """Teaches (`arm` None: does not) and examines."""
    import torch

    from reasoning.rounds.in_process import Allowance, run_in_process
    from reasoning.teacher.prices import Price

    torch.set_num_threads(1)
    recipe, own, run = (arm or ARMS[1]).recipe(seed, ground), None, None
    student = recipe.student.source
    if arm is not None:
        run = folder / "running" / f"{arm.name}-{seed}"
        shutil.rmtree(run, ignore_errors=True)
        price = Price(budget.price[0], budget.price[2], cached=budget.price[1])
        allowance = Allowance(None, budget.dollars, price, arm.first_share)
        records, classroom = run_in_process(recipe, run, allowance)
        last = next(record.metrics for record in reversed(records) if "test_correct" in record.metrics)
        own = (int(last["test_correct"]), int(last["test_questions"]))
        student = classroom.checkpoint(recipe.learning.rounds)
    right = {name: examined(student, recipe, questions(data, name)) for name in SETS}
    if run is not None:
        shutil.rmtree(run)
    return Cell(arm.name if arm is not None else UNTAUGHT, seed, own, right)


def _file(folder: Path, arm: str, seed: int, ground: Ground, budget: Budget) -> Path:
    mark = stable_id(asdict(budget), Path(ground.student_name).name)[:8]
    return folder / "cells" / f"{arm}-{seed}-{mark}.json"


def read(file: Path) -> Cell:
    """Raises `DataError` for a file that is no cell."""
    try:
        return TypeAdapter(Cell).validate_python(read_json(file))
    except ValidationError as error:
        raise DataError(str(file), "no cell of this version", "move it elsewhere") from error


def write(cell: Cell, file: Path) -> None:
    with new_file(file) as part:
        part.write_text(json.dumps(asdict(cell), indent=1), encoding="utf-8")


def table(cells: Sequence[Cell]) -> str:
    """As Markdown, a row a cell, with the interval of each share; paper B's students below."""
    lines = [
        f"| student taught by | seed | generated stories % | {' | '.join(f'{name} %' for name in SETS)} |",
        f"|---|---|---|{'---|' * len(SETS)}",
    ]
    for cell in cells:
        shares = " | ".join(_share(*cell.right[name]) for name in SETS)
        lines.append(f"| {cell.arm} | {cell.seed} | {_share(*cell.own) if cell.own else '–'} | {shares} |")
    for place, size in enumerate(("0.3B", "6.7B")):
        figures = " | ".join(f"{PUBLISHED[name][place]:.2f}" for name in SETS)
        lines.append(f"| paper B, {size}, Fine-tune-CoT on the set itself | – | – | {figures} |")
    return "\n".join(lines)


def _share(right: int, of: int) -> str:
    interval = wilson(right, of)
    return f"{100 * right / of:.1f} ({right}/{of}) [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds datasets/ and splits/")
    parser.add_argument("--student", help="another student: a folder, a GGUF file or a hub id")
    parser.add_argument("--arms", nargs="+", default=[UNTAUGHT, "fine-tune-cot-1", "plain-missed"])
    parser.add_argument("--seeds", type=count, default=1)
    parser.add_argument("--dollars", type=amount, default=GROUNDS["arithmetic"].dollars[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--table-only", action="store_true")
    asked = parser.parse_args()
    ground, budget = GROUNDS["arithmetic"].taught_to(asked.student), Budget(asked.dollars)
    arms: dict[str, Arm | None] = {UNTAUGHT: None, **{arm.name: arm for arm in ARMS if not arm.random_questions}}
    if unknown := [name for name in asked.arms if name not in arms]:
        parser.error(f"no such arm: {', '.join(unknown)}; there are {', '.join(arms)}")
    files = {
        (name, seed): _file(asked.folder, name, seed, ground, budget)
        for seed in range(asked.seeds)
        for name in dict.fromkeys(asked.arms)
    }
    todo = {cell: file for cell, file in files.items() if not file.exists()} if not asked.table_only else {}
    try:
        cells = {cell: read(file) for cell, file in files.items() if file.exists()}
        for name in SETS if todo else ():
            questions(asked.data, name)
    except DataError as error:
        sys.exit(str(error))
    if todo:
        refuse_student(ARMS[1].recipe(0, ground))
    for (name, seed), file in todo.items():
        cells[name, seed] = run_cell(arms[name], seed, ground, budget, asked.data.resolve(), asked.folder)
        write(cells[name, seed], file)
    if not cells:
        sys.exit(f"No cell of these arms at {budget.name} is finished in {asked.folder}")
    print(table([cells[cell] for cell in files if cell in cells]))


if __name__ == "__main__":
    main()
