"""`tailor export`: from a run to the papers' files, and from them to the next run."""

from __future__ import annotations

import json
from pathlib import Path

from reasoning.exchange.reading import read_imported
from reasoning.files.tables import write_table
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Attempt, Problem, Rationale, RationaleSource, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.tasks.loading import TaskData, load_problems
from tests.pipelines.exchange.commands import RECIPE, other, said, task


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
        *(second.id, "m", "new_questions", "a-teacher", ProposalOutcome.KEPT, 3, 3),
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
