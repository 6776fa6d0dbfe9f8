"""`tailor grade`: what it prints and writes, and every fault of its input named by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.grading import completions
from pipelines.grading.completions import MOST_BYTES, GraderName, GradingError, grade_file, read_answered, task_of
from reasoning.files.data_error import DataError
from reasoning.grading import net
from reasoning.recipe.task import TaskSection

RUNNER = CliRunner()
BALLS = "Which ball? Answer Choices: (A) red (B) white (C) blue"


def line(**changed: Any) -> str:
    row = {"question": "How many?", "gold": "18", "completion": "So 18."} | changed
    return json.dumps({key: value for key, value in row.items() if value is not None})


def file_of(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "completions.jsonl"
    path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in lines))
    return path


def graded(path: Path, *options: str, task: str = "gsm8k") -> tuple[int, str, str]:
    result = RUNNER.invoke(app, ["grade", "--task", task, "--input", str(path), *options])
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def test_one_json_line_is_printed(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        line(completion="3 and 15.\nAnswer: $18.00", finish_reason="stop"),
        line(completion="So 18, or not? I do not know. 5", finish_reason="length"),
        "",
        line(gold=5, completion="Answer: six", finish_reason="stop"),
    )
    code, out, _ = graded(path)
    assert code == 0
    assert json.loads(out) == {
        "task": "gsm8k",
        "n": 3,
        "accuracy": 33.33,
        "contains_answer": 66.67,
        "correct_format": 66.67,
        "complete": 66.67,
    }
    code, out, _ = graded(path, "--grader", "paper", "--template", "ft_cot_token")
    assert code == 0
    assert json.loads(out)["accuracy"] == 0.0  # the last number, as a string: 18.00, 5, none
    assert json.loads(out)["contains_answer"] == 33.33
    assert json.loads(out)["correct_format"] == 0.0


def test_complete_is_null_where_no_line_says_how_it_ended(tmp_path: Path) -> None:
    code, out, _ = graded(file_of(tmp_path, line()))
    assert code == 0
    assert json.loads(out)["complete"] is None


def test_several_fields_are_read_as_one_text(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, line(completion=None, rationale="5 and 13. ", trigger="The answer is", answer=" eighteen.")
    )
    code, out, _ = graded(path, "--field", "rationale", "--field", "trigger", "--field", "answer")
    assert code == 0
    assert json.loads(out)["accuracy"] == 100.0


def test_verdicts_say_how_each_answer_was_found(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        line(question=BALLS, gold="B", completion="The answer is the white one."),
        line(question=BALLS, gold="B", completion="(A) it is"),
    )
    out = tmp_path / "new" / "verdicts.jsonl"
    assert graded(path, "--out", str(out), task="tracking_shuffled_objects")[0] == 0
    first, second = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]
    assert (first["line"], first["prediction"], first["correct"], first["how"]) == (1, "B", True, "option_text")
    assert (second["line"], second["prediction"], second["correct"], second["how"]) == (2, "A", False, "last_candidate")
    assert graded(path, "--out", str(path), task="tracking_shuffled_objects")[0] == 2


FAULTS = {
    "not JSON": ('{"question": "half a line', "malformed JSON"),
    "unpaired brackets": ('{"question": "How many?", "gold": "18", "completion": "18"', "malformed JSON"),
    "brackets without end": ("[" * 100_000, "JSON that cannot be read"),
    "a number of thousands of digits": ('{"gold": ' + "9" * 5000 + "}", "JSON that cannot be read"),
    "no object": ('["18"]', "a line must be a JSON object, this one is a list"),
    "null": ("null", "a line must be a JSON object, this one is null"),
    "a missing field": (line(completion=None), "it has no 'completion'"),
    "two missing fields": (line(gold=None, completion=None), "it has no 'gold' and no 'completion'"),
    "a gold answer by another name": (
        line(gold=None, answer="4"),
        "it has no 'gold', only 'question', 'completion', 'answer'; call the right answer 'gold'",
    ),
    "a key twice": (
        '{"question": "How many?", "gold": "18", "gold": "19", "completion": "18"}',
        "its key 'gold' is there twice; give it once",
    ),
    "no text": (line(completion=["18"]), "its 'completion' is not text but a list"),
    "an empty question": (line(question=" \n"), "its question is empty"),
    "an empty gold answer": (line(gold=" "), "its gold answer is empty"),
    "a gold answer of another kind": (line(gold="eighteen"), "its gold answer 'eighteen' is not a number"),
    "true as a number": (line(gold=True), "its 'gold' is not text but true or false"),
    "invalid UTF-8": (b'{"question": "\xff\xfe"}', "invalid UTF-8"),
    "ten megabytes": (line(completion="1" * 10_000_000), "a line of more than 4 MiB"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_line_is_named(name: str, tmp_path: Path) -> None:
    bad, said = FAULTS[name]
    path = file_of(tmp_path, line(), bad, line(gold="none"), line())
    out = tmp_path / "verdicts.jsonl"
    code, printed, errors = graded(path, "--out", str(out))
    assert (code, printed) == (2, "")
    assert f"{path}, line 2: {said}" in errors
    assert f"{path}, line 3: its gold answer" in errors
    assert not out.exists()


@pytest.mark.parametrize(
    ("task", "changed", "said"),
    [
        ("tracking_shuffled_objects", {"question": BALLS, "gold": "D"}, "'D' is not among the choices (A to C)"),
        ("tracking_shuffled_objects", {"question": BALLS, "gold": "b"}, "'b' is not among the choices"),
        ("aqua", {"question": "Which?", "gold": "F"}, "'F' is not among the choices (A to E)"),
        ("aqua", {"question": BALLS.replace("(B)", "(B"), "gold": "A"}, "the bracket of option (B) is unpaired"),
        ("coin_flip", {"gold": "heads"}, "'heads' is not yes or no"),
        ("last_letter_concatenation", {"gold": "..."}, "'...' is not a text"),
    ],
)
def test_gold_answers_and_options_are_checked(task: str, changed: dict[str, str], said: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, line(**changed))
    code, _, errors = graded(path, task=task)
    assert code == 2
    assert f"{path}, line 1: " in errors and said in errors


def test_ten_faults_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    path = file_of(tmp_path, *[line(gold="?")] * 25)
    code, _, errors = graded(path)
    assert code == 2
    assert "line 10:" in errors and "line 11:" not in errors and "15 more" in errors


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("sudoku", (), "unknown task 'sudoku'"),
        ("arithmetic", ("--grader", "paper"), "paper B has no rule for the task arithmetic"),
        ("gsm8k", ("--grader", "kind"), "is not one of"),
        ("gsm8k", ("--grader", "paper", "--template", "cot"), "zs_cot"),
        ("gsm8k", ("--template", "zs_cot"), "--template belongs to --grader paper"),
        ("gsm8k", ("--out", "/dev/null/verdicts.jsonl"), "cannot be written"),
    ],
)
def test_what_cannot_be_asked_is_said(task: str, options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, _, errors = graded(file_of(tmp_path, line()), *options, task=task)
    assert code == 2
    assert said in errors.replace("│", "")


@pytest.mark.parametrize("content", [None, b"", b"\n\n"])
def test_there_must_be_something_to_grade(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "completions.jsonl"
    if content is not None:
        path.write_bytes(content)
    code, _, errors = graded(path)
    assert code == 2
    assert str(path) in errors


def test_a_byte_order_mark_and_windows_line_ends_are_no_faults(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"\xef\xbb\xbf" + line().encode() + b"\r", line() + "\r", b"")
    assert grade_file("gsm8k", path).n == 2


def test_a_long_line_does_not_hide_the_next(tmp_path: Path) -> None:
    for length in (MOST_BYTES, 2 * MOST_BYTES + 2, 3 * MOST_BYTES):
        path = file_of(tmp_path, "x" * length + "y", line(gold="?"))
        with pytest.raises(DataError, match=r"line 2: its gold") as caught:
            read_answered(path, task_of("gsm8k"), ["completion"], GraderName.ROBUST)
        assert "line 1: a line of more" in str(caught.value) and "line 3" not in str(caught.value)


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(line().encode())), max_size=5), st.sampled_from(GraderName))
def test_any_file_is_graded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], grader: GraderName
) -> None:
    path = tmp_path_factory.mktemp("any") / "completions.jsonl"
    path.write_bytes(b"\n".join(lines))
    try:
        summary = grade_file("svamp", path, grader=grader)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert summary.n >= 1 and summary.accuracy == 100.0


@given(
    st.text(), st.sampled_from(["gsm8k", "coin_flip", "aqua", "last_letter_concatenation"]), st.sampled_from(GraderName)
)
def test_any_completion_is_graded(
    tmp_path_factory: pytest.TempPathFactory, text: str, task: str, grader: GraderName
) -> None:
    gold = {"gsm8k": "18", "coin_flip": "yes", "aqua": "B", "last_letter_concatenation": "yajo"}[task]
    path = tmp_path_factory.mktemp("any") / "completions.jsonl"
    path.write_text(line(question=BALLS, gold=gold, completion=text) + "\n", encoding="utf-8")
    out = path.with_name("verdicts.jsonl")
    summary = grade_file(task, path, grader=grader, out=out)
    assert json.loads(out.read_text(encoding="utf-8"))["correct"] == (summary.accuracy == 100.0)


def test_a_line_that_a_grader_raises_on_is_wrong_and_the_others_are_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "HOLDS", True)
    monkeypatch.setattr(completions, "mentions", {}.__getitem__)  # of answers that are not right
    path = tmp_path / "completions.jsonl"
    said = [line(question=BALLS, gold="18", completion=f"Answer: {number}") for number in (17, 18)]
    path.write_text("\n".join(said) + "\n", encoding="utf-8")
    out = path.with_name("verdicts.jsonl")
    assert grade_file("gsm8k", path, out=out).accuracy == 50.0
    first, second = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert (first["prediction"], first["correct"], second["correct"]) == (None, False, True)


def test_the_paper_grader_needs_a_gold_answer_it_can_read(tmp_path: Path) -> None:
    path = file_of(tmp_path, line(gold="$18"))
    assert grade_file("svamp", path).accuracy == 100.0
    with pytest.raises(DataError, match="cannot be read by paper B's rule"):
        grade_file("svamp", path, grader=GraderName.PAPER)
    with pytest.raises(GradingError):
        grade_file("arithmetic", path, grader=GraderName.PAPER)


@pytest.mark.parametrize(
    ("task", "paper", "robust"),
    [
        ("addsub", 71.39, 75.19),
        ("multiarith", 78.67, 80.0),
        ("aqua", 33.07, 33.07),
        ("coin_flip", 91.40, 91.40),
        ("date_understanding", 67.48, 67.48),
        ("strategy_qa", 54.76, 54.76),
    ],
)
def test_recorded_answers(real_data: Path, task: str, paper: float, robust: float) -> None:
    """The published figures of the paper's rule on the answers alone, and ours on the whole completions."""
    path = real_data / "recorded_teacher" / f"{task}.jsonl"
    by_paper = grade_file(task, path, ["answer_completion"], GraderName.PAPER)
    whole = grade_file(task, path, ["rationale", "answer_trigger", "answer_completion"])
    assert (by_paper.accuracy, whole.accuracy) == (paper, robust)
    assert whole.accuracy >= by_paper.accuracy


