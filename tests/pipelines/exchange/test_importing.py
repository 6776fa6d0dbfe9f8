"""`tailor import` and `tailor export`: from a published file to a run's examples, and from a run to the papers' files.

The run here is this process: its teacher is the recorded teacher itself, without the server around it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from reasoning.exchange.reading import read_imported
from reasoning.files.tables import read_table, write_table
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.offline.teacher import RecordedTeacher, UnrecordedQuestionError
from reasoning.prompts.demonstrations import read_demonstrations
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Attempt, Example, Mistake, Problem, Rationale, RationaleSource, Verdict
from reasoning.rounds.classroom import Answering, Classroom
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import Fate
from reasoning.rounds.order import Phase, PhaseRecord
from reasoning.rounds.phases import feedback, select_examples
from reasoning.rounds.progress import ProgressBoard
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.training.report import FineTuneReport
from tests.reasoning.exchange.samples import completion, completion_file, write

RECIPE = """
name: paid-for
task: {name: coin_flip, train: 12, validation: 4, test: 4}
teacher: {kind: recorded, recorded: %s, first_prompt: %s}
learning: {first_questions: 12, first_rationales: 3}
"""


def said(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def recipe(folder: Path, recorded: Path, prompt: str = "plain") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE % (recorded, prompt), encoding="utf-8")
    return path


def task(folder: Path) -> TaskData:
    return load_problems(parse_recipe(RECIPE % (folder / "r.jsonl", "plain"), "test").task, 0)


def other(answer: str) -> str:
    return "no" if answer == "yes" else "yes"


def paid_for(folder: Path) -> Path:
    """Paper B's file of a teacher: three completions a question, the second one wrong, test questions among them."""
    data = task(folder)
    samples: dict[int, list[dict[str, Any]]] = {}
    for index, problem in enumerate([*data.train, *data.test]):
        answers = [problem.answer, other(problem.answer), problem.answer]
        samples[index] = [
            completion(
                index, problem.question, problem.answer, f" \n\nWay {i} to it.", f" {answer}.", completion_index=i
            )
            for i, answer in enumerate(answers)
        ]
    return completion_file(folder / "D_coin_flip.json", samples, dataset_key="coin_flip")


class Room(Classroom):
    """A classroom whose teacher is a recorded one."""

    recorded: RecordedTeacher

    async def student_at(self, round: int) -> Answering:
        raise NotImplementedError

    async def fine_tune(self, round: int) -> FineTuneReport:
        raise NotImplementedError

    async def ask(self, request: TeacherRequest, *, first: bool) -> TeacherReply | TeacherFailure:
        try:
            (text,) = self.recorded.complete(request.messages[-1][1], 1, request.temperature, request.sample)
        except UnrecordedQuestionError as error:
            return TeacherFailure(request.key, FailureKind.BAD_REQUEST, str(error), 1)
        return TeacherReply(request.key, text, "stop", 1, 1, request.model)


# Import -------------------------------------------------------------------------------------------------------------


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
    room = Room(chosen, RunDirectory(tmp_path / "run"), data, run_prompts(chosen), ProgressBoard())
    room.recorded = RecordedTeacher(recorded)
    room.files(0).folder.mkdir(parents=True)

    async def round_0() -> None:
        metrics = await feedback(room, 0)
        assert (metrics["asked"], metrics["kept"], metrics["filtered_out"]) == (36, 24, 12)
        await select_examples(room, 0)

    asyncio.run(round_0())
    examples = read_table(room.files(0).examples, Example)
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
        ("train.round1.json", b'{"Who are you?": ["a"]}', (), ("nothing in it", "line 1", "no question of this task")),
        ("train.round1.json", b'{"q": ["a"]}', ("--task", "sudoku"), ("sudoku", "no task of that name", "coin_flip")),
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


# Export -------------------------------------------------------------------------------------------------------------


