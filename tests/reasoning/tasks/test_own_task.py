"""A task of a user's own: a file or a hub dataset and ten lines of YAML, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.grading.answers import grade
from reasoning.grading.rationale_filter import keep
from reasoning.recipe.tailored import RecipeError, load_recipe, parse_recipe
from reasoning.recipe.task import TaskSection
from reasoning.records import AnswerKind, RationaleSource, Verdict
from reasoning.tasks.loading import load_problems, spec_of
from tests.conftest import ROOT, tries


def rows_of(count: int, answer: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"q": f"Is {i} it?", "a": answer} | more for i in range(count)]


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def task(path: Path, kind: str = "number", **changes: Any) -> TaskSection:
    form = {"question": "q", "answer": "a", "kind": kind} | changes.pop("form", {})
    content = {"name": "my_task", "source": "file", "path": path, "form": form}
    return TaskSection.model_validate(content | changes)


COUNTED: list[tuple[list[Any], dict[str, Any], dict[str, Any], bool]] = [
    # answers, more fields, form: and whether they show that they count from 1
    ([1, 2, 3], {"c": ["red", "green", "blue", "pink"]}, {"choices": "c"}, True),
    ([1.0, 2.0], {"c": ["red", "green", "blue"]}, {"choices": "c"}, True),
    ([1, 2], {}, {"choices": ["red", "green", "blue"]}, True),
    ([1, 2], {"A": "red", "B": "green", "C": "blue"}, {"choice_fields": ["A", "B", "C"]}, True),
    ([0, 1, 2], {"c": ["red", "green", "blue"]}, {"choices": "c"}, False),
    ([1, 2], {"c": ["red", "green", "blue"]}, {"choices": "c", "answer_as": "index"}, False),
    ([1, 2], {"c": ["red", "green", "blue"]}, {"choices": "c", "answer_as": "position"}, False),
    (["1", "2"], {"c": {"label": ["1", "2", "3"], "text": ["red", "green", "blue"]}}, {"choices": "c"}, False),
    ([11, 12], {"c": ["11", "12", "13"]}, {"choices": "c"}, False),
]


@pytest.mark.parametrize(("answers", "more", "form", "refused"), COUNTED)
def test_answers_that_seem_to_count_from_one_are_not_read_from_zero(
    tmp_path: Path, answers: list[Any], more: dict[str, Any], form: dict[str, Any], refused: bool
) -> None:
    rows = [{"q": f"Is {i} it?", "a": answers[i % len(answers)]} | more for i in range(20)]
    section = task(jsonl(tmp_path / "my.jsonl", rows), "choice", form=form)
    if not refused:
        assert load_problems(section, 0).test
        return
    with pytest.raises(DataError, match=r"never 0.*form\.answer_as") as caught:
        load_problems(section, 0)
    assert caught.value.place == str(tmp_path / "my.jsonl")


PRINTED = [
    ("array(['red', 'green', 'blue'], dtype=object)", "green"),
    ("{'text': array(['red', 'green',\n 'blue'], dtype=object), 'label': array(['A', 'B', 'C'], dtype=object)}", "B"),
    ("{'A': 'red', 'B': 'green', 'C': 'blue'}", "B"),
    ("[{'label': 'A', 'text': 'red'}\n {'label': 'B', 'text': 'green'}\n {'label': 'C', 'text': 'blue'}]", "B"),
]


@pytest.mark.parametrize(("options", "answer"), PRINTED)
def test_options_as_pandas_prints_them_are_read(tmp_path: Path, options: str, answer: str) -> None:
    data = load_problems(
        task(jsonl(tmp_path / "my.jsonl", rows_of(20, answer, c=options)), "choice", form={"choices": "c"}), 0
    )
    assert data.test[0].choices == ("red", "green", "blue") and data.test[0].answer == "B"


def test_right_answers_as_pandas_prints_them_are_read(tmp_path: Path) -> None:
    printed = "{'text': array(['Ada', 'Ada L.'], dtype=object), 'answer_start': array([1, 2], dtype=int32)}"
    data = load_problems(task(jsonl(tmp_path / "my.jsonl", rows_of(20, printed)), "text"), 0)
    assert (data.test[0].answer, data.test[0].aliases) == ("Ada", ("Ada L.",))


def test_a_field_that_names_the_split_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    rows = [row | {"split": "test" if i > 15 else "train"} for i, row in enumerate(rows_of(20, "5"))]
    data = load_problems(task(jsonl(tmp_path / "my.jsonl", rows)), 0)
    assert any("names its split in 'split' (test, train), which is not used" in note for note in data.notes)
    assert not load_problems(task(jsonl(tmp_path / "other.jsonl", rows_of(20, "5", split="train"))), 0).notes


def test_a_table_of_conversations_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    turns = [
        f'"[{{""role"": ""user"", ""content"": ""Is {i}?""}}, {{""role"": ""assistant"", ""content"": ""5""}}]"'
        for i in range(20)
    ]
    path.write_text("\n".join(["messages", *turns]), encoding="utf-8")
    data = load_problems(task(path, form={"question": "messages", "answer": "messages"}), 0)
    assert data.test[0].question.startswith("Is ") and data.test[0].answer == "5"


@pytest.mark.parametrize(
    ("kind", "answer", "more", "form", "read"),
    [
        ("number", "1,200", {}, {}, "1200"),
        ("number", "so: 7", {}, {"answer_after": ":"}, "7"),
        ("yes_no", True, {}, {}, "yes"),
        ("text", "Ada", {}, {}, "Ada"),
        ("choice", "green", {}, {"choices": ["red", "green"]}, "B"),
        ("choice", 0, {"c": ["red", "green"]}, {"choices": "c"}, "A"),
        ("choice", "b", {"c": {"label": ["A", "B"], "text": ["red", "green"]}}, {"choices": "c"}, "B"),
    ],
)
def test_every_kind_of_answer(
    tmp_path: Path, kind: str, answer: Any, more: dict[str, Any], form: dict[str, Any], read: str
) -> None:
    data = load_problems(task(jsonl(tmp_path / "my.jsonl", rows_of(20, answer, **more)), kind, form=form), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (13, 1, 6)
    problem = data.test[0]
    assert (problem.task, problem.answer, problem.answer_kind) == ("my_task", read, AnswerKind(kind))
    assert problem.question == ("Is 0 it? Answer Choices: (A) red (B) green" if kind == "choice" else "Is 0 it?")
    assert problem.choices == (("red", "green") if kind == "choice" else ())


def test_a_json_list_and_a_hub_folder_give_the_same_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = rows_of(20, 3)
    from_lines = load_problems(task(jsonl(tmp_path / "my.jsonl", rows)), 0)
    (tmp_path / "my.json").write_text(json.dumps(rows), encoding="utf-8")
    assert load_problems(task(tmp_path / "my.json"), 0) == from_lines
    hub = tmp_path / "hub"
    hub.mkdir()
    jsonl(hub / "train.jsonl", rows)
    form = {"question": "q", "answer": "a", "kind": "number"}
    from_hub = TaskSection.model_validate({"name": "my_task", "source": "hub", "hub_id": str(hub), "form": form})
    assert load_problems(from_hub, 0) == from_lines
    with pytest.raises(DataError, match=r"task\.hub_id: my_task has no hub dataset"):
        load_problems(from_hub.model_copy(update={"hub_id": None}), 0)


def test_test_questions_that_stand_apart(tmp_path: Path) -> None:
    train, test = jsonl(tmp_path / "a.jsonl", rows_of(10, 3)), jsonl(tmp_path / "b.jsonl", rows_of(12, 3)[10:])
    data = load_problems(task(train, test_path=test), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 1, 2)
    assert [problem.question for problem in data.test] == ["Is 10 it?", "Is 11 it?"]
    folder = tmp_path / "apart"
    folder.mkdir()
    jsonl(folder / "train.jsonl", rows_of(10, 3))
    jsonl(folder / "test.jsonl", rows_of(12, 3)[10:])
    again = load_problems(task(folder), 0)
    assert (again.train, again.test) == (data.train, data.test) and "train.jsonl" in again.notes[0]


def test_a_template_split_blanks_numbers_and_names(tmp_path: Path) -> None:
    rows = [{"q": f"{who} {does} {i}. How many?", "a": i} for does in "abcdefg" for i, who in enumerate(("Ann", "Bob"))]
    data = load_problems(task(jsonl(tmp_path / "my.jsonl", rows), split="template"), 0)
    parts = [{p.question.split()[1] for p in part} for part in ((*data.train, *data.validation), data.test)]
    assert [len(part) for part in parts] == [5, 2] and not parts[0] & parts[1]


def test_faults_of_two_files_are_told_together_with_their_lines(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "a.jsonl", rows_of(10, 3))
    test = jsonl(tmp_path / "b.jsonl", rows_of(3, 3))
    train.write_bytes(train.read_bytes() + b'{"q": "cut\n')
    test.write_bytes(b"\xff\n" + test.read_bytes())
    with pytest.raises(DataError) as caught:
        load_problems(task(train, test_path=test), 0)
    assert [fault.place for fault in caught.value.faults] == [f"{train}, line 11", f"{test}, line 1"]


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ({"q": "", "a": "red"}, "question is empty"),
        ({"q": "Which?", "a": "violet"}, "'violet' is not among its 2 options"),
        ({"q": "Which?", "a": ""}, "answer is empty"),
        ({"question": "Which?", "a": "red"}, "lacks the field 'q'; it has only 'question', 'a'"),
        ({"q": "Is 3 it?", "a": "green"}, "appears twice with different answers: 'B' here, 'A' in"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, bad: dict[str, str], what: str) -> None:
    rows = rows_of(20, "red")
    path = jsonl(tmp_path / "my.jsonl", [*rows[:8], bad, *rows[8:]])
    with pytest.raises(DataError) as caught:
        load_problems(task(path, "choice", form={"choices": ["red", "green"]}), 0)
    assert len(caught.value.faults) == 1 and "line 9" in str(caught.value) and what in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [{17: b'{"q": 5 "a": 1}', 20: b'{"q": "\xff"}'}, {12: b'{"q": "Which?", "a": "violet"}'}],
    ids=["lines", "rows"],
)
def test_what_is_bad_is_told_in_the_words_of_the_page(tmp_path: Path, bad: dict[int, bytes]) -> None:
    rows = [json.dumps(row).encode() for row in rows_of(24, "red")]
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\n".join(bad.get(number, row) for number, row in enumerate(rows, 1)))
    with pytest.raises(DataError) as caught:
        load_problems(task(path, "choice", form={"choices": ["red", "green", "blue", "pink"]}), 0)
    said = str(caught.value).replace(str(path), path.name)
    assert f"```\n{said}\n```" in (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_an_unpaired_bracket_among_the_options_is_named_with_its_line(tmp_path: Path) -> None:
    rows = [{"q": f"Is {i} it? (A) red (B) green", "a": "A"} for i in range(10)]
    path = jsonl(tmp_path / "my.jsonl", [*rows, {"q": "Which? (A) red (B green (C) blue", "a": "A"}])
    with pytest.raises(DataError, match=r"line 11: its question does not list its options .* \(found: A, C\)"):
        load_problems(task(path, "choice"), 0)


def test_a_repeated_question_is_kept_once_and_named(tmp_path: Path) -> None:
    rows = rows_of(20, 3)
    path = jsonl(tmp_path / "my.jsonl", [*rows, rows[4]])
    data = load_problems(task(path), 0)
    assert len({p.id for p in (*data.train, *data.validation, *data.test)}) == 20
    assert str(path) in data.notes[0] and "line 21" in data.notes[0] and "line 5" in data.notes[0]


@pytest.mark.parametrize(
    ("kind", "answers", "form", "right", "wrong"),
    [
        ("number", ["72", "71"], {}, "Answer: 71", "Answer: 70"),
        ("text", {"value": "New York", "aliases": ["NYC"]}, {}, "Answer: NYC", "Answer: Rome"),
        ("yes_no", ["yes", "Yes"], {}, "Answer: yes", "Answer: no"),
        ("choice", [0, 2], {"choices": ["red", "green", "blue"]}, "Answer: (C)", "Answer: (B)"),
    ],
)
def test_any_of_several_right_answers_is_right(
    tmp_path: Path, kind: str, answers: Any, form: dict[str, Any], right: str, wrong: str
) -> None:
    problem = load_problems(task(jsonl(tmp_path / "my.jsonl", rows_of(20, answers)), kind, form=form), 0).train[0]
    assert [grade(said, True, problem)[1] for said in (right, wrong)] == [Verdict.CORRECT, Verdict.WRONG]
    assert grade(f"Answer: {problem.answer}", True, problem)[1] is Verdict.CORRECT
    kept = [
        keep(f"So.\n{said}", problem, round=0, source=RationaleSource.PLAIN, prompt="p", model="m").kept
        for said in (right, wrong)
    ]
    assert kept == [True, False]


def test_answers_of_a_repeated_question_are_alike_when_one_is_right_for_both(tmp_path: Path) -> None:
    rows = rows_of(20, ["a", "b"])
    data = load_problems(task(jsonl(tmp_path / "my.jsonl", [*rows, rows[0] | {"a": ["b", "c"]}]), "text"), 0)
    assert "1 question is repeated" in data.notes[0]
    with pytest.raises(DataError, match="appears twice with different answers"):
        load_problems(task(jsonl(tmp_path / "my.jsonl", [*rows, rows[0] | {"a": ["c"]}]), "text"), 0)


def test_a_form_without_the_newer_keys_is_the_recipe_it_was() -> None:
    """A run's identity covers what is written here."""
    form = TaskSection.model_validate(
        {"name": "x", "source": "file", "path": "f", "form": {"question": "q", "answer": "a", "kind": "text"}}
    ).model_dump(mode="json")["form"]
    assert form == {
        "question": "q",
        "answer": "a",
        "kind": "text",
        "choices": None,
        "answer_as": None,
        "answer_after": "",
    }


ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "q": st.one_of(st.text(max_size=4), st.sampled_from(["Is it?", "Who? (A) he (B) she"]), st.integers()),
            "a": st.one_of(st.text(max_size=2), st.sampled_from(["yes", "A", "7"]), st.floats(), st.none()),
        },
    ),
    max_size=12,
)


