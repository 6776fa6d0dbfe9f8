"""New questions read out of any reply, and admitted only when they may be learnt from."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import is_answer
from reasoning.prompts.headings import count_asked_for, read_request
from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.recipe.task import TaskSection
from reasoning.records import AnswerKind, Mistake, Problem, Split
from reasoning.rounds.new_questions.proposals import (
    Proposal,
    ProposalFilter,
    ProposalOutcome,
    choices_in,
    question_key,
    read_new_questions,
)
from reasoning.tasks.families import FAMILIES, problems, split_of
from reasoning.tasks.loading import load_problems
from tests.conftest import tries
from tests.inputs.teacher_requests import plain_content, tailored_content

NUMBER, YES_NO, CHOICE, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.TEXT
APPLES = "Ann has 3 apples and buys 4 more. How many apples does she have?"
MARY = Proposal("Mary has 2 pens and finds 5. How many pens has she?", "2 + 5 = 7.", "7", NUMBER)


def train(question: str = APPLES, answer: str = "7", kind: AnswerKind = NUMBER, **changes: object) -> Problem:
    return replace(Problem("task", question, answer, kind, Split.TRAIN), **changes)


# The request ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 12])
def test_the_request_shows_question_and_mistake_and_says_how_many(count: int) -> None:
    mistake = Mistake(train().id, 1, "3 + 4 = 8.\n\nAnswer: 8", "8")
    ((role, content),) = teacher_prompt("new_questions", count=count).first(train(), mistake)
    assert role == "user"
    assert count_asked_for(content) == count
    assert read_request(content).question == APPLES
    assert read_request(content).mistake == "3 + 4 = 8.\nAnswer: 8"
    assert "is 7." in content and "{" not in content


def test_other_requests_do_not_ask_for_new_questions() -> None:
    asking = "Ann asks 3 new questions and Bob asks 4. How many?"
    assert count_asked_for(plain_content(asking)) is None
    assert count_asked_for(tailored_content(asking, "Number of new questions: 3", "7")) is None
    assert count_asked_for(f"Please write 2 new questions.\nQuestion: {asking}") == 2


# The reply -----------------------------------------------------------------------------------------------------------

PLAIN_BLOCKS = """\
Question: Mary has 2 pens and finds 5. How many pens has she?
Reasoning: 2 + 5 = 7.
Answer: 7

