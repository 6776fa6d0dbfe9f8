"""Is tailored learning better? The same teacher budget for every way to spend it, several seeds, one table.

    python -m bench.ablation [--seeds 5] [--dollars 0.01 0.02 0.04] [--workers 2] [--folder runs/ablation]
    python -m bench.ablation --table-only            # of the cells that are finished
    python -m bench.ablation --tokens-a-rationale    # of one, and of several in a request

An arm is a recipe. All start from the embedded student, draw from the same training questions, are taught by the same
offline teacher, and answer the same held-out questions greedily at the end; a seed changes questions, teacher and order
of training, alike for all arms. No test question chooses anything: the last student is the one that counts.

The budget is dollars at a stated price list, `--price input cached output`, in dollars for a million tokens: 1, 0.5 and
4 unless it is said otherwise. The offline teacher counts the tokens; none is cached, since its prompts are shorter than
what providers cache (from 1,024 tokens on). `--teacher-tokens` gives the budget in tokens instead, prompts and
completions alike. A loop spends an equal share in each round, unless its arm says otherwise. What the student costs is
told beside it: the tokens it samples in exams, the tokens and steps it trains. Training makes as many passes in every
arm, so that one with more examples (its own, which cost no teacher) trains more.

Every finished cell (an arm at a seed and a budget) is a file in the folder; the same command again does the rest. No
Ray: phases, prompts, filters, batches and objectives are those of every run, see `reasoning.rounds.in_process`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

from reasoning.files.durable import new_file
from reasoning.grading.intervals import mean_interval
from reasoning.offline.teacher import OfflineTeacher
from reasoning.offline.word_tokens import count_tokens
from reasoning.prompts.student_forms import student_completion
from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.recipe.tailored import Recipe, parse_recipe
from reasoning.records import Mistake, Problem, Split, stable_id
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.requests import Query, RequestBuilder
from reasoning.tasks.families import FAMILIES, problems

ROUNDS = 2
REFERENCE = "fine-tune-cot-1"

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
    first_share: float | None = None  # of the budget, for round 0
    random_questions: bool = False

    def recipe(self, seed: int) -> Recipe:
        content: dict[str, Any] = {key: dict(value) for key, value in _BASE.items()}
        for section, changes in self.other.items():
            content[section] = {**content.get(section, {}), **changes}
        content |= {"name": f"{self.name}-{seed}", "seed": seed, "learning": self.learning}
        return parse_recipe(json.dumps(content), f"arm {self.name}")


def _once(epochs: int = 20, **learning: Any) -> dict[str, Any]:
    """Learns once, from all that the budget buys."""
    training = {**_TRAINING, "epochs": epochs}
    return {"rounds": 0, "first_questions": 1200, "first_training": training, **learning}


def _loop(**learning: Any) -> dict[str, Any]:
    """Learns in three rounds, and rehearses: a rationale of the first is seen three times as often as one of the last,
    and as often on the average as where all is learnt at once."""
    exam = {"questions": 150, "samples": 4}
    training = {**_TRAINING, "epochs": 10}
    return {
        **{"rounds": ROUNDS, "first_questions": 1200, "rehearsal": 1.0, "exam": exam, "self_reflection": False},
        **{"first_training": training, "training": training},
        **learning,
    }


_TRIPLET = {"rationales_per_mistake": 2, "self_reflection": True}  # a triplet needs another right one
_SHARED = {"teacher": {"first_prompt": "plain_shared", "feedback_prompt": "tailored_shared"}}
_NEW = {"per_mistake": 2, "answers": 3, "agreement": 3}
_NO_TEACHER = {"plain": False, "tailored": False, "new_questions": False}
_IN_ORDER = {"teacher_tokens": 10**9}  # the arm's budget ends it; this one has it spent in the order of the ladder


def _guessing(share: float) -> dict[str, Any]:
    return {**_IN_ORDER, "guessable_share": share}


ARMS = (
    Arm("label-only", "the answers of all training questions, no teacher", _once(6), {"student": {"prompt": "label"}}),
    Arm("fine-tune-cot-1", "one plain rationale a question", _once(), {}),
    Arm("fine-tune-cot-4", "four plain rationales a question", _once(first_rationales=4), {}),
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
)


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


def run_cell(arm: Arm, seed: int, budget: Budget, folder: Path) -> Cell:
    """Runs one cell from its beginning; its run directory is removed when it is done."""
    import torch

    from reasoning.rounds.in_process import Allowance, InProcessClassroom, run_in_process
    from reasoning.teacher.prices import Price

    class RandomQuestions(InProcessClassroom):
        """Asks about a random question in the place of each that was missed."""

        @property
        def requests(self) -> RequestBuilder:
            return _OfRandomQuestions(self.recipe, self.prompts, self.data.train, self.train_by_id)

    torch.set_num_threads(1)
    run = folder / "running" / f"{arm.name}-{seed}-{budget.name}"
    shutil.rmtree(run, ignore_errors=True)
    started = time.monotonic()
    per_million = Price(budget.price[0], budget.price[2], cached=budget.price[1])
    price = per_million if budget.dollars is not None else None
    allowance = Allowance(budget.tokens, budget.dollars, price, arm.first_share)
    kind = RandomQuestions if arm.random_questions else InProcessClassroom
    records, classroom = run_in_process(arm.recipe(seed), run, allowance, kind)
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


def finished(folder: Path, budget: Budget) -> dict[tuple[str, int], Cell]:
    """The cells of `budget` that are in `folder`."""
    cells: dict[tuple[str, int], Cell] = {}
    for file in sorted(folder.glob("cells/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.pop("budget") != json.loads(json.dumps(asdict(budget))):
            continue
        cell = Cell(**{**content, "accuracy": tuple(content["accuracy"])})
        cells[cell.arm, cell.seed] = cell
    return cells


def keep(cell: Cell, folder: Path, budget: Budget) -> None:
    """Files a finished cell, whole or not at all."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    mark = stable_id(asdict(budget))[:8]
    with new_file(folder / "cells" / f"{cell.arm}-{cell.seed}-{mark}.json") as part:
        part.write_text(json.dumps({"budget": asdict(budget), **asdict(cell)}, indent=1), encoding="utf-8")


