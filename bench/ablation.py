"""Is tailored learning better? The same teacher-token budget for every way to spend it, several seeds, one table.

    python -m bench.ablation [--seeds 5] [--teacher-tokens 45000] [--workers 2] [--folder runs/ablation]
    python -m bench.ablation --table-only            # of the cells that are finished

An arm is a recipe. All start from the embedded student, draw from the same training questions, are taught by the same
offline teacher, and answer the same held-out questions greedily at the end; a seed changes questions, teacher and order
of training, alike for all arms. The teacher's tokens are prompts and completions, counted as the offline teacher's API
does. A loop spends an equal share in each round. Training is about equal in tokens (a column says how much it was).
No test question chooses anything: the last student is the one that counts.

Every finished cell (an arm at a seed) is a file in the folder; the same command again does the rest. No Ray: phases,
prompts, filters, batches and objectives are those of every run, see `reasoning.rounds.in_process`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

from reasoning.files.durable import new_file
from reasoning.grading.intervals import mean_interval
from reasoning.recipe.tailored import Recipe, parse_recipe

ROUNDS = 2
REFERENCE = "tailored"

_BASE: dict[str, Any] = {
    "task": {"name": "coin_flip", "train": 1200, "validation": 50, "test": 300},
    "student": {"max_new_tokens": 128},
    "teacher": {"kind": "offline", "error_rate": 0.1, "max_in_flight": 1},
}
_TRAINING: dict[str, Any] = {"batch_size": 16, "learning_rate": 1.0e-3, "schedule": "cosine", "warmup_steps": 10}


@dataclass(frozen=True)
class Arm:
    """One way to spend the budget: `learning`, and what differs from the base of all arms in other sections."""

    name: str
    says: str
    learning: dict[str, Any]
    other: dict[str, dict[str, Any]]

    def recipe(self, seed: int) -> Recipe:
        content: dict[str, Any] = {key: dict(value) for key, value in _BASE.items()}
        for section, changes in self.other.items():
            content[section] = {**content.get(section, {}), **changes}
        content |= {"name": f"{self.name}-{seed}", "seed": seed, "learning": self.learning}
        return parse_recipe(json.dumps(content), f"arm {self.name}")


def _once(epochs: int, **learning: Any) -> dict[str, Any]:
    """Learns once, from all that the budget buys."""
    training = {**_TRAINING, "epochs": epochs}
    return {"rounds": 0, "first_questions": 1200, "first_training": training, **learning}


def _loop(**learning: Any) -> dict[str, Any]:
    """Learns in rounds; two rationales a mistake, for a triplet needs another right one."""
    exam = {"questions": 150, "samples": 4}
    training = {**_TRAINING, "epochs": 5}
    return {
        **{"rounds": ROUNDS, "first_questions": 1200, "rationales_per_mistake": 2, "rehearsal": 1.0, "exam": exam},
        **{"first_training": training, "training": training},
        **learning,
    }


_PLAIN = {"teacher": {"feedback_prompt": "plain"}}
_NEW = {"per_mistake": 2, "answers": 3, "agreement": 3}
ARMS = (
    Arm("label-only", "the answers of all training questions, no teacher", _once(6), {"student": {"prompt": "label"}}),
    Arm("fine-tune-cot-1", "one plain rationale a question", _once(8), {}),
    Arm("fine-tune-cot-8", "eight plain rationales a question", _once(8, first_rationales=8), {}),
    Arm("neither", "rounds, plain feedback, no self-reflection", _loop(self_reflection=False), _PLAIN),
    Arm("no-feedback", "rounds, plain feedback, self-reflection", _loop(), _PLAIN),
    Arm("no-self-reflection", "rounds, tailored feedback", _loop(self_reflection=False), {}),
    Arm("tailored", "rounds, tailored feedback, self-reflection", _loop(), {}),
    Arm(
        "new-questions",
        "tailored, and new questions for the mistakes",
        _loop(new_questions=_NEW, exam={"questions": 12, "samples": 4}),  # leaves them about half of a round's share
        {},
    ),
)


@dataclass(frozen=True)
class Cell:
    """What an arm came to at a seed. `accuracy` is on the test questions, by round; `trained` counts tokens of prompts
    and rationales over all passes, `teacher` the teacher's tokens."""

    arm: str
    seed: int
    accuracy: tuple[float, ...]
    questions: int
    teacher: int
    kept: int
    trained: int
    negatives: int
    new_questions: int
    seconds: float


def run_cell(arm: Arm, seed: int, teacher_tokens: int, folder: Path) -> Cell:
    """Runs one cell from its beginning; its run directory is removed when it is done."""
    import torch

    from reasoning.rounds.in_process import run_in_process

    torch.set_num_threads(1)
    run = folder / "running" / f"{arm.name}-{seed}"
    shutil.rmtree(run, ignore_errors=True)
    started = time.monotonic()
    records, spent = run_in_process(arm.recipe(seed), run, teacher_tokens)
    shutil.rmtree(run)

    def total(name: str) -> int:
        return sum(int(record.metrics.get(name, 0)) for record in records)

    tests = [record.metrics for record in records if "test_accuracy" in record.metrics]
    return Cell(
        arm=arm.name,
        seed=seed,
        accuracy=tuple(float(metrics["test_accuracy"]) for metrics in tests),
        questions=int(tests[-1]["test_questions"]),
        teacher=spent,
        kept=total("kept"),
        trained=total("tokens"),
        negatives=total("negatives"),
        new_questions=total("new_kept"),
        seconds=time.monotonic() - started,
    )