# A task of one's own --------------------------------------------------------------------------------------------------


def own_task(**form: Any) -> TaskSection:
    content = {"question": "q", "answer": "a", **form}
    return TaskSection.model_validate({"name": "mine", "source": "file", "path": "absent.csv", "form": content})


def rights(tmp_path: Path, task: TaskSection | str, *lines: tuple[Any, str]) -> list[bool]:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"question": "Which is it?", "gold": gold, "completion": completion} for gold, completion in lines]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    grade_file(task, path, out=out)
    return [json.loads(line)["correct"] for line in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("form", "gold", "right", "wrong"),
    [
        ({"kind": "number", "tolerance": 0.1}, "3.1", "Answer: 3.2", "Answer: 3.21"),
        ({"kind": "number", "relative_tolerance": 0.01}, "1000", "Answer: 1010", "Answer: 1011"),
        ({"kind": "number", "unit": "km"}, "5 km", "Answer: 5000 m", "Answer: 5 miles"),
        ({"kind": "number", "answer_after": "####"}, "So it is.\n#### 72", "Answer: 72", "Answer: 7"),
        ({"kind": "number"}, ["1/2", "−5"], "The answer is -5.", "Answer: 5"),
        ({"kind": "number"}, "3e8", "Answer: 300,000,000", "Answer: 38"),
        ({"kind": "text"}, ["Paris", "Lutetia"], "Answer: Lutetia", "Answer: Rome"),
        ({"kind": "text"}, "It is known: \\boxed{Paris}.", "Answer: Paris", "Answer: Rome"),
        ({"kind": "yes_no"}, "True", "Answer: yes", "Answer: no"),
        ({"kind": "choice", "choices": ["red", "blue"]}, "B", "It is (B).", "It is (A)."),
        ({"kind": "choice", "choices": ["red", "blue"]}, "blue", "Answer: blue", "Answer: red"),
    ],
)
def test_a_task_of_ones_own_is_graded_by_its_recipe(
    tmp_path: Path, form: dict[str, Any], gold: Any, right: str, wrong: str
) -> None:
    assert rights(tmp_path, own_task(**form), (gold, right), (gold, wrong)) == [True, False]


