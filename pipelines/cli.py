"""The command line: `tailor run | fine-tune-cot | estimate | eval | grade | serve | report | import | export`, and
`tailor journal` (`pipelines.journal.cli`).

Owns: arguments. Exit codes: 0 done, 1 the run stopped (resumable), 2 bad input (nothing was started), 130 interrupted;
how an error becomes one of them, and a line for a person, is `pipelines.errors`.

Invariant: nothing heavy is imported before a command needs it, so `tailor --help` answers at once.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from pipelines.errors import said, told_plainly
from pipelines.journal import cli as journal_cli

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Teach a small language model to reason by asking a teacher only what it still gets wrong.",
)
console = Console()
app.add_typer(journal_cli.app, name="journal")
Choice = TypeVar("Choice", bound=StrEnum)

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
        from reasoning.recipe.tailored import load_recipe

        chosen = load_recipe(recipe, _absolute(data)).replace(name=name, storage_path=storage, seed=seed)
        run_recipe(chosen, str(recipe), console)


@app.command("fine-tune-cot")
def fine_tune_cot(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    data: DataOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the run, instead of the recipe's.")] = None,
    storage: Annotated[str | None, typer.Option(help="Where runs are kept, instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the recipe's.")] = None,
) -> None:
    """Run Fine-tune-CoT from a recipe: rationales once, then one student a degree. The same command again resumes."""
    with told_plainly():
        from pipelines.fine_tune_cot import run as run_recipe
        from reasoning.recipe.fine_tune_cot import load_cot_recipe

        chosen = load_cot_recipe(recipe, _absolute(data)).replace(name=name, storage_path=storage, seed=seed)
        run_recipe(chosen, str(recipe), console)


@app.command()
def estimate(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file, of either kind of run.")],
    data: DataOption = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Questions to ask the teacher for it; 0 asks nobody and writes nothing.")
    ] = 8,
    missed: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of an exam's questions that the student misses.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run, instead of the recipe's.")] = None,
    storage: Annotated[str | None, typer.Option(help="Where runs are kept, instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the recipe's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Tell the calls, tokens and cost of a run before it starts, from a small sample that the run goes on with."""
    with told_plainly():
        from pipelines.estimate.command import estimate as tell
        from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_any_recipe

        chosen = load_any_recipe(recipe, _absolute(data)).replace(name=name, storage_path=storage, seed=seed)
        if missed is not None and isinstance(chosen, FineTuneCotRecipe):
            raise typer.BadParameter("Fine-tune-CoT sits no exam to learn from", param_hint="--missed")
        tell(chosen, str(recipe), sample, missed, json, console)


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
        str | None,
        typer.Option(help="Ask in this form (zero_shot, zero_shot_cot, ... or a file), not the student's own."),
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
        from pipelines.report.tailored import write_report
        from pipelines.run.live import rounds_table
        from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
        from reasoning.rounds.directory import RunDirectory
        from reasoning.rounds.order import best_round

        if is_cot_directory(directory):
            from pipelines.fine_tune_cot import degrees_table
            from pipelines.report.fine_tune_cot import write_cot_report

            path = write_cot_report(CotDirectory(directory))
            console.print(degrees_table(CotDirectory(directory).degrees()))
            console.print(f"Report: {path}", soft_wrap=True)
            return
        run_directory = RunDirectory(directory)
        path = write_report(run_directory)
        records = run_directory.finished()
        console.print(rounds_table(records, best_round(records)))
        console.print(f"Report: {path}", soft_wrap=True)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A published file: rationales, mistakes, completions, prompts.")],
    task: Annotated[str, typer.Option(help="A recipe, a run's folder, or the name of a task.")],
    out: Annotated[
        Path, typer.Option(help="What to write: .jsonl a recorded teacher, .parquet a table, .yaml, .json.")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="a-rationales, a-mistakes, b-completions, b-finetune, b-prompts, b-dataset, recorded; default: seen."
        ),
    ] = None,
    data: DataOption = None,
    model: Annotated[str, typer.Option(help="Who wrote the rationales, where the file does not say.")] = "",
    round: Annotated[int, typer.Option(min=0, help="The round that the records belong to.")] = 0,
    keep_truncated: Annotated[
        bool, typer.Option("--keep-truncated", help="Also take what was cut off at its limit of tokens.")
    ] = False,
) -> None:
    """Read what others published or paid for: rationales and mistakes in both papers' formats."""
    with told_plainly():
        from pipelines.exchange.importing import import_file as read_in
        from reasoning.exchange.formats import Format

        if format is not None and format not in set(Format):
            raise typer.BadParameter(f"{format} is no format; there are {', '.join(Format)}", param_hint="--format")
        read_in(
            file,
            task,
            out,
            console,
            data=_absolute(data),
            format=Format(format) if format else None,
            model=model,
            round=round,
            keep_truncated=keep_truncated,
        )


