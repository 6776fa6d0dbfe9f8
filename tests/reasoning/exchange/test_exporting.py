"""Round trips: what is exported in a paper's format and imported again is the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reasoning.exchange.exporting import (
    answers_for_paper_a,
    attempts_for_paper_b,
    completion_metadata,
    completion_path,
    completions_for_paper_b,
    mistakes_for_paper_a,
    positions_of,
    recorded_solutions,
    samples_for_paper_b,
)
from reasoning.exchange.formats import Format
from reasoning.exchange.paper_a import write_answers
from reasoning.exchange.paper_b_completions import CompletionTemplate, write_completions
from reasoning.exchange.paper_b_dataset import write_dataset
from reasoning.exchange.paper_b_finetune import Platform, write_finetune
from reasoning.exchange.reading import read_imported
from reasoning.exchange.recordings import write_recordings
from reasoning.grading.mistakes import mistakes_of
from reasoning.grading.rationale_filter import keep
from reasoning.offline.teacher import RecordedTeacher
from reasoning.prompts.headings import one_block
from reasoning.records import AnswerKind, Attempt, Mistake, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.tasks.rows import Stated
from tests.conftest import tries
from tests.inputs.teacher_requests import plain_content
from tests.reasoning.exchange.samples import CABLE, COIN, EGGS, INK, MONEY

LETTERS = Problem("last_letters", "The last letters of Al Bo?", "lo", AnswerKind.TEXT, Split.TRAIN)
PROBLEMS = [MONEY, EGGS, COIN, LETTERS, INK, CABLE]
BY_ID = {problem.id: problem for problem in PROBLEMS}
POSITIONS = {problem.id: 10 * index for index, problem in enumerate(PROBLEMS)}

SENTENCES = st.lists(
    st.sampled_from(
        [
            "It is so.",
            "2 x 9 = 18.",
            "So, no:",
            "He adds “3” –",
            "ÄÖ 7!",
            "(B) is not",
            "the answer",
            "\n",
            "Yes",
            "END",
        ]
    )
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    min_size=1,
    max_size=6,
).map(" ".join)


@st.composite
def rationales(draw: st.DrawFn) -> Rationale:
    """As the live filter makes them of a teacher's replies, right or wrong, about any kind of question."""
    problem = draw(st.sampled_from(PROBLEMS))
    answer = draw(st.sampled_from([problem.answer, problem.answer, "7", "no", "B", "lo"]))
    made = keep(
        f"Reasoning: {draw(SENTENCES)}\nAnswer: {answer}",
        problem,
        round=0,
        source=RationaleSource.PLAIN,
        prompt="plain-v1",
        model="a-teacher",
    )
    assume(made.text and made.answer and "-->" not in made.text)
    return made


def numbered(made: list[Rationale]) -> list[Rationale]:
    """Distinct ones, numbered per question as a phase numbers them."""
    found: list[Rationale] = []
    for one in {rationale.id: rationale for rationale in made}.values():
        sample = sum(other.problem_id == one.problem_id for other in found)
        found.append(
            Rationale(
                one.problem_id, 0, one.source, one.prompt, one.model, one.text, one.answer, one.kept, sample=sample
            )
        )
    return found