def test_golds_are_read_alike_for_the_tables_tasks(tmp_path: Path) -> None:
    golds = ("1/2", "50%", "3e8", "$5", "−5", "1,000", "#### 72", ["72", "71"])
    said = ("0.5", "0.5", "300000000", "5", "-5", "1000", "72", "71")
    lines = [(gold, f"The answer is {answer}.") for gold, answer in zip(golds, said, strict=True)]
    assert rights(tmp_path, "gsm8k", *lines) == [True] * len(golds)


def test_a_grader_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "length_graders.py").write_text(
        "def as_long(question, gold, completion):\n"
        "    if not completion:\n        return 'no answer'\n"
        "    return len(completion) == int(gold) or 1 / (len(completion) - 9) > 1\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = own_task(kind="number", grader="length_graders:as_long")
    lines = (("3", "abc"), ("3", "abcd"), ("4", "<think>x</think>abcd"), ("3", ""))
    assert rights(tmp_path, task, *lines) == [True, False, True, False]
    with pytest.raises(GradingError, match=r"line 1: grader length_graders:as_long failed .* ZeroDivisionError"):
        rights(tmp_path, task, ("3", "abcdefghi"))
    with pytest.raises(GradingError, match="grader absent_graders:f: module absent_graders cannot be imported"):
        rights(tmp_path, own_task(kind="number", grader="absent_graders:f"), ("3", "abc"))
