"""The command line: `tailor init | run | fine-tune-cot | estimate | doctor | eval | grade | report | import |
export`; `tailor submit | status | logs | stop` are in `pipelines.run.jobs.cli`, `tailor serve | promote |
served | rollback` in `pipelines.serving.cli`, `tailor journal` in `pipelines.journal.cli`.

Owns: arguments. What all commands have alike (errors, exit codes, `--json`, the end of the help) is
`pipelines.command_line`.

Invariant: nothing heavy is imported before a command needs it, so `tailor --help` answers immediately.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines import fine_tune_cot, tailored
from pipelines.command_line.answer import Answer, plain
from pipelines.command_line.app import VERSION, CommandLine
from pipelines.command_line.app import version as installed_version
from pipelines.command_line.console import plain_console
from pipelines.journal import cli as journal_cli
from pipelines.recipe.init import init
from pipelines.run.jobs import cli as jobs_cli
from pipelines.run.options import (
    DataOption,
    GraderName,
    HarnessRoute,
    NameOption,
    ProbeOption,
    RunArgument,
    SeedOption,
    StorageOption,
    run_argument,
    run_folder,
)
from pipelines.serving import cli as serving_cli
from reasoning.exchange.formats import ExportFormat, Format
from reasoning.exchange.paper_b_finetune import Platform
from reasoning.grading.paper_grader import Template
from reasoning.records import Split

app = CommandLine(
    no_args_is_help=True,
    help="Teach a small language model to reason by asking a teacher only what it still gets wrong.",
    epilog="Begin with: [bold]tailor init my-run.yaml --data questions.jsonl[/bold]\n\n"
    "Every command has --help with an example, and --json for programs (docs/command_line.md).\n\n"
    "Exit codes: 0 done, 1 stopped (resumable), or a check that failed, 2 bad input (nothing was "
    "started), 130 interrupted.",
)
console = plain_console()


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tailor {installed_version()}")
        raise typer.Exit()


@app.callback()
def tailor(
    version: Annotated[
        bool, typer.Option(VERSION, callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_CLUSTERS, _SERVING = "docs/clusters.md", "docs/serving.md"
app.add(init, example="tailor init my-run.yaml --data questions.jsonl", more="docs/tasks.md, docs/recipe.md")
app.add(tailored.command, name="run", example="tailor run my-run.yaml", more="README.md, docs/recipe.md")
app.add(
    fine_tune_cot.command,
    name="fine-tune-cot",
    example="tailor fine-tune-cot recipes/fine_tune_cot.yaml",
    more="docs/papers/fine_tune_cot.md",
)
app.add(jobs_cli.submit, example="tailor submit my-run.yaml --address http://127.0.0.1:8265", more=_CLUSTERS)
app.add(jobs_cli.status, example="tailor status my-run", more=_CLUSTERS)
app.add(jobs_cli.logs, example="tailor logs my-run", more=_CLUSTERS)
app.add(jobs_cli.stop, example="tailor stop my-run", more=_CLUSTERS)
app.add(serving_cli.serve, example="tailor serve runs/my-run --port 8000", more=_SERVING)
app.add(serving_cli.promote, example="tailor promote runs/my-run", more=_SERVING)
app.add(serving_cli.served, example="tailor served my-run", more=_SERVING)
app.add(serving_cli.rollback, example="tailor rollback my-run", more=_SERVING)


@app.added(example="tailor estimate my-run.yaml --sample 8", more="docs/teacher.md")
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
) -> Answer:
    """Estimate a run's calls, tokens and cost before it starts, from a small sample that the run reuses."""
    from pipelines.estimate.command import estimate as find_out
    from pipelines.estimate.view import as_json, show
    from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_any_recipe

    chosen = load_any_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
    if missed is not None and isinstance(chosen, FineTuneCotRecipe):
        raise typer.BadParameter("Fine-tune-CoT has no exam to learn from", param_hint="--missed")
    found = find_out(chosen, str(recipe), sample, missed, console, probe)
    return Answer(as_json(found), lambda console: show(found, console))


@app.added(example="tailor doctor my-run.yaml", more="docs/clusters.md")
def doctor(
    recipe: Annotated[
        Path | None, typer.Argument(help="The recipe, of either kind of run; without one, the machines alone.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster to look at, instead of the recipe's.", metavar="ADDRESS")
    ] = None,
    data: DataOption = None,
    probe: ProbeOption = True,
) -> Answer:
    """Check a recipe and the machines it is to run on, as each run does first. Exit code 1: it would fail."""
    from pipelines.run.doctor.command import doctor as examine

    return examine(recipe, data, address, probe)