@app.command("export")
def export_run(
    directory: Annotated[Path, typer.Argument(help="A run's folder.")],
    format: Annotated[
        str,
        typer.Option(help="a-rationales, a-mistakes, b-completions, b-attempts, b-finetune, b-dataset or recorded."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write (b-dataset: a folder).")],
    round: Annotated[int | None, typer.Option(min=0, help="Up to this round, instead of the last one.")] = None,
    platform: Annotated[
        str | None, typer.Option(help="b-finetune: openai, decoder or encoder_decoder; default: by the file's name.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Write a run's rationales, mistakes or attempts in one of both papers' formats."""
    with told_plainly():
        from pipelines.exchange.exporting import EXPORTS
        from pipelines.exchange.exporting import export_run as write_out
        from reasoning.exchange.paper_b_finetune import Platform

        if format not in EXPORTS:
            raise typer.BadParameter(f"{format} is no format; there are {', '.join(EXPORTS)}", param_hint="--format")
        if platform is not None and platform not in set(Platform):
            raise typer.BadParameter(f"{platform} is none of {', '.join(Platform)}", param_hint="--platform")
        trainer = Platform(platform) if platform else None
        write_out(directory, format, out, console, round=round, data=_absolute(data), platform=trainer)


@app.command()
def grade(
    input: Annotated[
        Path,
        typer.Option(help="JSONL file: question, gold and completion on each line; finish_reason where it is known."),
    ],
    task: Annotated[str, typer.Option(help="The task, which says how answers are read: gsm8k, aqua, coin_flip, ...")],
    field: Annotated[
        list[str] | None,
        typer.Option(help="Field to grade, instead of completion. Several are joined as they stand, in this order."),
    ] = None,
    grader: Annotated[
        str, typer.Option(help="robust (answers in every dress) or paper (the rule of Fine-tune-CoT to the letter).")
    ] = "robust",
    template: Annotated[
        str | None,
        typer.Option(help="Of the grader paper: how it was asked, zs_cot (default), ft_cot_token, fs_cot, ..."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the verdict on every line to this JSONL file.")] = None,
) -> None:
    """Grade completions and print one JSON line: task, n, and in per cent accuracy, contains_answer, correct_format and
    complete (finish_reason is "stop"; null where no line has one)."""
    with told_plainly():
        import json
        from dataclasses import asdict

        from pipelines.grading import GraderName, GradingError, grade_file
        from reasoning.files.data_error import DataError
        from reasoning.grading.paper_grader import Template

        chosen = _one_of(GraderName, grader, "--grader")
        asked = _one_of(Template, template, "--template") if template is not None else None
        try:
            summary = grade_file(task, input, field or ["completion"], chosen, asked, out)
        except (DataError, GradingError) as error:
            raise said(error, 2) from error
        typer.echo(json.dumps(asdict(summary)))


def _one_of(kind: type[Choice], name: str, option: str) -> Choice:
    if name not in set(kind):
        raise typer.BadParameter(f"there is no {name!r}; there are {', '.join(kind)}", param_hint=option)
    return kind(name)


def _absolute(folder: Path | None) -> Path | None:
    return folder.expanduser().resolve() if folder else None
