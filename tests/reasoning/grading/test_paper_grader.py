"""Paper B's rule to the letter: each of its oddities by name, its published figures, and that no completion raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.paper_grader import PAPER_TASKS, PREFIXES, PaperVerdict, Template, is_paper_gold, paper_grade
from reasoning.tasks.loading import TASKS

AS_STRINGS, AS_FLOATS = ("gsm8k", "multiarith"), ("single_eq", "addsub", "svamp")
GOLD = {"number": "18", "yes_no": "yes", "choice": "B", "text": "yajo"}


def right(completion: str, gold: str, task: str, template: Template = Template.ZS_COT) -> bool:
    return paper_grade(completion, gold, task, template).correct


def test_it_has_a_rule_for_each_of_the_papers_twelve_tasks() -> None:
    assert len(PAPER_TASKS) == 12
    assert set(PAPER_TASKS) <= set(TASKS)


@pytest.mark.parametrize("template", [template for template in Template if PREFIXES[template] is None])
def test_without_a_prefix_the_first_candidate_counts(template: Template) -> None:
    assert paper_grade("18, or rather 19", "18", "gsm8k", template) == PaperVerdict("18", True, True, True)
    assert paper_grade("19, or rather 18", "18", "gsm8k", template) == PaperVerdict("19", False, True, True)
    assert paper_grade("none", "18", "gsm8k", template) == PaperVerdict(None, False, False, True)


@pytest.mark.parametrize(
    ("template", "prefix"),
    [
        (Template.FT_COT_TOKEN, "-->"),
        (Template.FT_COT_NATURAL, "Therefore, the answer is"),
        (Template.FS_COT, "The answer is"),
    ],
)
def test_with_a_prefix_the_first_candidate_after_it_counts_and_without_it_the_last(
    template: Template, prefix: str
) -> None:
    assert paper_grade(f"5 and 6 {prefix} 18, not 7", "18", "gsm8k", template) == PaperVerdict("18", True, True, True)
    assert paper_grade("5 and 6, so 18", "18", "gsm8k", template) == PaperVerdict("18", True, True, False)
    assert paper_grade("18 and 6", "18", "gsm8k", template) == PaperVerdict("6", False, True, False)
    assert paper_grade(f"18 {prefix} nothing", "18", "gsm8k", template) == PaperVerdict(None, False, False, True)


def test_the_first_prefix_counts_where_there_are_several() -> None:
    assert right("--> 18 --> 19", "18", "gsm8k", Template.FT_COT_TOKEN)
    assert not right("--> 18 --> 19", "19", "gsm8k", Template.FT_COT_TOKEN)


def test_contains_answer_looks_at_the_part_that_is_read_only() -> None:
    assert not paper_grade("18 --> 19", "18", "gsm8k", Template.FT_COT_TOKEN).contains_answer


def test_a_prefix_is_found_only_as_it_is_written() -> None:
    for said in ("therefore, the answer is 18", "Therefore the answer is 18"):
        assert not paper_grade(said, "18", "gsm8k", Template.FT_COT_NATURAL).correct_format


@pytest.mark.parametrize(("task", "letters"), [("aqua", "ABCDE"), ("date_understanding", "ABCDEF")])
def test_capitals_inside_words_are_options(task: str, letters: str) -> None:
    assert right("Because it is (C)", "B", task)
    assert paper_grade("the DVD", "D", task).prediction == "D"
    assert paper_grade("(b)", "B", task).prediction is None
    assert paper_grade(chr(ord(letters[-1]) + 1), letters[-1], task).prediction is None


def test_tracking_shuffled_objects_has_three_options() -> None:
    assert paper_grade("D, then C", "C", "tracking_shuffled_objects").prediction == "C"


@pytest.mark.parametrize("task", AS_STRINGS)
def test_numbers_compare_as_strings_in_gsm8k_and_multiarith(task: str) -> None:
    assert not right("18.00", "18", task)
    assert not right("018", "18", task)
    assert right("18.", "18", task)


@pytest.mark.parametrize("task", AS_FLOATS)
def test_numbers_compare_as_floats_within_a_millionth_elsewhere(task: str) -> None:
    assert right("18.00", "18", task)
    assert right("0.3333333", "0.3333330", task)
    assert not right("0.33333", "0.33333333", task)


@pytest.mark.parametrize("task", (*AS_STRINGS, *AS_FLOATS))
def test_commas_are_deleted_and_a_hyphen_is_a_minus(task: str) -> None:
    assert right("1,080", "1080", task) and right("1080", "1,080", task)
    assert right("1,2", "12", task)
    assert right("from-3", "-3", task)
    assert not right(".5", "0.5", task)
    assert not right("1/2", "0.5", task)


@pytest.mark.parametrize("task", ["strategy_qa", "coin_flip"])
def test_yes_and_no_are_words_in_any_case(task: str) -> None:
    assert right('It is "YES".', "yes", task)
    assert right("no one knows", "no", task)
    assert paper_grade("(yes)", "yes", task).prediction is None
    assert paper_grade("yes! no?", "yes", task).prediction is None


def test_the_gold_answer_is_lowered_in_strategy_qa_alone() -> None:
    assert right("Yes.", "Yes", "strategy_qa")
    assert not right("Yes.", "Yes", "coin_flip")


def test_last_letters_are_the_whole_text_without_quotes_dots_and_white_space() -> None:
    task = "last_letter_concatenation"
    assert right(' "y a\nj o".', "yajo", task)
    assert not right("Yajo", "yajo", task)
    assert not right("y, a, j, o", "yajo", task)
    assert not right("It is yajo", "yajo", task)
    assert right("It is --> yajo", "yajo", task, Template.FT_COT_TOKEN)
    assert paper_grade("", "yajo", task).prediction == ""


def test_a_gold_answer_must_be_one_that_the_rule_reads() -> None:
    assert is_paper_gold("1,080.5", "svamp") and is_paper_gold("anything", "gsm8k")
    assert not is_paper_gold("3 apples", "svamp") and not is_paper_gold("nan", "addsub")
    with pytest.raises(KeyError):
        paper_grade("18", "18", "arithmetic")


@given(st.text(max_size=60), st.sampled_from(PAPER_TASKS), st.sampled_from(Template))
def test_no_completion_makes_it_raise(text: str, task: str, template: Template) -> None:
    gold = GOLD[TASKS[task].answer_kind]
    verdict = paper_grade(text, gold, task, template)
    assert verdict == paper_grade(text, gold, task, template)
    assert verdict.contains_answer or not verdict.correct


@pytest.mark.parametrize(
    ("task", "accuracy"),
    [
        ("addsub", 71.39),
        ("multiarith", 78.67),
        ("aqua", 33.07),
        ("coin_flip", 91.40),
        ("date_understanding", 67.48),
        ("strategy_qa", 54.76),
    ],
)
def test_it_gives_the_published_accuracy_of_recorded_answers(real_data: Path, task: str, accuracy: float) -> None:
    lines = (real_data / "recorded_teacher" / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    correct = sum(right(row["answer_completion"], row["gold"], task) for row in rows)
    assert round(100 * correct / len(rows), 2) == accuracy
