"""Tailor from Python: what the command line does, by the same names, for scripts and notebooks.

    import tailor

    run = tailor.run("my-run.yaml")          # runs, or goes on from where the run stands
    run = tailor.Run("runs/my-run")          # reads what is there, without starting anything
    run.frame()                              # a data frame: a row a round
    run.best.evaluation                      # a data frame: a row an answer

Owns: the functions, and that they work where an event loop is running already, as in a notebook. Each raises
`UserError` with the message that the command would have shown; `KeyboardInterrupt` stops a run in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoning.files.user_error import UserError
from tailor.arguments import check_least, check_share, one_of, run_of
from tailor.loops import outside_any_loop
from tailor.runs import Round, Run

if TYPE_CHECKING:
    from pipelines.grading.completions import Summary
    from pipelines.grading.exam import ExamResult
    from pipelines.grading.harness import HarnessResult
    from pipelines.run.doctor.checks import Check
    from reasoning.estimate.report import EstimateReport

__all__ = [
    "Round",
    "Run",
    "UserError",
    "compare",
    "doctor",
    "estimate",
    "evaluate",
    "grade",
    "harness",
    "report",
    "run",
]


def run(
    recipe: str | Path,
    *,
    data: str | Path | None = None,
    name: str | None = None,
    storage: str | None = None,
    seed: int | None = None,
    probe: bool = True,
) -> Run:
    """Runs a recipe of either kind to its end (`tailor run`, `tailor fine-tune-cot`), or goes on with it."""
    from pipelines.command_line.console import plain_console
    from pipelines.run import fine_tune_cot, tailored
    from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_any_recipe

    chosen = load_any_recipe(Path(recipe), _folder(data)).replace(name=name, storage_path=storage, seed=seed)

    def work() -> Path:
        if isinstance(chosen, FineTuneCotRecipe):
            return fine_tune_cot.run(chosen, str(recipe), plain_console(), probe).directory.path
        return tailored.run(chosen, str(recipe), plain_console(), probe).directory.path

    return Run(outside_any_loop(work))


def estimate(
    recipe: str | Path, *, data: str | Path | None = None, sample: int = 8, missed: float | None = None
) -> EstimateReport:
    """What a run has still to ask its teacher, and what that will cost (`tailor estimate`)."""
    check_least(0, sample=sample)
    check_share(missed=missed)
    from pipelines.command_line.console import plain_console
    from pipelines.estimate.command import estimate as find_out
    from reasoning.recipe.fine_tune_cot import load_any_recipe

    chosen = load_any_recipe(Path(recipe), _folder(data))
    return outside_any_loop(lambda: find_out(chosen, str(recipe), sample, missed, plain_console()))


def doctor(
    recipe: str | Path | None = None, *, data: str | Path | None = None, address: str | None = None, probe: bool = True
) -> list[Check]:
    """What is right and wrong with a recipe and the machines it is to run on (`tailor doctor`)."""
    from pipelines.run.doctor.command import examine

    chosen = None if recipe is None else Path(recipe)
    return outside_any_loop(lambda: examine(chosen, _folder(data), address, probe))


def evaluate(
    target: str | Path,
    *,
    data: str | Path | None = None,
    split: str = "test",
    limit: int | None = None,
    round: int | None = None,
    samples: int = 1,
    prompt: str | None = None,
) -> ExamResult:
    """Lets a run's student, or a recipe's untaught one, sit an exam (`tailor eval`)."""
    check_least(1, limit=limit, samples=samples)
    from pipelines.command_line.console import plain_console
    from pipelines.grading.exam import evaluate as examine
    from reasoning.records import Split

    which = one_of(Split, split=split)
    who = run_of(target)
    return outside_any_loop(
        lambda: examine(who, _folder(data), which, limit, round, samples, None, prompt, plain_console())
    )


def harness(
    target: str | Path,
    *tasks: str,
    route: str = "chat",
    limit: int | None = None,
    shots: int | None = None,
    data: str | Path | None = None,
    round: int | None = None,
    prompt: str | None = None,
    out: str | Path | None = None,
) -> HarnessResult:
    """Has lm-eval ask a run's student, or a recipe's untaught one, its tasks (`tailor eval --harness`)."""
    check_least(1, limit=limit, tasks=len(tasks))
    check_least(0, shots=shots)
    from pipelines.command_line.console import plain_console
    from pipelines.grading.harness import evaluate_by_harness
    from pipelines.run.options import HarnessRoute

    way = one_of(HarnessRoute, route=route)
    who = run_of(target)
    kept = None if out is None else Path(out)
    return outside_any_loop(
        lambda: evaluate_by_harness(
            who,
            tasks,
            way,
            plain_console(),
            data=_folder(data),
            limit=limit,
            shots=shots,
            round=round,
            prompt=prompt,
            out=kept,
        )
    )


def grade(task: str, completions: str | Path, *, fields: tuple[str, ...] = ("completion",)) -> Summary:
    """Grades a file of completions by a task's own rule (`tailor grade`)."""
    from pipelines.grading.completions import grade_file

    return grade_file(task, Path(completions), fields)


def report(run: str | Path | Run) -> Path:
    """Rewrites a run's report and returns its path (`tailor report`)."""
    from pipelines.journal.view import spent_by
    from pipelines.report.command import report as write
    from pipelines.run.storage import store_again

    folder = (run if isinstance(run, Run) else Run(run)).path
    write(folder, store_again, spent_by)
    return folder / "report.html"


def compare(*runs: str | Path | Run, out: str | Path = "comparison.html") -> Path:
    """Writes a page that compares runs with the first of them (`tailor report A B`), and returns its path."""
    check_least(2, runs=len(runs))
    from pipelines.journal.view import spent_by
    from pipelines.report.command import compare as write

    write([(one if isinstance(one, Run) else Run(one)).path for one in runs], Path(out), spent_by)
    return Path(out)


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("tailor")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _folder(data: str | Path | None) -> Path | None:
    return None if data is None else Path(data).expanduser().resolve()
