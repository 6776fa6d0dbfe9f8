"""From published files to records: the live filter decides, and what is left out is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.exchange.reading import read_imported
from reasoning.records import Problem, Verdict
from tests.reasoning.exchange.samples import (
    CHOICES,
    COIN,
    EGGS,
    INK,
    MONEY,
    NUMBERS,
    TESTED,
    completion,
    completion_file,
    write,
)


def test_paper_as_rationales_pass_the_live_filter(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gsm8k.train.round1.json",
        {EGGS.question: ["2 x 9 = 18. Therefore, the answer is 18.", "2 + 9 = 11. Therefore, the answer is 11."]},
    )
    found = read_imported(path, NUMBERS)
    right, wrong = found.rationales
    assert (right.problem_id, right.answer, right.kept, right.sample) == (EGGS.id, "18", True, 0)
    assert right.text == "2 x 9 = 18. Therefore, the answer is 18."  # as that paper's trainer shows it to the student
    assert (right.model, right.prompt, right.round) == ("unknown", "paper-a", 0)
    assert (wrong.answer, wrong.kept, wrong.sample) == ("11", False, 1)
    assert found.notes == ("1 of 2 rationales do not end in the right answer, so they are not learned from.",)


def test_paper_as_commonsense_questions_have_no_choices_and_small_letters(tmp_path: Path) -> None:
    path = write(
        tmp_path / "cqa.train.round1.json", {"What absorbs ink?": ["Blotters do. So the answer is blotter (c)."]}
    )
    (one,) = read_imported(path, CHOICES).rationales
    assert (one.problem_id, one.answer, one.kept) == (INK.id, "C", True)


def test_who_wrote_it_can_be_named_where_the_file_does_not_say(tmp_path: Path) -> None:
    path = write(tmp_path / "teacher.json", {EGGS.question: ["It is 18."]})
    (one,) = read_imported(path, NUMBERS, model="gpt-3.5-turbo", prompt="by hand", round=2).rationales
    assert (one.model, one.prompt, one.round) == ("gpt-3.5-turbo", "by hand", 2)


def test_paper_bs_completions_keep_their_writer_and_prompt(tmp_path: Path) -> None:
    samples = {
        7: [
            completion(7, EGGS.question, "18", " \n\n2 a day.\n\n2 x 9 = 18.", " 18.", completion_index=0),
            completion(7, EGGS.question, "18", " 2 + 9 = 11.", " 11 eggs.", completion_index=1),
        ],
        9: [completion(9, TESTED.question, "2", " 1 + 1 = 2.", " 2.")],
    }
    found = read_imported(completion_file(tmp_path / "D_gsm8k.json", samples), NUMBERS)
    right, wrong = found.rationales
    assert (right.text, right.answer, right.kept) == ("2 a day.\n2 x 9 = 18.", "18", True)
    assert (right.model, right.prompt) == ("text-davinci-002", "zs_cot")
    assert (wrong.answer, wrong.kept) == ("11", False)
    assert "1 entries left out that are about test questions." in found.notes
    assert not found.faults


def test_what_was_cut_off_is_left_out_unless_it_is_wanted(tmp_path: Path) -> None:
    cut = completion(7, EGGS.question, "18", " 2 x 9 = 18, and", " 18.", reasoning_finish_reason="length")
    path = completion_file(tmp_path / "D_gsm8k.json", {7: [cut]})
    found = read_imported(path, NUMBERS)
    assert not found.rationales
    assert found.notes == ("1 rationales left out that were cut off at their limit of tokens.",)
    (one,) = read_imported(path, NUMBERS, keep_truncated=True).rationales
    assert one.kept


def test_repetitions_are_counted_not_learnt_twice(tmp_path: Path) -> None:
    samples = {index: [completion(index, EGGS.question, "18", f"{' ' * index}2 x 9 = 18.", " 18.")] for index in (3, 5)}
    found = read_imported(completion_file(tmp_path / "D_gsm8k.json", samples), NUMBERS)
    assert len(found.rationales) == 1
    assert found.notes == ("1 repetitions of a solution left out.",)


@pytest.mark.parametrize(
    ("problems", "question", "answer", "what"),
    [
        (NUMBERS, "Who are you?", "1", "not a question of this task: 'Who are you?'"),
        (NUMBERS, EGGS.question, "19", "its answer '19' is not the task's, '18'"),
        (CHOICES, INK.question, "E", "its answer 'E' is not among the 3 choices"),
        (CHOICES, INK.question, "A", "its answer 'A' is not the task's, 'C'"),
    ],
)
def test_what_is_not_the_tasks_is_named_by_its_line(
    problems: list[Problem], question: str, answer: str, what: str, tmp_path: Path
) -> None:
    path = completion_file(tmp_path / "c.json", {0: [completion(0, question, answer, " So.", " 1.")]})
    found = read_imported(path, problems)
    assert not found.rationales
    (fault,) = found.faults
    assert f"{path}, line 15: " in str(fault) and what in str(fault)


def test_the_same_answer_in_other_dress_is_the_tasks(tmp_path: Path) -> None:
    samples = {
        0: [completion(0, MONEY.question, "1,003", " 1003.", " $1,003.00")],
        1: [completion(1, EGGS.question, "18.0", " 18.", " 18.")],
    }
    found = read_imported(completion_file(tmp_path / "c.json", samples), NUMBERS)
    assert [one.kept for one in found.rationales] == [True, True] and not found.faults


# Mistakes -----------------------------------------------------------------------------------------------------------


def test_paper_as_mistakes_keep_their_own_wrong_answer(tmp_path: Path) -> None:
    texts = ["2 + 9 = 11.\nAnswer: 11", "2 x 9 = 19. Therefore, the answer is 19", "2 + 9 = 11.\nAnswer: 11"]
    path = write(tmp_path / "gsm8k.student.train.round0.neg4.json", {EGGS.question: texts})
    found = read_imported(path, NUMBERS, round=1)
    assert [(one.text, one.prediction, one.round) for one in found.mistakes] == [
        ("2 + 9 = 11.\nAnswer: 11", "11", 1),
        ("2 x 9 = 19. Therefore, the answer is 19", "19", 1),
    ]


def test_what_paper_a_took_for_mistakes_and_is_none_is_left_out(tmp_path: Path) -> None:
    texts = {
        MONEY.question: ["3 + 1000 = 1,003\nAnswer: 1,003"],  # a gold answer with a comma never compared equal there
        EGGS.question: ["The hen lays 2 eggs on the 1st day and 2 on the 2nd, which"],  # ran into its limit
    }
    found = read_imported(write(tmp_path / "student_wrong.json", texts), NUMBERS)
    assert not found.mistakes
    assert [fault.what for fault in found.faults] == ["it is not a mistake: it answers '1003', which is right"]
    assert found.notes == ("1 texts left out that state no answer: they may have been cut off.",)


def test_a_commonsense_mistake_ends_in_its_letter(tmp_path: Path) -> None:
    path = write(tmp_path / "cqa.student.json", {"What absorbs ink?": ["Ink is in it, so inkwell (b).", "It is (c)."]})
    found = read_imported(path, CHOICES)
    assert [(one.problem_id, one.prediction) for one in found.mistakes] == [(INK.id, "B")]
    assert len(found.faults) == 1


# A student's attempts -----------------------------------------------------------------------------------------------


def test_a_fine_tuned_students_completions_are_graded_attempts(tmp_path: Path) -> None:
    def said(index: int, text: str, reason: str | None) -> dict[str, object]:
        entry = {"sample_index": 0, "completion_index": index, "question": COIN.question, "answer": "no"}
        return (
            entry
            | {"prompt": f"{COIN.question} ###", "completion": text}
            | ({"finish_reason": reason} if reason else {})
        )

    path = completion_file(
        tmp_path / "D_coin_flip__T_ft_cot.json",
        {
            0: [
                said(0, " Al flips. --> no", "stop"),
                said(1, " He does not. --> yes", None),
                said(2, " He and he", "length"),
            ]
        },
        base_model="curie",
        prediction_template="ft_cot_token",
    )
    found = read_imported(path, [COIN], round=1)
    assert [(one.verdict, one.sample, one.complete) for one in found.attempts] == [
        (Verdict.CORRECT, 0, True),
        (Verdict.WRONG, 1, True),
        (Verdict.TRUNCATED, 2, False),
    ]
    assert found.attempts[0].text == "Al flips.\nAnswer: no"
    assert [(one.text, one.prediction, one.round) for one in found.mistakes] == [
        ("He does not.\nAnswer: yes", "yes", 1)
    ]