def finished_run(folder: Path) -> tuple[Path, TaskData, list[Rationale]]:
    """A run of two rounds as it lies on disk: three rationales, one about a question of the teacher's, and one exam."""
    text = RECIPE % (folder / "r.jsonl", "plain")
    chosen = parse_recipe(text, "test")
    directory = RunDirectory(folder / "runs" / "paid-for")
    directory.claim(chosen)
    data = load_problems(chosen.task, chosen.seed)
    first, second = data.train[0], data.train[1]
    new = NewProblem(
        *("coin_flip", "A coin is heads up. Nobody flips it. Is it heads up?", "yes", AnswerKind.YES_NO, (), 1),
        *(second.id, "m", "new_questions", "a-teacher", Fate.KEPT, 3, 3),
    )
    rationales = [
        _rationale(first, 0, RationaleSource.PLAIN),
        _rationale(second, 1, RationaleSource.TAILORED),
        _rationale(new.problem, 1, RationaleSource.NEW),
    ]
    wrong = other(second.answer)
    attempts = [
        Attempt(second.id, 1, 0, f"No.\nAnswer: {wrong}", True, 4, wrong, Verdict.WRONG),
        Attempt(second.id, 1, 1, f"Yes.\nAnswer: {second.answer}", True, 4, second.answer, Verdict.CORRECT),
    ]
    for number in (0, 1):
        files = directory.round(number)
        files.folder.mkdir(parents=True)
        write_table(files.rationales, [one for one in rationales if one.round == number], Rationale)
        directory.append(PhaseRecord(number, Phase.FEEDBACK, 1.0, {}))
    write_table(directory.round(1).exam, attempts, Attempt)
    write_table(directory.round(1).new_problems, [new], NewProblem)
    test = data.test[0]
    evaluated = [Attempt(test.id, 1, 0, f"So.\nAnswer: {test.answer}", True, 4, test.answer, Verdict.CORRECT)]
    write_table(directory.round(1).evaluation, evaluated, Attempt)
    return directory.path, data, rationales


def _rationale(problem: Problem, round: int, source: RationaleSource) -> Rationale:
    text = f"Step by step it is {problem.answer}."
    return Rationale(problem.id, round, source, "plain-v1", "a-teacher", text, problem.answer, True)


def test_a_runs_rounds_are_paper_as_files(tmp_path: Path) -> None:
    run, data, _ = finished_run(tmp_path)
    code, output = said("export", run, "--format", "a-rationales", "--out", tmp_path / "train.round1.json")
    assert code == 0 and "3 rationales of 3 questions" in output
    answers = json.loads((tmp_path / "train.round1.json").read_text(encoding="utf-8"))
    first = data.train[0]
    stated = f"Step by step it is {first.answer}."
    assert answers[first.question] in ([stated], [f"{stated} Therefore, the answer is {first.answer}."])
    said("export", run, "--format", "a-rationales", "--out", tmp_path / "train.round0.json", "--round", 0)
    assert len(json.loads((tmp_path / "train.round0.json").read_text(encoding="utf-8"))) == 1
    code, _ = said("export", run, "--format", "a-mistakes", "--out", tmp_path / "neg.json")
    mistakes = json.loads((tmp_path / "neg.json").read_text(encoding="utf-8"))
    assert code == 0 and mistakes == {data.train[1].question: [f"No.\nAnswer: {other(data.train[1].answer)}"]}