def finished(folder: Path, teacher_tokens: int) -> dict[tuple[str, int], Cell]:
    """The cells that are in `folder`. Exits when they were made with another budget."""
    cells: dict[tuple[str, int], Cell] = {}
    for file in sorted(folder.glob("cells/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.pop("teacher_tokens") != teacher_tokens:
            raise SystemExit(f"{file}: was made with another --teacher-tokens; give another --folder")
        cell = Cell(**{**content, "accuracy": tuple(content["accuracy"])})
        cells[cell.arm, cell.seed] = cell
    return cells


def keep(cell: Cell, folder: Path, teacher_tokens: int) -> None:
    """Files a finished cell, whole or not at all."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    with new_file(folder / "cells" / f"{cell.arm}-{cell.seed}.json") as part:
        part.write_text(json.dumps({"teacher_tokens": teacher_tokens, **asdict(cell)}, indent=1), encoding="utf-8")


def run_all(arms: Sequence[Arm], seeds: int, teacher_tokens: int, workers: int, folder: Path) -> None:
    """Runs what is not finished, seed by seed, `workers` cells at a time."""
    done = finished(folder, teacher_tokens)
    todo = [(arm, seed) for seed in range(seeds) for arm in arms if (arm.name, seed) not in done]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_cell, arm, seed, teacher_tokens, folder) for arm, seed in todo]
        for number, future in enumerate(as_completed(futures), 1):
            cell = future.result()
            keep(cell, folder, teacher_tokens)
            by_round = " -> ".join(f"{100 * accuracy:.1f}" for accuracy in cell.accuracy)
            print(
                f"{number}/{len(todo)}  {cell.arm}, seed {cell.seed}: {by_round} %  ({cell.seconds:.0f} s)", flush=True
            )


def table(arms: Sequence[Arm], cells: Sequence[Cell]) -> str:
    """The results as Markdown: mean and 95 % interval over seeds, and the difference to `REFERENCE`, paired by seed."""
    by_arm = {arm.name: {cell.seed: cell for cell in cells if cell.arm == arm.name} for arm in arms}
    lines = [
        "| arm | what it is | seeds | test accuracy % | 95 % interval | against tailored, points | 95 % interval "
        "| teacher tokens | rationales kept | trained tokens | new questions |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        mine = by_arm[arm.name]
        if not mine:
            continue
        accuracies = [100 * cell.accuracy[-1] for cell in mine.values()]
        other = by_arm.get(REFERENCE, {})
        both = [100 * (mine[seed].accuracy[-1] - other[seed].accuracy[-1]) for seed in mine if seed in other]
        against = f"{mean(both):+.1f} | {_bounds(both)}" if both and arm.name != REFERENCE else "– | –"
        counted = " | ".join(
            f"{mean(getattr(cell, name) for cell in mine.values()):,.0f}"
            for name in ("teacher", "kept", "trained", "new_questions")
        )
        lines.append(
            f"| {arm.name} | {arm.says} | {len(mine)} | {mean(accuracies):.1f} | {_bounds(accuracies)} | {against} "
            f"| {counted} |"
        )
    return "\n".join(lines)


def _bounds(values: Sequence[float]) -> str:
    interval = mean_interval(values)
    return f"{interval.low:.1f} – {interval.high:.1f}" if len(values) > 1 else "one seed"


def plot(arms: Sequence[Arm], cells: Sequence[Cell], path: Path) -> None:
    """Every seed as a dot, the mean with its interval, one row an arm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.5 * len(arms) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, arm in enumerate(reversed(arms)):
        values = [100 * cell.accuracy[-1] for cell in cells if cell.arm == arm.name]
        if not values:
            continue
        axes.plot(values, [row] * len(values), "o", color="0.7", markersize=4)
        interval = mean_interval(values)
        if len(values) > 1:
            axes.plot([interval.low, interval.high], [row, row], color="tab:blue", linewidth=2)
        axes.plot([mean(values)], [row], "D", color="tab:blue", markersize=6)
    axes.set_yticks(range(len(arms)), [arm.name for arm in reversed(arms)])
    axes.set_xlabel("test accuracy, % (dots: seeds; diamond and bar: mean and its 95 % interval)")
    axes.grid(axis="x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--teacher-tokens", type=int, default=45_000)
    parser.add_argument("--workers", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--folder", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--arms", nargs="*", choices=[arm.name for arm in ARMS], default=[arm.name for arm in ARMS])
    parser.add_argument("--plot", type=Path, default=None, help="write the plot here (.svg or .png)")
    parser.add_argument("--table-only", action="store_true")
    asked = parser.parse_args()
    arms = [arm for arm in ARMS if arm.name in asked.arms]
    if not asked.table_only:
        run_all(arms, asked.seeds, asked.teacher_tokens, asked.workers, asked.folder)
    cells = list(finished(asked.folder, asked.teacher_tokens).values())
    print(table(arms, cells))
    if asked.plot is not None:
        plot(arms, cells, asked.plot)


if __name__ == "__main__":
    main()