Question: Tom has 9 cups
and breaks 1. How many are left?
Reasoning: We take one away.
9 - 1 = 8.
Answer: 8 cups.
"""


@pytest.mark.parametrize(
    ("question", "reasoning", "answer", "between"),
    [
        ("Question:", "Reasoning:", "Answer:", ""),
        ("**Question 1:**", "**Reasoning:**", "**Answer:**", "---\n"),
        ("1. Question:", "Reasoning:", "Answer:", ""),
        ("### Question 2\n", "**Solution**:", "**Final answer**:", "Here is another one.\n"),
        ("New question #3:", "rationale:", "ANSWER:", "2.\n"),
        ("2) **Question**:", "- Reasoning:", "- Answer 2:", "***\n"),
        ("> Question (1):", "> Reasoning:", "> Answer:", ""),
    ],
)
def test_blocks_are_read_in_whatever_dress(question: str, reasoning: str, answer: str, between: str) -> None:
    text = PLAIN_BLOCKS.replace("Question:", question).replace("Reasoning:", reasoning).replace("Answer:", answer)
    text = "Mistake: it was 7.\n" + text.replace("7\n\n", "7\n\n" + between) + "\nI hope this helps!"
    for line_end in ("\n", "\r\n"):
        first, second = read_new_questions(text.replace("\n", line_end), NUMBER)
        assert first == MARY
        assert second.question == "Tom has 9 cups\nand breaks 1. How many are left?"
        assert (second.rationale, second.answer) == ("We take one away.\n9 - 1 = 8.", "8")


def test_what_is_missing_is_empty_and_shifts_nothing() -> None:
    text = "Question: one?\nAnswer: 1\nQuestion: two?\nReasoning: so.\nQuestion: three?\nReasoning: r.\nAnswer: 3"
    assert [(p.question, p.rationale, p.answer) for p in read_new_questions(text, NUMBER)] == [
        ("one?", "", "1"),
        ("two?", "so.", ""),
        ("three?", "r.", "3"),
    ]
    assert read_new_questions("I would rather not.", NUMBER) == []
    assert read_new_questions("Reasoning: r.\nAnswer: 3", NUMBER) == []


def test_a_question_that_was_cut_off_is_left_out() -> None:
    whole = len(read_new_questions(PLAIN_BLOCKS, NUMBER, complete=False))
    cut = [read_new_questions(PLAIN_BLOCKS[:end], NUMBER, complete=False) for end in range(len(PLAIN_BLOCKS))]
    assert whole == 2  # its last answer line had ended
    assert {len(found) for found in cut} == {0, 1}
    assert all(found in ([], [MARY]) for found in cut)
    assert len(read_new_questions(PLAIN_BLOCKS.rstrip(), NUMBER)) == 2


def test_what_the_teacher_thinks_proposes_nothing() -> None:
    text = "<think>Question: 1?\nAnswer: 1\n</think>\nQuestion: 2?\nReasoning: so\nAnswer: 2"
    assert [one.question for one in read_new_questions(text, AnswerKind.NUMBER)] == ["2?"]
    assert read_new_questions("<think>Question: 1?\nAnswer: 1", AnswerKind.NUMBER) == []


def test_the_marks_of_its_turn_are_no_part_of_a_question() -> None:
    read = read_new_questions("<|START_TEXT|>Question: Where?\nAnswer: Paris<|END_TEXT|>", AnswerKind.TEXT)
    assert [(one.question, one.answer) for one in read] == [("Where?", "Paris")]


def test_no_more_are_read_than_were_asked_for() -> None:
    assert len(read_new_questions(PLAIN_BLOCKS * 3, NUMBER)) == 6
    assert len(read_new_questions(PLAIN_BLOCKS * 3, NUMBER, at_most=3)) == 3


def test_the_choices_are_those_of_the_question() -> None:
    text = (
        "Question: A man (A) and a woman (B) meet. Who is late?\nAnswer Choices: (A) the man (who ran) (B) the woman.\n"
        "(C) nobody\nReasoning: She is.\nAnswer: **(B)**"
    )
    (found,) = read_new_questions(text, CHOICE)
    assert found.choices == ("the man (who ran)", "the woman", "nobody")
    assert found.answer == "B"
    assert "Answer Choices" in found.question
    assert choices_in("Who is late? (B) nobody") == ()


@pytest.mark.parametrize("name", ["tracking_shuffled_objects"])
def test_choices_are_read_as_the_task_reads_them(name: str) -> None:
    for problem in problems(FAMILIES[name], 3, Split.TRAIN, 20):
        assert choices_in(problem.question) == problem.choices


def test_choices_of_the_published_questions_are_read_as_the_task_reads_them(real_data: Path) -> None:
    task = TaskSection(name="tracking_shuffled_objects", source="file", path=real_data / "datasets")
    for problem in load_problems(task, 0).train:
        assert choices_in(problem.question) == problem.choices


@pytest.mark.parametrize(
    ("kind", "said", "answer"),
    [
        (NUMBER, "$1,234.00 in all", "1234"),
        (NUMBER, "16 - 3 = 13", "13"),
        (YES_NO, "Yes, it is.", "yes"),
        (TEXT, '"yajo".', "yajo"),
        (TEXT, "**New York**", "New York"),
        (TEXT, "yajo, because these are the letters", "yajo"),
    ],
)
def test_an_answer_is_in_the_form_in_which_a_student_is_to_write_it(kind: AnswerKind, said: str, answer: str) -> None:
    (found,) = read_new_questions(f"Question: what?\nReasoning: r.\nAnswer: {said}", kind)
    assert found.answer == answer


HEADINGS = ("Question:", "Reasoning:", "Answer:", "**Question 1:**", "Answer Choices:", "(A) ", " (B) ", "\n", "\ud800")
replies = st.lists(st.one_of(st.text(max_size=30), st.sampled_from(HEADINGS), st.just("\n")), max_size=40)


@settings(max_examples=tries(300), deadline=None)
@given(parts=replies, kind=st.sampled_from(AnswerKind), complete=st.booleans(), at_most=st.none() | st.integers(0, 5))
def test_any_text_is_a_reply(parts: list[str], kind: AnswerKind, complete: bool, at_most: int | None) -> None:
    found = read_new_questions("".join(parts), kind, complete=complete, at_most=at_most)
    assert at_most is None or len(found) <= at_most
    for proposal in found:
        f"{proposal.question}{proposal.rationale}{proposal.answer}".encode()
        assert all(line == line.strip() and line for line in proposal.question.splitlines())


@pytest.mark.parametrize(
    "text", ["question " + " " * 200_000, "*" * 200_000, "Question: " * 30_000, "(A) (B)" * 30_000]
)
@pytest.mark.timeout(60)
def test_a_long_reply_is_read_in_one_pass(text: str) -> None:
    """What is not one pass over it takes hours. In none of them is a question with an answer."""
    assert not any(proposal.answer for proposal in read_new_questions(text, CHOICE))


# Filtering ------------------------------------------------------------------------------------------------------------


def test_a_new_question_is_admitted_once() -> None:
    proposal_filter = ProposalFilter([train()])
    assert proposal_filter.fault(MARY) is None
    assert proposal_filter.fault(MARY) is ProposalOutcome.REPEATED
    assert proposal_filter.fault(replace(MARY, question=f"  {MARY.question.upper()} ")) is ProposalOutcome.REPEATED


@pytest.mark.parametrize(
    "question",
    [APPLES, APPLES.lower(), APPLES.replace(" ", "\n "), f"“{APPLES}”", APPLES.replace(".", ","), APPLES[:-1]],
)
@pytest.mark.parametrize(
    ("split", "fate"),
    [
        (Split.TRAIN, ProposalOutcome.REPEATED),
        (Split.VALIDATION, ProposalOutcome.HELD_OUT),
        (Split.TEST, ProposalOutcome.HELD_OUT),
    ],
)
def test_a_known_question_is_known_in_whatever_dress(question: str, split: Split, fate: ProposalOutcome) -> None:
    proposal_filter = ProposalFilter([train(split=split), train(split=split)])
    assert proposal_filter.fault(replace(MARY, question=question)) is fate
    assert proposal_filter.fault(replace(MARY, question=APPLES.replace("3", "30"))) is None


def test_a_held_out_question_stays_so_when_it_is_also_a_training_question() -> None:
    for known in ([train(), train(split=Split.TEST)], [train(split=Split.TEST), train()]):
        assert ProposalFilter(known).fault(replace(MARY, question=APPLES)) is ProposalOutcome.HELD_OUT


def test_a_held_out_question_in_other_words_is_held_out_but_not_one_with_other_numbers() -> None:
    text = "A farmer has 12 cows and buys 7 more at the market on Friday. How many cows does the farmer have now?"
    held = train(text, "19", split=Split.TEST)
    for asked, fate in (
        (text.replace("A farmer", "One farmer"), ProposalOutcome.HELD_OUT),
        (text.replace("now", "in the end"), ProposalOutcome.HELD_OUT),
        (text.replace("12", "11"), None),
        (text.replace("cows", "tractors with two seats each"), None),
    ):
        assert ProposalFilter([held]).fault(Proposal(asked, "r.", "19", held.answer_kind)) is fate


def test_other_choices_do_not_make_another_question() -> None:
    known = train("Who ran? Answer Choices: (A) Ann. (B) Bob.", "A", CHOICE, choices=("Ann", "Bob"), split=Split.TEST)
    for asked in ("Who ran? (A) Bob (B) Ann", "Who ran?\nAnswer choices:\n(A) Cleo\n(B) Bob", known.question):
        other = Proposal(asked, "r.", "A", CHOICE, choices_in(asked))
        assert ProposalFilter([known]).fault(other) is ProposalOutcome.HELD_OUT
    other = Proposal("Who sat? (A) Ann (B) Bob", "r.", "A", CHOICE, ("Ann", "Bob"))
    assert ProposalFilter([known]).fault(other) is None


@pytest.mark.parametrize(
    ("proposal", "fate"),
    [
        (replace(MARY, question=""), ProposalOutcome.MALFORMED),
        (replace(MARY, question="?!"), ProposalOutcome.MALFORMED),
        (replace(MARY, question="What is it?\nThe student's reasoning: 7"), ProposalOutcome.MALFORMED),
        (replace(MARY, question="Mistake: What is it?"), ProposalOutcome.MALFORMED),
        (replace(MARY, question="What is \ufffd?"), ProposalOutcome.MALFORMED),
        (replace(MARY, rationale="\ufffd"), ProposalOutcome.MALFORMED),
        (replace(MARY, question="What is it? " * 100), ProposalOutcome.TOO_LONG),
        (replace(MARY, answer=""), ProposalOutcome.NO_ANSWER),
        (replace(MARY, answer="maybe"), ProposalOutcome.NO_ANSWER),
        (replace(MARY, answer="maybe", answer_kind=YES_NO), ProposalOutcome.NO_ANSWER),
        (Proposal("Who?", "r.", "A", CHOICE), ProposalOutcome.NO_CHOICES),
        (Proposal("Who?", "r.", "A", CHOICE, ("Ann", " ann")), ProposalOutcome.NO_CHOICES),
        (Proposal("Who?", "r.", "C", CHOICE, ("Ann", "Bob")), ProposalOutcome.NO_ANSWER),
        (Proposal("Spell it.", "r.", "x" * 500, TEXT), ProposalOutcome.TOO_LONG),
    ],
)
def test_what_cannot_be_learnt_from_is_not_admitted(proposal: Proposal, fate: ProposalOutcome) -> None:
    proposal_filter = ProposalFilter([train()])
    assert proposal_filter.fault(proposal) is fate
    assert proposal_filter.fault(MARY) is None  # and nothing else is turned away for it


def test_a_question_that_a_generated_task_would_draw_for_its_test_is_held_out() -> None:
    family = FAMILIES["coin_flip"]
    drawn = problems(family, 1, Split.TRAIN, 20)
    undrawn = problems(family, 11, Split.TEST, 5) + problems(family, 12, Split.VALIDATION, 5)
    for problem in undrawn:
        for question in (problem.question, problem.question.replace(" ", "\n", 3)):
            proposal = Proposal(question, "r.", problem.answer, YES_NO)
            assert ProposalFilter(drawn, split_of).fault(proposal) is ProposalOutcome.HELD_OUT
            assert ProposalFilter(drawn).fault(proposal) is None


@settings(max_examples=tries(200), deadline=None)
@given(
    question=st.text(max_size=60),
    answer=st.text(max_size=8) | st.sampled_from(["7", "yes", "B"]),
    kind=st.sampled_from(AnswerKind),
    choices=st.lists(st.text(max_size=4), max_size=4),
    known=st.lists(st.tuples(st.text(min_size=1, max_size=20), st.sampled_from(Split)), max_size=6),
    dress=st.sampled_from([str.upper, str.lower, str.title, str.split]),
)
def test_whatever_is_admitted_can_be_learnt_from(question, answer, kind, choices, known, dress) -> None:
    held = [train(text, kind=kind, split=split) for text, split in known]
    proposal_filter = ProposalFilter(held)
    proposal = Proposal(question, "r.", answer, kind, tuple(choices))
    if proposal_filter.fault(proposal) is None:
        assert is_answer(answer, kind, proposal.choices)
        keys = {question_key(problem.question, kind) for problem in held}
        assert question_key(question, kind) not in keys
        assert proposal_filter.fault(proposal) is ProposalOutcome.REPEATED
    for problem in held:
        said = dress(problem.question.lower()) if problem.question.isascii() else problem.question
        again = " ".join(said) if isinstance(said, list) else said
        assert proposal_filter.fault(replace(proposal, question=again)) is not None


def test_every_order_of_proposals_admits_the_same_questions() -> None:
    proposals = [replace(MARY, question=f"What is {number % 7} and one?") for number in range(20)]
    for seed in range(5):
        random.Random(seed).shuffle(proposals)
        proposal_filter = ProposalFilter([train()])
        assert sum(proposal_filter.fault(proposal) is None for proposal in proposals) == 7
