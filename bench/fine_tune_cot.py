"""Fine-tune-CoT on three published sets with a real teacher's recorded answers: accuracy by epoch, beside the paper's.

    python -m bench.fine_tune_cot --data DIR [--seeds 3] [--folder runs/bench-fine-tune-cot] [--out docs/results]
    python -m bench.fine_tune_cot --data DIR --table-only     # of what is finished
    python -m bench.fine_tune_cot --data DIR --student FOLDER --epochs 5 --max-new-tokens 256     # a pretrained one

DIR holds datasets/, splits/ and recorded_teacher/. The student is the embedded one (1.3 million parameters) unless
`--student` names another, the teacher text-davinci-002's published answers, one a question (so the degree is 1), the
test questions are paper B's test split, repeated ones counted as often as the set has them. Beside it labels alone.
Settings are paper B's, but for the epoch: validation, a tenth of train, chooses it, and test accuracy is only reported.

Every set at every seed is a run directory of Fine-tune-CoT in the folder; the same command goes on where it was, epoch
by epoch. No Ray: the steps are those of every run, see `reasoning.rounds.in_process`. With --out the figures and a plot
are written there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from bench.refusals import count, refuse_student
from pipelines.report.epoch_plot import finish, plot_epochs
from pipelines.report.page import COLOURS
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.fine_tune_cot.phases import do, work_left
from reasoning.grading.answers import answer_of_reply, same_answer
from reasoning.grading.intervals import wilson
from reasoning.grading.paper_grader import Template, paper_grade
from reasoning.offline.teacher import RecordedTeacher, UnrecordedQuestionError, read_recordings
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, parse_cot_recipe
from reasoning.recipe.tailored import Recipe, RecipeError
from reasoning.records import Attempt, Problem
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.epochs import EpochAccuracy, best_epoch, read_epochs
from reasoning.rounds.in_process import InProcessClassroom
from reasoning.rounds.phase_order import Finished, Phase
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherRequest

ARMS = {1: "Fine-tune-CoT", 0: "labels alone"}
TEMPLATES = {1: Template.FT_COT_TOKEN, 0: Template.FT_TOKEN}


@dataclass(frozen=True, slots=True)
class Published:
    """Paper B's figures for one set, per cent (test sets; the teacher on all questions): its teacher (175B), students
    of 6.7B taught by labels, by Fine-tune-CoT and with diverse rationales, one of 0.3B taught by Fine-tune-CoT."""

    task: str
    teacher: float
    labels_6_7b: float
    cot_6_7b: float
    diverse_6_7b: float
    cot_0_3b: float


PUBLISHED = (
    Published("multiarith", 78.79, 15.00, 33.33, 53.33, 6.11),
    Published("coin_flip", 90.04, 72.00, 98.67, 100.0, 99.33),
    Published("date_understanding", 67.58, 14.41, 60.36, 83.78, 17.12),
)


class RecordedClassroom(InProcessClassroom):
    """The teacher's answers are looked up."""

    def __init__(self, recipe: Recipe, directory: RunDirectory, data: TaskData, recorded: Path) -> None:
        super().__init__(recipe, directory, data)
        self._teacher = RecordedTeacher(recorded)

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        try:
            return await super().ask(request, first=first)
        except UnrecordedQuestionError as error:
            return TeacherFailure(request.key, FailureKind.BAD_REQUEST, str(error), 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs from paper B's settings; None is the paper's, and of `student` the embedded one."""

    student: str | None = None
    learning_rate: float | None = None
    epochs: int | None = None
    max_new_tokens: int | None = None
    dtype: str | None = None
    degrees: tuple[int, ...] = tuple(sorted(ARMS))

    @property
    def training(self) -> dict[str, float]:
        named = {"learning_rate": self.learning_rate, "epochs": self.epochs}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def of_student(self) -> dict[str, Any]:
        named = {"model": self.student, "max_new_tokens": self.max_new_tokens, "dtype": self.dtype}
        return {name: value for name, value in named.items() if value is not None}

    def run_name(self, task: str, seed: int) -> str:
        """Runs that differ stand apart."""
        parts = [task, str(seed)]
        parts += [f"{self.learning_rate:g}"] if self.learning_rate is not None else []
        parts += [f"epochs{self.epochs}"] if self.epochs is not None else []
        parts += [f"tokens{self.max_new_tokens}"] if self.max_new_tokens is not None else []
        parts += [self.dtype] if self.dtype is not None else []
        parts += [re.sub(r"[^A-Za-z0-9._-]", "_", Path(self.student).name)] if self.student is not None else []
        return "-".join(parts)


PAPER = Settings()


def recipe(task: str, data: Path, seed: int, settings: Settings = PAPER) -> FineTuneCotRecipe:
    """Paper B's settings on one set, but for what `settings` say."""
    content = {
        "name": settings.run_name(task, seed),
        "seed": seed,
        "task": {
            "name": task,
            "source": "file",
            "path": str(data / "datasets" / f"{task}.json"),
            "splits": str(data / "splits" / f"{task}__default.json"),
            "repeated": "keep",
        },
        "teacher": {"kind": "recorded", "recorded": str(data / "recorded_teacher" / f"{task}.jsonl")},
        "fine_tuning": {"degrees": list(settings.degrees), "training": settings.training},
    }
    if settings.of_student:
        content["student"] = settings.of_student
    return parse_cot_recipe(json.dumps(content), task)


def run(wanted: FineTuneCotRecipe, folder: Path) -> None:
    """Takes one run to its end, from wherever its directory stands."""
    directory = CotDirectory(folder / wanted.name)
    directory.claim(wanted)
    if isinstance(work_left(wanted, directory), Finished):
        return
    shared = wanted.at_degree(wanted.fine_tuning.collected)
    data = load_problems(wanted.task, wanted.seed)
    classroom = RecordedClassroom(shared, directory.collection, data, Path(wanted.teacher.recorded or ""))

    async def to_the_end() -> None:
        while not isinstance(work := work_left(wanted, directory), Finished):
            print(f"{wanted.name}: {work}", flush=True)
            await do(classroom, wanted, directory, work)

    asyncio.run(to_the_end())


@dataclass(frozen=True, slots=True)
class Cell:
    """One student of one seed: its accuracy by epoch, and after the chosen one by paper B's own rule."""

    seed: int
    degree: int
    learnt: int
    epochs: tuple[EpochAccuracy, ...]
    right_by_paper: int

    @property
    def chosen(self) -> EpochAccuracy:
        return best_epoch(self.epochs)

    @property
    def by_test(self) -> EpochAccuracy:
        """What choosing the epoch by test accuracy, as paper B does, would report. Chooses nothing here."""
        return max(self.epochs, key=lambda one: one.test_correct)


def cells(wanted: FineTuneCotRecipe, folder: Path) -> list[Cell]:
    """The finished students of one run."""
    directory, found = CotDirectory(folder / wanted.name), []
    data = load_problems(wanted.task, wanted.seed)
    for degree in ARMS:
        files, done = directory.degree(degree).round(0), directory.degree(degree).finished()
        if any(record.phase is Phase.EVALUATE for record in done):
            epochs = read_epochs(files.epoch_accuracies)
            attempts = read_table(files.evaluation, Attempt)[len(data.validation) :]
            right = sum(
                paper_grade(attempt.text, problem.answer, problem.task, TEMPLATES[degree]).correct
                for problem, attempt in zip(data.test, attempts, strict=True)
            )
            learnt = next(record.metrics["examples"] for record in done if "examples" in record.metrics)
            found.append(Cell(wanted.seed, degree, int(learnt), tuple(epochs), right))
    return found


def teacher_on_test(wanted: FineTuneCotRecipe) -> tuple[int, int, int]:
    """Of the recorded answers to the test questions: how many there are, right by our rule, and by paper B's."""
    answers = {_spaced(r.question): r.answer_completion for r in read_recordings(Path(wanted.teacher.recorded or ""))}
    test = load_problems(wanted.task, wanted.seed).test
    known: list[tuple[Problem, str]] = [
        (p, answers[_spaced(p.question)]) for p in test if _spaced(p.question) in answers
    ]
    ours = sum(same_answer(answer_of_reply(said, p), p.answer, p.answer_kind) for p, said in known)
    return len(known), ours, sum(paper_grade(said, p.answer, p.task).correct for p, said in known)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def table(results: dict[str, list[Cell]], recipes: dict[str, FineTuneCotRecipe]) -> str:
    """What was measured, in Markdown: one row a student and seed, the teacher's on the same test questions first."""
    lines = [
        "| set | student | seed | examples | epoch | validation % | test % | 95 % interval | by the paper's rule | "
        "best by test |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task, found in results.items():
        known, ours, papers = teacher_on_test(recipes[task])
        by_paper = f"{100 * papers / known:.1f}" if known else "–"
        lines.append(
            f"| {task} | teacher, recorded | – | – | – | – | {_share(ours, known)} | {_bounds(ours, known)} | "
            f"{by_paper} | – |"
        )
        for cell in found:
            chosen = cell.chosen
            lines.append(
                f"| {task} | {ARMS[cell.degree]} | {cell.seed} | {cell.learnt} | {chosen.epoch} | "
                f"{100 * chosen.accuracy('validation'):.1f} | {_share(*chosen.correct('test'))} | "
                f"{_bounds(*chosen.correct('test'))} | {100 * cell.right_by_paper / chosen.test_questions:.1f} | "
                f"{100 * cell.by_test.accuracy('test'):.1f} |"
            )
    return "\n".join(lines)


def published_table() -> str:
    """Paper B's figures for the same sets, in Markdown."""
    lines = [
        "| set | teacher 175B | 6.7B labels alone | 6.7B Fine-tune-CoT | 6.7B diverse | 0.3B Fine-tune-CoT |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for p in PUBLISHED:
        figures = (p.teacher, p.labels_6_7b, p.cot_6_7b, p.diverse_6_7b, p.cot_0_3b)
        lines.append(f"| {p.task} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    return "\n".join(lines)


def _share(right: int, of: int) -> str:
    return f"{100 * right / of:.1f} ({right}/{of})" if of else "–"


def _bounds(right: int, of: int) -> str:
    interval = wilson(right, of)
    return f"{100 * interval.low:.1f} – {100 * interval.high:.1f}"


def plot(results: dict[str, list[Cell]], file: Path) -> None:
    """Test accuracy by epoch, a panel a set: seeds together, so that the band is of all their answers."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams["svg.hashsalt"] = "tailor"  # the same figures, the same file
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    panels = figure.subplots(1, len(PUBLISHED), sharey=True)
    for axes, published in zip(panels, PUBLISHED, strict=True):
        for degree, colour in zip(ARMS, COLOURS, strict=False):
            found = [cell for cell in results.get(published.task, []) if cell.degree == degree]
            if found:
                plot_epochs(axes, pooled(found), "test", colour, ARMS[degree])
        for value, style, name in (
            (published.cot_0_3b, "--", "paper, 0.3B Fine-tune-CoT"),
            (published.cot_6_7b, ":", "paper, 6.7B Fine-tune-CoT"),
        ):
            axes.axhline(value, color="#8a8f98", linewidth=1, linestyle=style, label=name)
        finish(axes, legend=axes is panels[0])
        axes.set_title(published.task, fontsize=10)
        if axes is not panels[0]:
            axes.set(ylabel="")
    with new_file(file) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})


def pooled(found: Sequence[Cell]) -> list[EpochAccuracy]:
    """The counts of several seeds together, epoch by epoch."""
    added = []
    for group in zip(*(cell.epochs for cell in found), strict=True):
        counts = [
            sum(getattr(one, name) for one in group)
            for name in ("validation_questions", "validation_correct", "test_questions", "test_correct")
        ]
        added.append(EpochAccuracy(group[0].epoch, *counts))
    return added


def refuse(wanted: Sequence[FineTuneCotRecipe], folder: Path) -> None:
    """Raises, or ends the command, where any of `wanted` cannot be run to its end."""
    for one in wanted:
        load_problems(one.task, one.seed)
        read_recordings(Path(one.teacher.recorded or ""))
    refuse_student(wanted[0].at_degree(wanted[0].fine_tuning.collected))
    for one in wanted:
        CotDirectory(folder / one.name).claim(one)


def write(results: dict[str, list[Cell]], out: Path) -> None:
    """The figures behind table and plot, and the plot."""
    with new_file(out / "fine_tune_cot.jsonl") as part, part.open("w", encoding="utf-8") as file:
        for task, found in results.items():
            for cell in found:
                counts = [[e.validation_correct, e.test_correct] for e in cell.epochs]
                questions = [cell.chosen.validation_questions, cell.chosen.test_questions]
                row = {"task": task, "student": ARMS[cell.degree], "seed": cell.seed, "examples": cell.learnt}
                file.write(json.dumps(row | {"questions": questions, "right_by_epoch": counts}) + "\n")
    plot(results, out / "fine_tune_cot.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds datasets/, splits/ and recorded_teacher/")
    parser.add_argument("--seeds", type=count, default=1)
    parser.add_argument("--student", help="another student: a folder, a GGUF file or a hub id")
    parser.add_argument("--learning-rate", type=float, help="another one than the paper's 3e-4")
    parser.add_argument("--epochs", type=int, help="fewer or more than the paper's 20")
    parser.add_argument("--max-new-tokens", type=int, help="the longest answer of the student (default: 1024)")
    parser.add_argument("--dtype", help="of the student (default: auto)")
    parser.add_argument(
        "--degrees", type=int, nargs="+", choices=list(ARMS), default=sorted(ARMS), help="0: labels alone"
    )
    sets = [published.task for published in PUBLISHED]
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-fine-tune-cot"))
    parser.add_argument("--out", type=Path, default=None, help="folder for the figures and the plot")
    parser.add_argument("--table-only", action="store_true")
    asked = parser.parse_args()
    disable_progress_bar()
    degrees = tuple(sorted(set(asked.degrees)))
    settings = Settings(asked.student, asked.learning_rate, asked.epochs, asked.max_new_tokens, asked.dtype, degrees)
    results: dict[str, list[Cell]] = {task: [] for task in asked.sets}
    try:
        wanted = [recipe(task, asked.data.resolve(), seed, settings) for seed in range(asked.seeds) for task in results]
        if not asked.table_only:
            refuse(wanted, asked.folder)
        for one in wanted:
            if not asked.table_only:
                run(one, asked.folder)
            results[one.task.name] += cells(one, asked.folder)
        told = table(results, {one.task.name: one for one in reversed(wanted)})
    except (RecipeError, DataError, RunDirectoryError) as error:
        sys.exit(str(error))
    print(told, published_table(), sep="\n\n")
    if asked.out is not None:
        write(results, asked.out)


if __name__ == "__main__":
    main()