def told(found: tuple[Rationale, ...] | list[Rationale]) -> list[tuple[str, int, str, str, bool]]:
    return sorted((one.problem_id, one.sample, one.text, one.answer, one.kept) for one in found)


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(made=st.lists(rationales(), min_size=1, max_size=5).map(numbered))
def test_rationales_through_paper_bs_completions(
    made: list[Rationale], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("b") / "D_task.json"
    metadata = completion_metadata("task", "a-teacher", CompletionTemplate.ZERO_SHOT_COT)
    write_completions(path, metadata, completions_for_paper_b(made, BY_ID, POSITIONS))
    found = read_imported(path, PROBLEMS)
    assert told(found.rationales) == told(made)
    assert {one.model for one in found.rationales} == {"a-teacher"} and not found.faults


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(made=st.lists(rationales(), min_size=1, max_size=5).map(numbered))
def test_kept_rationales_through_paper_bs_fine_tuning_data(
    made: list[Rationale], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = numbered([one for one in made if one.kept])
    assume(kept)
    for platform in Platform:
        path = tmp_path_factory.mktemp("b") / ("F_x.jsonl" if platform is Platform.OPENAI else "F_x.json")
        write_finetune(path, samples_for_paper_b(made, BY_ID, POSITIONS), platform)
        found = read_imported(path, PROBLEMS)
        assert [one[:3] for one in told(found.rationales)] == [one[:3] for one in told(kept)]
        assert all(one.kept for one in found.rationales) and not found.faults


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(made=st.lists(rationales(), min_size=1, max_size=5).map(numbered))
def test_rationales_through_a_recorded_teachers_file(
    made: list[Rationale], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("r") / "recorded.jsonl"
    assert write_recordings(path, recorded_solutions(made, BY_ID)) == len(made)
    found = read_imported(path, PROBLEMS)
    assert told(found.rationales) == told(made)
    assert {(one.model, one.prompt) for one in found.rationales} == {("a-teacher", "plain-v1")}
    teacher = RecordedTeacher(path)
    for one in made:
        (reply,) = teacher.complete(plain_content(BY_ID[one.problem_id].question), seed=one.sample)
        live = keep(reply, BY_ID[one.problem_id], round=0, source=one.source, prompt="", model="")
        assert (live.text, live.answer, live.kept) == (one.text, one.answer, one.kept)


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(made=st.lists(rationales(), min_size=1, max_size=5).map(numbered))
def test_kept_rationales_through_paper_as_file(made: list[Rationale], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its format has no place for the answer, so a text that does not state its own is given one, once and for all."""
    kept = [one for one in made if one.kept]
    assume(kept)
    path = tmp_path_factory.mktemp("a") / "task.train.round1.json"
    write_answers(path, answers_for_paper_a(made, BY_ID))
    found = read_imported(path, PROBLEMS)
    assert all(one.kept for one in found.rationales) and not found.faults
    texts = {one.problem_id: [] for one in found.rationales}  # type: dict[str, list[str]]
    for one in found.rationales:
        texts[one.problem_id].append(one.text)
    for one in kept:
        assert any(text.startswith(one.text[:-1]) for text in texts[one.problem_id])
    again = tmp_path_factory.mktemp("a") / "task.train.round1.json"
    write_answers(again, answers_for_paper_a(found.rationales, BY_ID))
    assert read_imported(again, PROBLEMS).rationales == found.rationales


@st.composite
def wrong_attempts(draw: st.DrawFn) -> Attempt:
    problem = draw(st.sampled_from([MONEY, EGGS, COIN]))
    answer = "yes" if problem is COIN else draw(st.sampled_from(["7", "-3", "1,000", "2.5"]))
    text = one_block(draw(SENTENCES))
    assume(text)
    return Attempt(problem.id, 1, draw(st.integers(0, 3)), f"{text}\nAnswer: {answer}", True, 9, "", Verdict.WRONG)


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(attempts=st.lists(wrong_attempts(), min_size=1, max_size=5))
def test_mistakes_through_paper_as_file(attempts: list[Attempt], tmp_path_factory: pytest.TempPathFactory) -> None:
    graded = [
        Attempt(**{**_fields(one), "prediction": one.text.rpartition(": ")[2].replace(",", "")}) for one in attempts
    ]
    mistakes = mistakes_of(graded)
    path = tmp_path_factory.mktemp("a") / "task.student.neg4.json"
    write_answers(path, mistakes_for_paper_a(mistakes, BY_ID))
    found = read_imported(path, PROBLEMS, round=1)
    assert set(found.mistakes) == set(mistakes)


def _fields(attempt: Attempt) -> dict[str, object]:
    names = ("problem_id", "round", "sample", "text", "complete", "tokens", "prediction", "verdict")
    return {name: getattr(attempt, name) for name in names}


def test_options_are_named_as_paper_a_names_them(tmp_path: Path) -> None:
    right = keep("Blotters do.\nAnswer: C", INK, round=0, source=RationaleSource.PLAIN, prompt="", model="")
    wrong = Mistake(INK.id, 1, "Ink is in it\nAnswer: B", "B")
    assert answers_for_paper_a([right], BY_ID) == {
        "What absorbs ink?": ["Blotters do. Therefore, the answer is blotter (c)."]
    }
    mistakes = mistakes_for_paper_a([wrong, Mistake(INK.id, 1, "Ink", "")], BY_ID)
    assert mistakes == {"What absorbs ink?": ["Ink is in it. Therefore, the answer is inkwell (b)."]}
    write_answers(tmp_path / "m.json", mistakes)
    (found,) = read_imported(tmp_path / "m.json", PROBLEMS, Format.A_MISTAKES).mistakes
    assert (found.problem_id, found.prediction) == (INK.id, "B")


def test_attempts_through_paper_bs_completions(tmp_path: Path) -> None:
    attempts = [
        Attempt(EGGS.id, 1, 0, "2 + 9 = 11.\nAnswer: 11", True, 0, "11", Verdict.WRONG),
        Attempt(EGGS.id, 1, 1, "2 x 9 = 18.\nAnswer: 18", True, 0, "18", Verdict.CORRECT),
        Attempt(COIN.id, 1, 0, "Al flips the coin and", False, 0, "", Verdict.TRUNCATED),
    ]
    completions = attempts_for_paper_b(attempts, BY_ID, POSITIONS)
    assert completions[0].completion == " 2 + 9 = 11. --> 11"
    assert [one.finish_reason for one in completions] == ["stop", "stop", "length"]
    path = tmp_path / "D_task__T_x.json"
    write_completions(path, completion_metadata("task", "curie", CompletionTemplate.FINE_TUNED_COT, "x"), completions)
    assert list(read_imported(path, PROBLEMS, round=1).attempts) == attempts


def test_a_completion_file_is_where_paper_bs_loader_looks() -> None:
    metadata = completion_metadata("gsm8k", "text-davinci-002", CompletionTemplate.ZERO_SHOT_COT)
    assert list(metadata) == [
        *("base_model", "dataset_key", "completion_key", "finetune_key", "train_key", "epoch", "prediction_template"),
    ]
    assert completion_path("text-davinci-002", "gsm8k", CompletionTemplate.ZERO_SHOT_COT) == (
        "B_text-davinci-002__C_zs_cot/D_gsm8k.json"
    )
    assert (
        completion_path("curie", "gsm8k", CompletionTemplate.FINE_TUNED_COT, "x")
        == "B_curie__C_ft_cot/D_gsm8k__T_x.json"
    )


def test_a_data_set_is_written_with_its_split(tmp_path: Path) -> None:
    questions = [Stated("One?", "1"), Stated("Two?", "2"), Stated("One?", "1")]
    dataset, split = write_dataset(tmp_path, "counting", questions, [2, 0], [1])
    assert json.loads(dataset.read_text(encoding="utf-8")) == {
        "metadata": {"dataset_key": "counting"},
        "data": [
            {"sample_index": 0, "question": "One?", "answer": "1"},
            {"sample_index": 1, "question": "Two?", "answer": "2"},
            {"sample_index": 2, "question": "One?", "answer": "1"},
        ],
    }
    assert split == tmp_path / "split" / "counting__default.json"
    assert json.loads(split.read_text(encoding="utf-8")) == {"train": [0, 2], "test": [1]}


def test_a_position_is_that_of_the_first_of_repeated_questions() -> None:
    assert positions_of(["x", EGGS.question, f" {EGGS.question}", "y"], [EGGS, COIN]) == {EGGS.id: 1}
