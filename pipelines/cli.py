"""The command line: `tailor init | run | fine-tune-cot | estimate | doctor | eval | grade | serve | report | import |
export`; `tailor submit | status | logs | stop` are in `pipelines.run.jobs.cli`, `tailor journal` in
`pipelines.journal.cli`.

Owns: arguments. Exit codes: 0 done, 1 the run stopped (resumable), 2 bad input (nothing was started), 130 interrupted;
how an error becomes one of them, and a line for the user, is `pipelines.errors`.

Invariant: nothing heavy is imported before a command needs it, so `tailor --help` answers immediately.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines import fine_tune_cot, tailored
from pipelines.errors import told_plainly
from pipelines.grading import GraderName
from pipelines.journal import cli as journal_cli
from pipelines.recipe.init import init
from pipelines.run.jobs import cli as jobs_cli
from pipelines.run.options import (
    DataOption,
    NameOption,
    ProbeOption,
    RunArgument,
    SeedOption,
    StorageOption,
    run_folder,
)
from reasoning.exchange.formats import ExportFormat, Format
from reasoning.exchange.paper_b_finetune import Platform
from reasoning.grading.paper_grader import Template
from reasoning.records import Split

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Teach a small language model to reason by asking a teacher only what it still gets wrong.",
)
console = Console()
app.add_typer(journal_cli.app, name="journal")
app.command()(init)

app.command("run")(tailored.command)
app.command("fine-tune-cot")(fine_tune_cot.command)
app.command()(jobs_cli.submit)
app.command()(jobs_cli.status)
app.command()(jobs_cli.logs)
app.command()(jobs_cli.stop)


@app.command()
def estimate(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file, of either kind of run.")],
    data: DataOption = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Questions to ask the teacher as a sample; 0 sends and writes nothing.")
    ] = 8,
    missed: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of an exam's questions that the student misses.")
    ] = None,
    name: NameOption = None,
    storage: StorageOption = None,
    seed: SeedOption = None,
    probe: ProbeOption = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Estimate a run's calls, tokens and cost before it starts, from a small sample that the run reuses."""
    with told_plainly():
        from pipelines.estimate.command import estimate as tell
        from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_any_recipe

        chosen = load_any_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
        if missed is not None and isinstance(chosen, FineTuneCotRecipe):
            raise typer.BadParameter("Fine-tune-CoT has no exam to learn from", param_hint="--missed")
        tell(chosen, str(recipe), sample, missed, json, console, probe)


