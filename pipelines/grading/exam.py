"""An exam on its own: a student answers a split's questions and is graded, outside any run.

Owns: `tailor eval`, but for `--harness` (`pipelines.grading.harness`). The student is a run's (a round's checkpoint) or
a recipe's (before any training).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipelines.command_line.answer import Answer
from pipelines.errors import Refused
from pipelines.run.cluster import capacity, connect
from pipelines.run.preflight import check
from pipelines.serving.graduate import graduate_of
from reasoning.files.data_error import DataError
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.grading.intervals import wilson
from reasoning.prompts.student_forms import StudentForm, is_chat
from reasoning.recipe.fine_tune_cot import load_any_recipe
from reasoning.recipe.tailored import Recipe
from reasoning.records import Attempt, Problem, Split, Verdict
from reasoning.rounds.directory import RunDirectoryError
from reasoning.tasks.loading import TaskData


@dataclass(frozen=True, slots=True)
class Examinee:
    """Who sits the exam: a checkpoint (folder or hub id), what it is called, and the recipe it belongs to."""

    recipe: Recipe
    origin: str
    checkpoint: str
    name: str


def examinee(target: Path, data: Path | None, round: int | None, prompt: str | None = None) -> Examinee:
    """Reads `target`, a run's folder or a recipe file. The student is asked in its own form, or in that of `prompt` (a
    name in `library/student`, or a path)."""
    who = _who(target, data, round)
    if prompt is None:
        return who
    student = who.recipe.student.model_copy(update={"prompt": prompt})
    student = student if is_chat(prompt) else student.asked_plainly(prompt)
    return replace(who, recipe=who.recipe.model_copy(update={"student": student}))


def _who(target: Path, data: Path | None, round: int | None) -> Examinee:
    if target.is_dir():
        directory = student_directory(target.resolve())
        graduate = graduate_of(directory, round)
        name = f"{graduate.name}, round {graduate.round}"
        return Examinee(directory.recipe(), str(directory.recipe_file), str(graduate.checkpoint), name)
    if not target.exists():
        raise RunDirectoryError(f"{target}: neither a run's folder nor a recipe is there")
    recipe = load_any_recipe(target, data)
    if not isinstance(recipe, Recipe):
        recipe = recipe.at_degree(recipe.fine_tuning.collected)
    return Examinee(recipe, str(target), recipe.student.source, f"{recipe.student.model}, untaught")


def evaluate(
    target: Path,
    data: Path | None,
    split: Split,
    limit: int | None,
    round: int | None,
    samples: int,
    out: Path | None,
    prompt: str | None,
    console: Console,
) -> ExamResult:
    """Grades the student on the first `limit` questions of `split`: greedily, or `samples` sampled attempts each, asked
    in its own form or in that of `prompt`."""
    who = examinee(target, data, round, prompt)

    def asked(data: TaskData) -> list[Problem]:
        return list(getattr(data, split))[:limit]

    checked = check(who.recipe, who.origin, capacity(who.recipe.cluster.address), teacher=False, asked=asked)
    refuse_without_rows(who)
    problems = asked(checked.data)
    if not problems:
        cure = "use --split test, or give a task with training questions"
        raise DataError(f"task {who.recipe.task.name}", f"no {split} questions", cure)
    console.print(f"{who.name}: {len(problems)} {split} questions of {who.recipe.task.name}", soft_wrap=True)
    connect(who.recipe.cluster.address)
    attempts = asyncio.run(_sit(who, problems, samples, checked.prompts.form, console))
    if out is not None:
        from reasoning.files.tables import write_table

        write_table(out, attempts, Attempt)
    return ExamResult(who, split, len(problems), attempts, out)


def refuse_without_rows(who: Examinee) -> None:
    """An untaught student whose table of embeddings is yet to grow cannot read the tokens that it is grown for. Raises
    `Refused`."""
    if who.checkpoint != who.recipe.student.source or not who.recipe.student.grow_embeddings:
        return
    from reasoning.student.loading import load_config, load_tokenizer
    from reasoning.student.requirements import rows_needed

    rows = load_config(who.checkpoint).get_text_config(decoder=True).vocab_size
    needed = rows_needed(load_tokenizer(who.checkpoint))
    if needed > rows:
        raise Refused(
            f"{who.origin}: student.model: the untaught student has {rows} rows of embeddings for {needed} tokens, and "
            "gets the others (student.grow_embeddings) when it is first taught. Evaluate the run that taught it"
        )


async def _sit(
    who: Examinee, problems: list[Problem], samples: int, form: StudentForm, console: Console
) -> list[Attempt]:
    from actors.sampler.start import start_samplers
    from actors.sampler.sync import bring_to, probe_prompts
    from reasoning.rounds.asking import ask_student
    from reasoning.rounds.classroom import gather_all
    from reasoning.rounds.evaluation import graded_attempt
    from reasoning.student.sampling import Sampling
    from reasoning.tasks.loading import spec_of

    exam = who.recipe.learning.exam
    sampling = Sampling(
        samples=samples,
        temperature=exam.temperature if samples > 1 else 0.0,
        top_p=exam.top_p if samples > 1 else 1.0,
        max_new_tokens=who.recipe.student.max_new_tokens or spec_of(who.recipe.task).max_new_tokens,
        seed=who.recipe.seed if samples > 1 else None,
        stop=(),
    )
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("starting the sampler", total=len(problems))
        pool = await start_samplers(who.recipe)
        try:
            answering = await bring_to(pool, "evaluated", who.checkpoint, probe_prompts(form, problems))
            progress.update(bar, description="answering")

            async def sit(problem: Problem) -> list[Attempt]:
                completions = await ask_student(answering, form, problem.question, sampling)
                progress.advance(bar)
                return [graded_attempt(problem, 0, i, completion) for i, completion in enumerate(completions)]

            groups = await gather_all(sit(problem) for problem in problems)
        finally:
            await pool.shutdown()
    return [attempt for group in groups for attempt in group]


@dataclass(frozen=True, slots=True)
class ExamResult:
    """An exam that was graded: all `attempts` at `questions` questions of a split, and where they were written."""

    who: Examinee
    split: Split
    questions: int
    attempts: list[Attempt]
    out: Path | None

    def answer(self) -> Answer:
        """Counts, and accuracy with its 95 % interval, as shares."""
        count = {verdict: sum(attempt.verdict is verdict for attempt in self.attempts) for verdict in Verdict}
        interval = wilson(count[Verdict.CORRECT], len(self.attempts))
        document = {
            "student": self.who.name,
            "checkpoint": self.who.checkpoint,
            "task": self.who.recipe.task.name,
            "split": self.split,
            "questions": self.questions,
            "attempts": len(self.attempts),
            **{str(verdict): count[verdict] for verdict in Verdict},
            "accuracy": count[Verdict.CORRECT] / len(self.attempts) if self.attempts else 0.0,
            "low": interval.low,
            "high": interval.high,
            "out": self.out,
        }
        return Answer(document, lambda console: console.print(_table(self.attempts)))


def _table(attempts: list[Attempt]) -> Table:
    table = Table(title="Exam", title_justify="left")
    for heading in ("attempts", "correct", "accuracy % [95 % interval]", "wrong", "no answer", "truncated"):
        table.add_column(heading, justify="right")
    count = {verdict: sum(attempt.verdict is verdict for attempt in attempts) for verdict in Verdict}
    interval = wilson(count[Verdict.CORRECT], len(attempts))
    accuracy = 100 * count[Verdict.CORRECT] / len(attempts) if attempts else 0.0
    table.add_row(
        str(len(attempts)),
        str(count[Verdict.CORRECT]),
        f"{accuracy:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]",
        str(count[Verdict.WRONG]),
        str(count[Verdict.NO_ANSWER]),
        str(count[Verdict.TRUNCATED]),
    )
    return table