def run_all(
    arms: Sequence[Arm], seeds: int, budgets: Sequence[Budget], workers: int, folder: Path, at_most: int | None = None
) -> None:
    """Runs what is not finished (`at_most` so many cells), seed by seed, `workers` at a time."""
    done = {budget: finished(folder, budget) for budget in budgets}
    todo = [
        (arm, seed, budget)
        for seed in range(seeds)
        for budget in budgets
        for arm in arms
        if (arm.name, seed) not in done[budget]
    ][:at_most]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run_cell, *one, folder): one[2] for one in todo}
        for number, future in enumerate(as_completed(futures), 1):
            cell, budget = future.result(), futures[future]
            keep(cell, folder, budget)
            by_round = " -> ".join(f"{100 * accuracy:.1f}" for accuracy in cell.accuracy)
            what = f"{cell.arm}, seed {cell.seed}, {budget.name}"
            print(f"{number}/{len(todo)}  {what}: {by_round} %  ({cell.seconds:.0f} s)", flush=True)


def table(arms: Sequence[Arm], cells: Sequence[Cell], budget: Budget) -> str:
    """The results as Markdown: mean and 95 % interval over seeds, and the difference to `REFERENCE`, paired by seed."""
    by_arm = {arm.name: {cell.seed: cell for cell in cells if cell.arm == arm.name} for arm in arms}
    lines = [
        f"| arm | what it is | seeds | test accuracy % | 95 % interval | against {REFERENCE}, points | 95 % interval "
        "| $ | teacher tokens | its rationales | own | sampled tokens | trained tokens | steps |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        mine = by_arm[arm.name]
        if not mine:
            continue
        accuracies = [100 * cell.accuracy[-1] for cell in mine.values()]
        other = by_arm.get(REFERENCE, {})
        both = [100 * (mine[seed].accuracy[-1] - other[seed].accuracy[-1]) for seed in mine if seed in other]
        against = f"{mean(both):+.1f} | {_bounds(both)}" if both and arm.name != REFERENCE else "– | –"
        dollars = mean(budget.cost(cell.prompts, cell.completions) for cell in mine.values())
        tokens = mean(cell.prompts + cell.completions for cell in mine.values())
        counted = " | ".join(
            f"{mean(getattr(cell, name) for cell in mine.values()):,.0f}"
            for name in ("kept", "own", "sampled", "trained", "steps")
        )
        lines.append(
            f"| {arm.name} | {arm.says} | {len(mine)} | {mean(accuracies):.1f} | {_bounds(accuracies)} | {against} "
            f"| {dollars:.4f} | {tokens:,.0f} | {counted} |"
        )
    return "\n".join(lines)


def tokens_a_rationale(sizes: Sequence[int] = (1, 2, 4, 8), count: int = 240) -> str:
    """As Markdown: the offline teacher's tokens for each rationale, alone and so many in a request, on coin-flip
    questions; for tailored ones the student has made one wrong step in each."""
    lines = [
        "| prompt | questions in a request | prompt | completion | in all | at 1 : 4 |",
        "|---|---|---|---|---|---|",
    ]
    asked = _mistakes(count)
    for name, k in [(kind, k) for kind in ("plain", "tailored") for k in (0, *sizes)]:
        words = teacher_prompt(f"{name}_shared" if k else name)
        prompts = completions = 0
        for start in range(0, count, max(k, 1)):
            group = asked[start : start + max(k, 1)]
            messages = words.together(group) if k > 1 else words.first(*group[0])
            content = messages[-1][1]
            (text,) = OfflineTeacher().complete(content, 1, 0.7, 0)
            prompts, completions = prompts + count_tokens(content), completions + count_tokens(text)
        each = [
            prompts / count,
            completions / count,
            (prompts + completions) / count,
            (prompts + 4 * completions) / count,
        ]
        told = " | ".join(f"{tokens:.0f}" for tokens in each)
        lines.append(f"| `{name}{'_shared' if k else ''}` | {k or 1} | {told} |")
    return "\n".join(lines)


def _mistakes(count: int) -> list[tuple[Problem, Mistake]]:
    family = FAMILIES["coin_flip"]
    asked = []
    for problem in problems(family, 0, Split.TRAIN, count):
        worked = family.corrupt(problem.question, random.Random(problem.id))
        asked.append((problem, Mistake(problem.id, 1, student_completion(worked.text, worked.answer).strip(), "")))
    return asked


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
    parser.add_argument("--dollars", type=float, nargs="+", default=[0.01, 0.02, 0.04])
    parser.add_argument("--price", type=float, nargs=3, default=(1.0, 0.5, 4.0), metavar=("INPUT", "CACHED", "OUTPUT"))
    parser.add_argument("--teacher-tokens", type=int, nargs="+", default=None, help="budgets in tokens, not dollars")
    parser.add_argument("--workers", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--at-most", type=int, default=None, help="stop after so many cells")
    parser.add_argument("--folder", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--arms", nargs="*", choices=[arm.name for arm in ARMS], default=[arm.name for arm in ARMS])
    parser.add_argument("--plot", type=Path, default=None, help="write the last budget's plot here (.svg or .png)")
    parser.add_argument("--table-only", action="store_true")
    parser.add_argument("--tokens-a-rationale", action="store_true")
    asked = parser.parse_args()
    if asked.tokens_a_rationale:
        print(tokens_a_rationale())
        return
    arms = [arm for arm in ARMS if arm.name in asked.arms]
    price = tuple(asked.price)
    tokens = asked.teacher_tokens or []
    budgets = [Budget(None, one, price) for one in tokens] or [Budget(one, None, price) for one in asked.dollars]
    if not asked.table_only:
        run_all(arms, asked.seeds, budgets, asked.workers, asked.folder, asked.at_most)
    for budget in budgets:
        cells = list(finished(asked.folder, budget).values())
        print(f"\n{budget.name}\n\n{table(arms, cells, budget)}")
        if asked.plot is not None:
            plot(arms, cells, asked.plot)


if __name__ == "__main__":
    main()