@given(ROWS, st.sampled_from(AnswerKind), st.sampled_from(["default", "template"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(60))
def test_any_rows_become_disjoint_splits_or_name_their_lines(
    tmp_path: Path, rows: list[dict[str, Any]], kind: AnswerKind, split: str
) -> None:
    path = jsonl(tmp_path / "my.jsonl", rows)
    try:
        data = load_problems(task(path, kind, split=split), 0)
    except DataError as error:
        assert str(path) in str(error) or "too few" in str(error)
    else:
        parts = [{problem.question for problem in part} for part in (data.train, data.validation, data.test)]
        assert all(parts) and not parts[0] & parts[1] and not (parts[0] | parts[1]) & parts[2]


LONG = "A shop sells {} pens on Monday, {} pens on Tuesday and no pens at all on Sunday. How many pens is that in all?"


@pytest.mark.parametrize("near_test", ["leave_out", "keep"])
def test_a_training_question_that_is_a_test_question_in_other_words_is_left_out_and_listed(
    tmp_path: Path, near_test: str
) -> None:
    train = [{"q": LONG.format(n, n + 1), "a": 2 * n + 1} for n in range(30)]
    test = [{"q": LONG.format(n, n + 1), "a": 2 * n + 1} for n in range(100, 110)]
    copied = {"q": LONG.format(104, 105).replace("in all", "altogether"), "a": 209}
    files = jsonl(tmp_path / "train.jsonl", [*train, copied]), jsonl(tmp_path / "test.jsonl", test)
    data = load_problems(task(files[0], test_path=files[1], near_test=near_test), 0)
    assert len(data.test) == 10 and len(data.train) + len(data.validation) == (30 if near_test == "leave_out" else 31)
    places = f"{files[0]}, line 31 like {files[1]}, line 5"
    told = (f"1 training question is left out, being nearly the same as a test question: {places}.",)
    assert data.notes == (told if near_test == "leave_out" else ())


def test_the_order_of_options_does_not_make_another_question(tmp_path: Path) -> None:
    asked = "Which of these four animals lays eggs and has a flat bill like that of a duck?"
    row = {"q": asked, "a": "platypus", "c": ["platypus", "bat"]}
    other = [{"q": f"Which is number {n}?", "a": "bat", "c": ["bat", "cat"]} for n in range(6)]
    files = (
        jsonl(tmp_path / "train.jsonl", [*other, {**row, "q": asked.upper(), "c": ["bat", "platypus"]}]),
        jsonl(tmp_path / "test.jsonl", [row]),
    )
    data = load_problems(task(files[0], "choice", test_path=files[1], form={"choices": "c"}), 0)
    assert len(data.train) + len(data.validation) == 6 and len(data.notes) == 1


def test_whether_near_questions_are_kept_may_change_when_a_run_goes_on() -> None:
    text = "name: r\ntask: {{name: mine, source: file, path: x.jsonl, form: {{question: q, answer: a, kind: text}}{}}}"
    before, after = (parse_recipe(text.format(more), "r") for more in ("", ", near_test: keep"))
    assert before.differences(after) == after.differences(before) == []
    assert "near_test" not in json.dumps(before.identity())


def test_the_recipe_of_the_repository_runs_on_its_own_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = load_recipe(Path("recipes/own_task.yaml"))
    data = load_problems(recipe.task, recipe.seed)
    assert (len(data.train), len(data.validation), len(data.test)) == (25, 3, 12)
    assert {problem.choices for problem in data.train} == {("billing", "shipping", "account", "product")}
    spec = spec_of(recipe.task)
    assert (spec.name, spec.own, spec.max_new_tokens) == ("ticket_desk", True, 256)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: x, source: file, path: f, form: {question: q, answer: a}}", ["task.form.kind", "missing"]),
        (
            "{name: x, source: file, path: f, form: {question: q, answer: a, kind: maths}}",
            ["task.form.kind", "'choice'"],
        ),
        (
            "{name: x, source: file, path: f, form: {q: q, answer: a, kind: text}}",
            ["task.form.q: unknown key", "question"],
        ),
        ("{name: x, source: file, path: f, form: {question: q, answer: a, kind: text, choices: c}}", ["kind: choice"]),
        ("{name: x, source: file, path: f, form: {question: q, answer: a, kind: choice, choices: [a]}}", ["2 to 26"]),
        ("{name: x, source: file, path: f, form: {question: q, answer: a, kind: choice, choices: [a, '']}}", ["empty"]),
        ("{name: x, source: file, path: f, form: {question: [], answer: a, kind: text}}", ["names the field"]),
        (
            "{name: x, source: file, path: f, form: {question: q, answer: a, kind: choice, choice_fields: [A]}}",
            ["2 to 26 different fields"],
        ),
        (
            "{name: x, source: file, path: f, form: {question: q, answer: a, kind: text, choice_fields: [A, B]}}",
            ["kind: choice"],
        ),
        ("{form: {question: q, answer: a, kind: text}}", ["source: generated does not take form"]),
        ("{shots: 8}", ["source: generated does not take shots"]),
        ("{split: template}", ["source: generated does not take split"]),
        ("{name: svamp, source: file, path: f, shots: 8, train: 9}", ["shots and train"]),
        ("{name: svamp, source: file, path: f, splits: s, split: template}", ["leave split"]),
        ("{name: svamp, source: hub, test_path: f}", ["test_path needs source: file"]),
        ("{name: svamp, source: file, path: f, hub_config: c}", ["needs source: hub"]),
    ],
)
def test_a_form_that_cannot_be_is_refused_with_its_key(text: str, said: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"task: {text}", "mine.yaml")
    assert all(part in str(caught.value) for part in said), str(caught.value)
