"""Is tailored learning better? The same teacher budget for every way to spend it, several seeds, one table.

    python -m bench.ablation [--seeds 5] [--dollars 0.01 0.02 0.04] [--workers 2] [--folder runs/ablation]
    python -m bench.ablation --ground last-letters [--student FOLDER]    # SmolLM2, or another pretrained student
    python -m bench.ablation --table-only            # of the cells that are finished; with --curves FILE a plot
    python -m bench.ablation --table-only --by-round       # what each round brought, too
    python -m bench.ablation --table-only --against fine-tune-cot-1-long    # another arm to compare with
    python -m bench.ablation --table-only --dollars 0.04 0.08    # and for how much an arm comes to what another has
    python -m bench.ablation --tokens-a-rationale    # of one, and of several in a request

An arm is a recipe. All start from the ground's student (the embedded one, unless `--ground` or `--student` says
otherwise), draw from the same training questions, are taught by the same offline teacher, and answer the same held-out
questions greedily at the end; a seed changes questions, teacher and order of training, alike for all arms. No test
question chooses anything: the last student is the one that counts.

The budget is dollars at a stated price list, `--price input cached output`, in dollars for a million tokens: 1, 0.5 and
4 unless it is said otherwise. The offline teacher counts the tokens; none is cached, since its prompts are shorter than
what providers cache (from 1,024 tokens on). `--teacher-tokens` gives the budget in tokens instead, prompts and
completions alike. A loop spends an equal share in each round, unless its arm says otherwise. What the student costs is
told beside it: the tokens it samples in exams, the tokens and steps it trains. Training makes as many passes in every
arm, so that one with more examples (its own, which cost no teacher) trains more.

Every finished cell (an arm at a seed and a budget on a ground) is a file in the folder; the same command again does the
rest, after Ctrl-C, too. A cell that fails is told, and the others are run all the same. No Ray and no vLLM: phases,
prompts, filters, batches and objectives are those of every run, see `reasoning.rounds.in_process`. `--device cuda` has
students learn and answer on a GPU, in larger batches.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from bench.ablation.arms import ARMS, REFERENCE, Arm
from bench.ablation.cells import Budget, Cell, filed_cell, finished
from bench.ablation.grounds import GROUNDS, Ground
from bench.ablation.plots import curves, plot, plot_file
from bench.ablation.tables import by_round, over_budgets, table, tokens_a_rationale
from bench.refusals import amount, amount_or_none, count, count_or_none, no_device, refuse_student
from reasoning.files.data_error import DataError


def run_all(
    arms: Sequence[Arm],
    seeds: int,
    budgets: Sequence[Budget],
    workers: int,
    folder: Path,
    at_most: int | None = None,
    ground: Ground = GROUNDS["coin-flips"],
    device: str = "cpu",
) -> int:
    """Runs what is not finished (`at_most` so many cells), seed by seed, `workers` at a time on `device`, and files
    each. Returns how many failed. Raises `DataError` before any is run."""
    done = {budget: finished(folder, budget, ground) for budget in budgets}
    todo = [
        (arm, seed, budget)
        for seed in range(seeds)
        for budget in budgets
        for arm in arms
        if (arm.name, seed) not in done[budget]
    ][:at_most]
    if todo:
        refuse_student(arms[0].recipe(0, ground))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _end_by_interrupt)
    failed = 0
    try:
        futures = {pool.submit(filed_cell, *one, folder, ground, device): one for one in todo}
        for number, future in enumerate(as_completed(futures), 1):
            arm, seed, budget = futures[future]
            came_to = _told(future)
            failed += future.exception() is not None
            print(f"{number}/{len(todo)}  {arm.name}, seed {seed}, {budget.name}: {came_to}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def _end_by_interrupt() -> None:
    """Has Ctrl-C end a worker, who otherwise takes the next cell; not where the command ignores it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _told(future: Future[Cell]) -> str:
    """What a cell came to, in words. Raises what ended all of them."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    if error is not None:
        traceback.print_exception(error)
        return f"failed: {error}"
    cell = future.result()
    return f"{' -> '.join(f'{100 * accuracy:.1f}' for accuracy in cell.accuracy)} %  ({cell.seconds:.0f} s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=count, default=5)
    parser.add_argument("--ground", choices=GROUNDS, default="coin-flips", help="which task and student")
    parser.add_argument("--student", help="another student: a folder, a GGUF file or a hub id")
    spent = parser.add_mutually_exclusive_group()
    spent.add_argument("--dollars", type=amount, nargs="+", help="budgets. Default: what suits the ground")
    spent.add_argument("--teacher-tokens", type=count, nargs="+", default=None, help="budgets in tokens, not dollars")
    price = ("INPUT", "CACHED", "OUTPUT")
    parser.add_argument("--price", type=amount_or_none, nargs=3, default=(1.0, 0.5, 4.0), metavar=price)
    parser.add_argument("--workers", type=count, default=2, help="cells at a time, one thread each")
    parser.add_argument("--device", default="cpu", help="where students learn and answer: cpu, cuda, cuda:1")
    parser.add_argument("--at-most", type=count_or_none, default=None, help="stop after so many cells")
    parser.add_argument("--folder", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--arms", nargs="+", choices=[arm.name for arm in ARMS], default=[arm.name for arm in ARMS])
    parser.add_argument("--against", choices=[arm.name for arm in ARMS], default=REFERENCE, help="compared with")
    parser.add_argument("--plot", type=plot_file, default=None, help="write the last budget's plot here (.svg or .png)")
    parser.add_argument("--curves", type=plot_file, default=None, help="write accuracy over the budgets here, likewise")
    parser.add_argument("--table-only", action="store_true")
    parser.add_argument("--by-round", action="store_true", help="a table of what each round brought, too")
    parser.add_argument("--tokens-a-rationale", action="store_true")
    asked = parser.parse_args()
    if asked.tokens_a_rationale:
        print(tokens_a_rationale())
        return
    arms = [arm for arm in ARMS if arm.name in asked.arms]
    ground = GROUNDS[asked.ground].taught_to(asked.student)
    budgets = budgets_of(asked, ground)
    if asked.curves is not None and len(budgets) < 2:
        parser.error("--curves are over budgets: give two or more")
    if not asked.table_only and (problem := no_device(asked.device)):
        parser.error(problem)
    failed = 0
    try:
        if not asked.table_only:
            failed = run_all(
                arms, asked.seeds, budgets, asked.workers, asked.folder, asked.at_most, ground, asked.device
            )
        found = {budget: list(finished(asked.folder, budget, ground).values()) for budget in budgets}
    except DataError as error:
        sys.exit(str(error))
    except BrokenProcessPool:
        sys.exit("A cell's process was ended, mostly for want of memory: the same command with fewer --workers goes on")
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command goes on with the cells that are not finished")
    show(asked, arms, found)
    if failed:
        sys.exit(f"{failed} cells failed: the same command tries them again")


def budgets_of(asked: argparse.Namespace, ground: Ground) -> list[Budget]:
    """The budgets that are asked for, each once."""
    price = tuple(asked.price)
    if asked.teacher_tokens:
        return [Budget(None, tokens, price) for tokens in dict.fromkeys(asked.teacher_tokens)]
    return [Budget(dollars, None, price) for dollars in dict.fromkeys(asked.dollars or ground.dollars)]


def show(asked: argparse.Namespace, arms: Sequence[Arm], found: dict[Budget, list[Cell]]) -> None:
    """The tables and plots of the cells that are finished. Ends the command where none is."""
    if not any(cell.arm in asked.arms for cells in found.values() for cell in cells):
        budgets = ", ".join(budget.name for budget in found)
        sys.exit(f"No cell of {asked.ground} at {budgets} is finished in {asked.folder}")
    for budget, cells in found.items():
        print(f"\n{budget.name}\n\n{table(arms, cells, budget, asked.against)}")
        if asked.by_round:
            print(f"\n{by_round(arms, cells)}")
        if asked.plot is not None:
            plot(arms, cells, asked.plot)
    if len(found) > 1:
        print(f"\n{over_budgets(arms, found, asked.against)}")
    if asked.curves is not None:
        curves(arms, found, asked.curves)


if __name__ == "__main__":
    main()
