"""`tailor import`: from a published file to a run's examples.

The run here is this process: its teacher is the recorded teacher itself, without the server around it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from reasoning.files.tables import read_table
from reasoning.offline.teacher import RecordedTeacher, UnrecordedQuestionError
from reasoning.prompts.demonstrations import read_demonstrations
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Example, Mistake, Rationale
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phases import select_examples
from reasoning.rounds.progress import Progress
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from tests.pipelines.exchange.commands import other, paid_for, recipe, said, task
from tests.reasoning.exchange.samples import completion, completion_file, write


class Session(TeacherSession):
    """A run whose teacher is a recorded one."""

    recorded: RecordedTeacher

    async def ask(self, request: TeacherRequest, *, first: bool) -> TeacherReply | TeacherFailure:
        try:
            (text,) = self.recorded.complete(request.messages[-1][1], 1, request.temperature, request.sample)
        except UnrecordedQuestionError as error:
            return TeacherFailure(request.key, FailureKind.BAD_REQUEST, str(error), 1)
        return TeacherReply(request.key, text, "stop", 1, 1, request.model)


@pytest.mark.parametrize("prompt", ["plain", "zero_shot_cot"])
def test_what_was_paid_for_teaches_a_run_without_asking_anyone(prompt: str, tmp_path: Path) -> None:
    """From paper B's file through `tailor import` and a recipe to the examples of round 0."""
    recorded = tmp_path / "recorded.jsonl"
    path = recipe(tmp_path, recorded, prompt)
    code, output = said("import", paid_for(tmp_path), "--task", path, "--out", recorded)
    assert code == 0, output
    assert "read as b-completions" in output
    assert "12 entries left out that are about test questions." in output
    assert "36 recordings of 12 questions of coin_flip" in output
    chosen = parse_recipe(path.read_text(encoding="utf-8"), str(path))
    data = load_problems(chosen.task, chosen.seed)
    session = Session(chosen, RunDirectory(tmp_path / "run"), data, run_prompts(chosen), Progress())
    session.recorded = RecordedTeacher(recorded)
    session.files(0).folder.mkdir(parents=True)

    async def round_0() -> None:
        metrics = await feedback(session, 0)
        assert (metrics["asked"], metrics["kept"], metrics["filtered_out"]) == (36, 24, 12)
        await select_examples(session, 0)

    asyncio.run(round_0())
    examples = read_table(session.files(0).examples, Example)
    assert len(examples) == 12
    assert all(len(example.positives) == 2 for example in examples)
    answers = {problem.id: problem.answer for problem in data.train}
    for example in examples:
        expected = [f" Way {i} to it.\nAnswer: {answers[example.problem_id]}" for i in (0, 2)]
        assert sorted(example.positives) == expected


def test_a_table_of_rationales_keeps_who_wrote_them(tmp_path: Path) -> None:
    out = tmp_path / "rationales.parquet"
    code, output = said("import", paid_for(tmp_path), "--task", recipe(tmp_path, tmp_path / "r.jsonl"), "--out", out)
    assert code == 0 and "36 rationales, 24 of them right, of coin_flip" in output
    rationales = read_table(out, Rationale)
    assert {(one.model, one.prompt) for one in rationales} == {("text-davinci-002", "zs_cot")}
    assert {one.sample for one in rationales} == {0, 1, 2}


def test_mistakes_become_a_table_of_their_round(tmp_path: Path) -> None:
    problem = task(tmp_path).train[0]
    file = write(tmp_path / "coin.student.round1.json", {problem.question: [f"So.\nAnswer: {other(problem.answer)}"]})
    out = tmp_path / "mistakes.parquet"
    arguments = ("--task", recipe(tmp_path, tmp_path / "r.jsonl"), "--out", out, "--round", 2)
    code, output = said("import", file, *arguments)
    assert code == 0 and "1 mistakes of coin_flip" in output
    (one,) = read_table(out, Mistake)
    assert (one.problem_id, one.round, one.prediction) == (problem.id, 2, other(problem.answer))


def test_few_shot_prompts_become_demonstrations(tmp_path: Path) -> None:
    file = write(tmp_path / "p.json", {"coin_flip": {"prompt": "Q: Heads up?\nA: It was flipped. The answer is no."}})
    out = tmp_path / "demos.yaml"
    code, output = said("import", file, "--task", "coin_flip", "--out", out)
    assert code == 0 and "1 demonstrations for coin_flip" in output
    assert read_demonstrations(out)[0].answer == "no"
    assert said("import", file, "--task", "coin_flip", "--out", tmp_path / "x.jsonl")[0] == 2


def test_a_data_set_in_its_own_wording_becomes_a_tasks_file(tmp_path: Path) -> None:
    asked = (
        "Today is 1/2/2020. What is the date {}?\nWhich choice is true? Answer choices: (A) 01/01/2020, (B) 01/03/2020."
    )
    rows = [asked.format(f"{i} days after yesterday") for i in range(10)]
    samples = {i: [completion(i, question, "B", " It is.", " B.")] for i, question in enumerate(rows)}
    file = completion_file(tmp_path / "D_date_understanding.json", samples, dataset_key="date_understanding")
    code, output = said("import", file, "--task", "date_understanding", "--out", tmp_path / "date.json")
    assert code == 0 and "10 questions" in output
    path = tmp_path / "recipe.yaml"
    section = {"name": "date_understanding", "source": "file", "path": str(tmp_path / "date.json")}
    path.write_text(yaml.safe_dump({"task": section}), encoding="utf-8")
    code, output = said("import", file, "--task", path, "--out", tmp_path / "recorded.jsonl")
    assert code == 0 and "7 recordings of 7 questions" in output and "3 entries left out that are about test" in output
    del samples[3]
    file = completion_file(tmp_path / "part.json", samples)
    code, output = said("import", file, "--task", "date_understanding", "--out", tmp_path / "date.json")
    assert code == 2 and "no completion of sample 3" in output


@pytest.mark.parametrize(
    ("name", "content", "arguments", "expected"),
    [
        ("x.json", b'{"q": ["a"', (), ("x.json, line 1", "malformed JSON")),
        ("x.json", b'{"q":\n ["\xff"]}', (), ("x.json, line 2", "UTF-8")),
        ("x.json", b'{"q": ["a"]}', (), ("--format a-rationales or --format a-mistakes",)),
        ("x.json", b'{"q": ["a"]}', ("--format", "c-rationales"), ("is not one of", "b-completions")),
        (
            "train.round1.json",
            b'{"Who are you?": ["a"]}',
            (),
            ("nothing in it", "line 1", "not a question of this task"),
        ),
        (
            "train.round1.json",
            b'{"q": ["a"]}',
            ("--task", "sudoku"),
            ("sudoku", "no recipe, run folder or task of that name", "coin_flip"),
        ),
        ("missing.json", None, (), ("missing.json: no such file",)),
    ],
)
def test_bad_files_are_told_by_file_and_line_and_nothing_is_written(
    name: str, content: bytes | None, arguments: tuple[str, ...], expected: tuple[str, ...], tmp_path: Path
) -> None:
    file, out = tmp_path / name, tmp_path / "out.jsonl"
    if content is not None:
        file.write_bytes(content)
    code, output = said("import", file, "--task", "coin_flip", "--out", out, *arguments)
    assert code == 2
    assert all(part in output for part in expected), output
    assert "Traceback" not in output and not out.exists()


def test_an_output_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    code, output = said("import", paid_for(tmp_path), "--task", "coin_flip", "--out", tmp_path / "out.csv")
    assert code == 2 and ".jsonl (recorded teacher)" in output