@app.command()
def doctor(
    recipe: Annotated[
        Path | None, typer.Argument(help="The recipe, of either kind of run; without one, the machines alone.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster to look at, instead of the recipe's.", metavar="ADDRESS")
    ] = None,
    data: DataOption = None,
    probe: ProbeOption = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Check a recipe and the machines it is to run on, as each run does first. Exit code 1: it would fail."""
    from pipelines.run.doctor.command import doctor as examine

    raise typer.Exit(examine(recipe, data, address, json, probe, console))


@app.command("eval")
def evaluate(
    target: Annotated[
        Path,
        typer.Argument(
            parser=run_folder, help="A run's folder or address, or a recipe (its student before any training)."
        ),
    ],
    data: DataOption = None,
    split: Annotated[Split, typer.Option(help="Which questions.")] = Split.TEST,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many questions.")] = None,
    round: Annotated[int | None, typer.Option(help="Of a run: this round, instead of the best one.")] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Attempts per question; if more than 1, sampled as in an exam.")
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

        evaluate_target(target, data, split, limit, round, samples, out, prompt, console)


@app.command()
def serve(
    directory: RunArgument,
    round: Annotated[int | None, typer.Option(help="Serve this round, instead of the best one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="GPUs per replica; default: as many as a sampler had.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the served model; default: the run's name.")] = None,
) -> None:
    """Serve a run's student with an OpenAI-compatible endpoint, until interrupted."""
    with told_plainly():
        from pipelines.serving import serve_run

        serve_run(directory, round, host, port, replicas, gpus, name, console)


@app.command()
def report(directory: RunArgument) -> None:
    """Rewrite a run's report.html and print its table of rounds."""
    with told_plainly():
        from pipelines.report.tables import degrees_table, rounds_table
        from pipelines.report.tailored import write_report
        from pipelines.run.storage import store_again
        from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
        from reasoning.rounds.directory import RunDirectory
        from reasoning.rounds.phase_order import best_round

        if is_cot_directory(directory):
            from pipelines.report.fine_tune_cot import write_cot_report

            path = write_cot_report(CotDirectory(directory))
            store_again(path)
            console.print(degrees_table(CotDirectory(directory).degrees()))
            console.print(f"Report: {path}", soft_wrap=True)
            return
        run_directory = RunDirectory(directory)
        path = write_report(run_directory)
        store_again(path)
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
    format: Annotated[Format | None, typer.Option(help="The file's format; default: seen from its content.")] = None,
    data: DataOption = None,
    model: Annotated[str, typer.Option(help="Who wrote the rationales, where the file does not say.")] = "",
    round: Annotated[int, typer.Option(min=0, help="The round that the records belong to.")] = 0,
    keep_truncated: Annotated[
        bool, typer.Option("--keep-truncated", help="Also import texts that were cut off at the token limit.")
    ] = False,
) -> None:
    """Read what others published or paid for: rationales and mistakes in the two papers' formats."""
    with told_plainly():
        from pipelines.exchange.importing import import_file as read_in

        read_in(
            file,
            task,
            out,
            console,
            data=data,
            format=format,
            model=model,
            round=round,
            keep_truncated=keep_truncated,
        )


@app.command("export")
def export_run(
    directory: RunArgument,
    format: Annotated[ExportFormat, typer.Option(help="What to write.")],
    out: Annotated[Path, typer.Option(help="The file to write (b-dataset: a folder).")],
    round: Annotated[int | None, typer.Option(min=0, help="Up to this round, instead of the last one.")] = None,
    platform: Annotated[
        Platform | None, typer.Option(help="For b-finetune: the trainer that reads it; default: by the file's name.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Write a run's rationales, mistakes or attempts in one of the two papers' formats."""
    with told_plainly():
        from pipelines.exchange.exporting import export_run as write_out

        write_out(directory, format, out, console, round=round, data=data, platform=platform)


@app.command()
def grade(
    input: Annotated[
        Path,
        typer.Option(help="JSONL file with question, gold and completion on each line; finish_reason is optional."),
    ],
    task: Annotated[
        str | None, typer.Option(help="The task, which decides how answers are read: gsm8k, aqua, coin_flip, ...")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Instead of --task: a recipe, whose task decides it, with its own grader if any."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="Field to grade instead of completion; if repeated, the fields are joined in this order."),
    ] = None,
    grader: Annotated[
        GraderName,
        typer.Option(help="robust (finds answers in any form) or paper (exactly Fine-tune-CoT's rule)."),
    ] = GraderName.ROBUST,
    template: Annotated[
        Template | None, typer.Option(help="For --grader paper: how the questions were asked; default: zs_cot.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the verdict on every line to this JSONL file.")] = None,
    data: DataOption = None,
) -> None:
    """Grade completions and print one JSON line: task, n, and in per cent accuracy, contains_answer, correct_format and
    complete (finish_reason is "stop" or the like; null where no line has one)."""
    with told_plainly():
        import json
        from dataclasses import asdict

        from pipelines.grading import grade_file
        from reasoning.recipe.fine_tune_cot import load_any_recipe

        if (task is None) == (recipe is None):
            raise typer.BadParameter("give a task of the table, or --recipe for one of your own", param_hint="--task")
        wanted = task or load_any_recipe(recipe or Path(), data).task
        summary = grade_file(wanted, input, field or ["completion"], grader, template, out)
        typer.echo(json.dumps(asdict(summary)))
