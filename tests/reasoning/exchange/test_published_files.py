"""The papers' own wordings of all twelve tasks, made from the published data by their repositories' rules, find their
questions; a real teacher's recordings go through paper B's completion data and come back word for word."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reasoning.exchange.exporting import completions_of, positions_of
from reasoning.exchange.matching import Catalog, Unmatched
from reasoning.exchange.paper_b_completions import CompletionTemplate, read_completions, solutions_of, write_completions
from reasoning.exchange.reading import match_file
from reasoning.grading.answers import same_answer
from reasoning.recipe.task import TaskSection
from reasoning.records import Problem
from reasoning.tasks.loading import load_problems, questions_in_order

Stated = tuple[str, str]


def content(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def with_choices(question: str, choices: list[str], right: int) -> Stated:
    """Paper B's wording of options."""
    shown = ", ".join(f"({chr(ord('A') + i)}) {choice.strip()}" for i, choice in enumerate(choices))
    return f"{question} Answer choices: {shown}.", chr(ord("A") + right)


def big_bench(path: Path, shuffled: bool) -> Iterator[Stated]:
    """Paper B's wording of a BIG-bench task, whose options it may shuffle."""
    state = np.random.RandomState(0)
    for row in content(path)["examples"]:
        scores = list(row["target_scores"].items())
        order = list(state.permutation(len(scores))) if shuffled else list(range(len(scores)))
        places = {place: scores[i] for i, place in enumerate(order)}
        choices = [places[i][0].removesuffix(".") for i in range(len(scores))]
        right = next(i for i in range(len(scores)) if places[i][1])
        yield with_choices(f"{row['input'].strip()}\nWhich choice is true?", choices, right)


def commonsense(folder: Path) -> list[dict[str, Any]]:
    return [row for part in ("train", "dev") for row in content(folder / f"commonsense_qa_{part}.jsonl")]


def of_paper_b(task: str, folder: Path) -> list[Stated]:
    """The questions and answers of `task` as paper B's data set has them, in its order."""
    match task:
        case "gsm8k":
            rows = [row for part in ("train", "test") for row in content(folder / f"gsm8k_{part}.jsonl")]
            return [(row["question"], row["answer"].rpartition("#### ")[2]) for row in rows]
        case "svamp":
            rows = content(folder / "svamp.json")
            return [(f"{row['Body'].strip()} {row['Question'].strip()}", str(row["Answer"])) for row in rows]
        case "commonsense_qa":
            return [
                with_choices(
                    row["question"]["stem"].strip(),
                    [choice["text"] for choice in row["question"]["choices"]],
                    ord(row["answerKey"]) - ord("A"),
                )
                for row in commonsense(folder)
            ]
        case "strategy_qa":
            rows = content(folder / "strategy_qa.json")["examples"]
            return [(row["input"].strip(), "Yes" if row["target_scores"]["Yes"] else "No") for row in rows]
        case "coin_flip" | "last_letter_concatenation":
            return [(row["question"], row["answer"]) for row in content(folder / f"{task}.json")["examples"]]
        case "tracking_shuffled_objects" | "date_understanding":
            return list(big_bench(folder / f"{task}.json", shuffled=task == "date_understanding"))
        case _:
            rows = content(folder / f"{task}.json")
            return [(row["sQuestion"].strip(), str(row["lSolutions"][0])) for row in rows]


def of_paper_a(task: str, folder: Path) -> list[Stated]:
    """The same as paper A's data processors name them."""
    if task == "commonsense_qa":
        return [(row["question"]["stem"], row["answerKey"].lower()) for row in commonsense(folder)]
    rows = content(folder / "svamp.json")
    return [(f"{row['Body'].rstrip('.')}. {row['Question']}", str(int(row["Answer"]))) for row in rows]


def section(task: str, folder: Path) -> TaskSection:
    return TaskSection(name=task, source="file", path=folder)


@functools.cache
def known(task: str, folder: Path) -> list[Problem]:
    data = load_problems(section(task, folder), 0)
    return [*data.train, *data.validation, *data.test]


@pytest.mark.parametrize(
    ("task", "count"),
    [
        ("single_eq", 508),
        ("addsub", 395),
        ("multiarith", 600),
        ("gsm8k", 8792),
        ("svamp", 1000),
        ("commonsense_qa", 10962),
        ("strategy_qa", 2290),
        ("coin_flip", 500),
        ("last_letter_concatenation", 500),
        ("tracking_shuffled_objects", 750),
    ],
)
def test_every_question_of_paper_b_is_found_with_its_answer_and_sample_index(
    task: str, count: int, real_data: Path
) -> None:
    folder = real_data / "datasets"
    problems = known(task, folder)
    catalog = Catalog(problems)
    order = [stated.question for stated in questions_in_order(section(task, folder))]
    first = positions_of(order, problems)
    stated = of_paper_b(task, folder)
    assert len(stated) == len(order) == count
    for index, (question, answer) in enumerate(stated):
        problem = catalog.find(question)
        assert isinstance(problem, Problem), problem
        assert same_answer(answer, problem.answer, problem.answer_kind), question
        assert " ".join(order[index].split()) == " ".join(problem.question.split())
        assert first[problem.id] <= index


def test_paper_bs_date_questions_are_refused_for_their_shuffled_letters(real_data: Path) -> None:
    folder = real_data / "datasets"
    catalog = Catalog(known("date_understanding", folder))
    for question, _ in of_paper_b("date_understanding", folder):
        found = catalog.find(question)
        assert isinstance(found, Unmatched) and "another order" in found.what


@pytest.mark.parametrize(("task", "unclear"), [("svamp", 0), ("commonsense_qa", 2)])
def test_every_question_of_paper_a_is_found(task: str, unclear: int, real_data: Path) -> None:
    folder = real_data / "datasets"
    catalog = Catalog(known(task, folder))
    stated = of_paper_a(task, folder)
    found = [(catalog.find(question), answer) for question, answer in stated]
    matched = [(problem, answer) for problem, answer in found if isinstance(problem, Problem)]
    assert len(stated) - len(matched) == unclear  # two questions of CommonsenseQA differ in their options alone
    assert all(same_answer(answer, problem.answer, problem.answer_kind) for problem, answer in matched)


@pytest.mark.parametrize("task", ["addsub", "multiarith", "coin_flip", "date_understanding", "strategy_qa"])
def test_recordings_go_through_paper_bs_completions_word_for_word(task: str, real_data: Path, tmp_path: Path) -> None:
    problems = known(task, real_data / "datasets")
    matched = match_file(real_data / "recorded_teacher" / f"{task}.jsonl", problems)
    assert matched.pairs and not matched.faults
    positions = positions_of([problem.question for problem in problems], problems)
    path = tmp_path / f"D_{task}.json"
    metadata = {
        "base_model": "text-davinci-002",
        "dataset_key": task,
        "prediction_template": CompletionTemplate.ZERO_SHOT_COT,
    }
    write_completions(path, metadata, completions_of(matched.pairs, positions))
    back = solutions_of(read_completions(path))
    assert not back.faults
    told = {
        (problem.question, one.rationale, one.answer_text, one.answer_trigger, problem.answer)
        for one, problem in matched.pairs
    }
    assert told == {
        (one.question, one.rationale, one.answer_text, one.answer_trigger, one.gold) for one in back.solutions
    }
    assert len(match_file(path, problems).pairs) == len(matched.pairs)