@app.added(name="eval", example="tailor eval runs/my-run --limit 200", more="docs/grading.md")
def evaluate(
    target: Annotated[
        Path,
        typer.Argument(
            parser=run_folder,
            metavar="RUN_OR_RECIPE",
            help="A run's folder or address, or a recipe (its student before any training).",
        ),
    ],
    data: DataOption = None,
    split: Annotated[Split, typer.Option(help="Which questions.")] = Split.TEST,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many questions.")] = None,
    round: Annotated[int | None, typer.Option(help="Of a run: this round, instead of the best one.")] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Attempts per question; if more than 1, sampled as in an exam.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Write every attempt to this Parquet file, or what lm-eval found to this JSON file."),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Ask in this form (zero_shot, zero_shot_cot, ... or a file), not the student's own."),
    ] = None,
    harness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK", help="Ask lm-eval's tasks instead: names, patterns, or a task's file; repeatable."
        ),
    ] = None,
    route: Annotated[
        HarnessRoute | None,
        typer.Option(help="Of --harness: chat (the default) finds the question in it, completions are asked as sent."),
    ] = None,
    shots: Annotated[
        int | None, typer.Option(min=0, help="Of --harness by completions: examples before each question.")
    ] = None,
) -> Answer:
    """Let a student sit an exam and grade it; or have lm-eval ask it, through a server of its own."""
    if harness:
        from pipelines.grading.harness import evaluate_by_harness

        if samples > 1 or split is not Split.TEST:
            raise typer.BadParameter(
                "a task of lm-eval says itself what is asked and how often", param_hint="--harness"
            )
        way = route or HarnessRoute.CHAT
        return evaluate_by_harness(
            target, harness, way, console, data=data, limit=limit, shots=shots, round=round, prompt=prompt, out=out
        ).answer()
    if route is not None or shots is not None:
        raise typer.BadParameter("only tasks of lm-eval have it: add --harness TASK", param_hint="--route or --shots")
    from pipelines.grading.exam import evaluate as evaluate_target

    return evaluate_target(target, data, split, limit, round, samples, out, prompt, console).answer()


@app.added(example="tailor report runs/my-run runs/another --out comparison.html", more="docs/watching.md")
def report(
    runs: Annotated[
        list[Path],
        run_argument("A run's folder or address; several to compare, the others with the first.", "RUN"),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Of several runs: the page to write. Default: comparison.html.")
    ] = None,
) -> Answer:
    """Rewrite a run's report.html and print its table of rounds; or compare several runs on a page of their own."""
    from pipelines.journal.view import spent_by
    from pipelines.report.command import compare
    from pipelines.report.command import report as write
    from pipelines.run.storage import store_again

    if len(runs) > 1:
        return compare(runs, out or Path("comparison.html"), spent_by)
    if out is not None:
        raise typer.BadParameter("a run's own report is in its folder; --out is for several runs", param_hint="--out")
    return write(runs[0], store_again, spent_by)


@app.added(
    name="import",
    example="tailor import rationales.json --task my-run.yaml --out recorded.jsonl",
    more="docs/papers/exchange.md",
)
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
) -> Answer:
    """Read what others published or paid for: rationales and mistakes in the two papers' formats."""
    from pipelines.exchange.importing import import_file as read_in

    return Answer(
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
    )


@app.added(
    name="export",
    example="tailor export runs/my-run --format recorded --out recorded.jsonl",
    more="docs/papers/exchange.md",
)
def export_run(
    directory: RunArgument,
    format: Annotated[ExportFormat, typer.Option(help="What to write.")],
    out: Annotated[Path, typer.Option(help="The file to write (b-dataset, model, dataset, adapter: a folder).")],
    round: Annotated[int | None, typer.Option(min=0, help="Up to this round, instead of the last one.")] = None,
    platform: Annotated[
        Platform | None, typer.Option(help="For b-finetune: the trainer that reads it; default: by the file's name.")
    ] = None,
    data: DataOption = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Of a model or dataset: push it to this repository of the hub."),
    ] = None,
    private: Annotated[bool, typer.Option("--private/--public", help="A new repository's visibility.")] = True,
    llama_cpp: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Of gguf: llama.cpp's sources, whose converter writes it.")
    ] = None,
) -> Answer:
    """Write a run's rationales, mistakes or attempts in the two papers' formats, or its student and its rationales as
    folders with cards for the Hugging Face Hub, the adapter that it was taught with, or the student as a GGUF file."""
    from pipelines.exchange.exporting import export_run as write_out

    return Answer(
        write_out(
            directory,
            format,
            out,
            console,
            round=round,
            data=data,
            platform=platform,
            push=push,
            private=private,
            llama_cpp=llama_cpp,
        )
    )


@app.added(example="tailor grade --task gsm8k --input completions.jsonl", more="docs/grading.md")
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
) -> Answer:
    """Grade completions and print one JSON line: task, n, and in per cent accuracy, contains_answer, correct_format and
    complete (finish_reason is "stop" or the like; null where no line has one)."""
    from pipelines.grading.completions import grade_file
    from reasoning.recipe.fine_tune_cot import load_any_recipe

    if (task is None) == (recipe is None):
        raise typer.BadParameter("give a task of the table, or --recipe for one of your own", param_hint="--task")
    wanted = task or load_any_recipe(recipe or Path(), data).task
    summary = grade_file(wanted, input, field or ["completion"], grader, template, out)
    return Answer(summary, lambda _: typer.echo(json.dumps(plain(summary))))


app.add_typer(journal_cli.app, name="journal")