def test_a_runs_rounds_are_paper_bs_files(tmp_path: Path) -> None:
    run, data, rationales = finished_run(tmp_path)
    out = tmp_path / "D_coin_flip.json"
    code, output = said("export", run, "--format", "b-completions", "--out", out)
    assert code == 0 and "1 rationales left out: their questions, which the teacher wrote" in output
    assert "saved/completion_data/B_a-teacher__C_zs_cot/D_coin_flip.json" in output
    problems = [*data.train, *data.validation, *data.test]
    found = read_imported(out, problems).rationales
    assert [(one.text, one.answer) for one in found] == [(one.text, one.answer) for one in rationales[:2]]
    said("export", run, "--format", "b-finetune", "--out", tmp_path / "F_x.jsonl")
    lines = (tmp_path / "F_x.jsonl").read_text(encoding="utf-8").split("\n")
    assert json.loads(lines[0])["completion"] == f" {rationales[0].text} --> {rationales[0].answer} END"
    options = ("--platform", "encoder_decoder")
    said("export", run, "--format", "b-finetune", "--out", tmp_path / "F_x.json", *options)
    columns = json.loads((tmp_path / "F_x.json").read_text(encoding="utf-8"))
    assert columns["input"] == [problem.question for problem in data.train[:2]]
    said("export", run, "--format", "b-attempts", "--out", tmp_path / "attempts.json")
    (entry,) = json.loads((tmp_path / "attempts.json").read_text(encoding="utf-8"))["data"]["16"]
    assert entry["completion"] == f" So. --> {data.test[0].answer}"


def test_a_runs_data_set_and_split_are_paper_bs_files(tmp_path: Path) -> None:
    run, data, _ = finished_run(tmp_path)
    code, _ = said("export", run, "--format", "b-dataset", "--out", tmp_path / "data")
    assert code == 0
    rows = json.loads((tmp_path / "data" / "dataset" / "coin_flip.json").read_text(encoding="utf-8"))["data"]
    split = json.loads((tmp_path / "data" / "split" / "coin_flip__default.json").read_text(encoding="utf-8"))
    assert [rows[i]["question"] for i in split["test"]] == [problem.question for problem in data.test]
    learnt = {rows[i]["question"] for i in split["train"]}
    assert learnt == {problem.question for problem in (*data.train, *data.validation)}


def test_what_a_run_paid_for_teaches_the_next_one(tmp_path: Path) -> None:
    run, data, rationales = finished_run(tmp_path)
    code, _ = said("export", run, "--format", "recorded", "--out", tmp_path / "recorded.jsonl")
    assert code == 0
    found = read_imported(tmp_path / "recorded.jsonl", data.train).rationales
    assert [(one.text, one.model, one.prompt) for one in found] == [
        (one.text, "a-teacher", "plain-v1") for one in rationales[:2]
    ]


def test_a_fine_tune_cot_runs_collection_is_exported(tmp_path: Path) -> None:
    data = task(tmp_path)
    text = "{name: cot, task: {name: coin_flip, train: 12, validation: 4, test: 4}, fine_tuning: {degrees: [1]}}"
    directory = CotDirectory(tmp_path / "cot")
    directory.claim(parse_cot_recipe(text, "test"))
    write_table(directory.rationales, [_rationale(data.train[0], 0, RationaleSource.PLAIN)], Rationale)
    directory.append(PhaseRecord(0, Phase.FEEDBACK, 1.0, {"samples": 1}))
    code, output = said("export", directory.path, "--format", "b-finetune", "--out", tmp_path / "F_x.jsonl")
    assert code == 0, output
    (line,) = (tmp_path / "F_x.jsonl").read_text(encoding="utf-8").split("\n")
    assert json.loads(line)["prompt"] == f"{data.train[0].question} ###"


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    run, _, _ = finished_run(tmp_path)
    for arguments, expected in (
        ((run, "--format", "b-nothing", "--out", tmp_path / "x"), "is not one of"),
        ((run, "--format", "a-rationales", "--out", tmp_path / "x", "--round", 7), "rounds 0 to 1, not 7"),
        ((tmp_path, "--format", "a-rationales", "--out", tmp_path / "x"), "not a run directory"),
        ((run, "--format", "b-finetune", "--out", tmp_path / "x", "--platform", "tpu"), "is not one of 'openai'"),
    ):
        code, output = said("export", *arguments)
        assert code == 2 and expected in output, output
        assert not (tmp_path / "x").exists()
