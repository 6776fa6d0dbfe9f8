"""The command line: `tailor run | eval | serve | report`.

Owns: arguments, exit codes, and the one place where an error becomes a line for a person. Exit codes: 0 done, 1 the run
stopped (resumable), 2 bad input (nothing was started), 130 interrupted.

Invariant: nothing heavy is imported before a command needs it, so `tailor --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Teach a small language model to reason by asking a teacher only what it still gets wrong.",
)
console = Console()
errors = Console(stderr=True)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="TAILOR_DATA", help="Folder that ${DATA} stands for in a recipe."),
]


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    data: DataOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the run, instead of the recipe's.")] = None,
    storage: Annotated[str | None, typer.Option(help="Where runs are kept, instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the recipe's.")] = None,
) -> None:
    """Run tailored learning from a recipe. The same command again resumes."""
    with told_plainly():
        from pipelines.tailored import run as run_recipe
        from reasoning.recipe import load_recipe

        chosen = load_recipe(recipe, _absolute(data)).replace(name=name, storage_path=storage, seed=seed)
        run_recipe(chosen, str(recipe), console)


@app.command("eval")
def evaluate(
    target: Annotated[Path, typer.Argument(help="A run's folder, or a recipe (its student before any training).")],
    data: DataOption = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many questions.")] = None,
    round: Annotated[int | None, typer.Option(help="Of a run: this round, instead of the best one.")] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Attempts a question; more than one samples as an exam does.")
    ] = 1,
    out: Annotated[Path | None, typer.Option(help="Write every attempt to this Parquet file.")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Ask in this form (zero_shot, zero_shot_cot, ... or a file), not the student's own.")
    ] = None,
) -> None:
    """Let a student sit an exam and grade it."""
    with told_plainly():
        from pipelines.evaluation import evaluate as evaluate_target
        from reasoning.records import Split

        if split not in set(Split):
            raise typer.BadParameter(f"{split} is no split; there are train, validation and test", param_hint="--split")
        evaluate_target(target, _absolute(data), Split(split), limit, round, samples, out, prompt, console)


@app.command()
def serve(
    directory: Annotated[Path, typer.Argument(help="A run's folder.")],
    round: Annotated[int | None, typer.Option(help="Serve this round, instead of the best one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs a replica.")] = 0.0,
    name: Annotated[str | None, typer.Option(help="Name of the served model; default: the run's name.")] = None,
) -> None:
    """Serve a run's student with an OpenAI-compatible endpoint, until interrupted."""
    with told_plainly():
        from pipelines.serving import serve_run

        serve_run(directory, round, host, port, replicas, gpus, name, console)


@app.command()
def report(directory: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Write a run's report.html anew and print its table of rounds."""
    with told_plainly():
        from pipelines.live import rounds_table
        from pipelines.report import write_report
        from reasoning.rounds import best_round
        from reasoning.run_directory import RunDirectory

        run_directory = RunDirectory(directory)
        path = write_report(run_directory)
        records = run_directory.finished()
        console.print(rounds_table(records, best_round(records)))
        console.print(f"Report: {path}", soft_wrap=True)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns the project's own errors into one message and an exit code; anything else shows its trace."""
    from reasoning.recipe import RecipeError
    from reasoning.run_directory import RunDirectoryError

    try:
        yield
    except (RecipeError, RunDirectoryError) as error:
        raise _said(error, 2) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        for kind, code in _project_errors():
            if isinstance(error, kind):
                raise _said(error, code) from error
        raise


def _project_errors() -> list[tuple[type[Exception], int]]:
    from pipelines.cluster import ClusterError
    from pipelines.preflight import PreflightError
    from pipelines.tailored import RunFailed

    return [(PreflightError, 2), (ClusterError, 2), (RunFailed, 1)]


def _said(error: Exception, code: int) -> typer.Exit:
    errors.print(f"[red]error:[/red] {_escaped(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(code)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _absolute(folder: Path | None) -> Path | None:
    return folder.expanduser().resolve() if folder else None
