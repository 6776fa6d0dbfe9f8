"""Statements that answer a yes-no question by saying it again, or denying it."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import judged_answer
from reasoning.grading.extraction.restated_questions import answer_to
from reasoning.records import AnswerKind

COIN = "A coin is heads up. Lee flips the coin. Ada does not flip the coin. Is the coin still heads up?"
OUTLIVE = "Could a hamster outlive an elephant?"
FIT = "Would a llama fit in a phone box?"


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (OUTLIVE, "A hamster could outlive an elephant.", "yes"),
        (OUTLIVE, "Hamsters live for 3 years. So, a hamster couldn't outlive an elephant.", "no"),
        (OUTLIVE, "Therefore, a hamster cannot outlive an elephant because it dies early.", "no"),
        (OUTLIVE, "Hamsters cannot outlive elephants.", "no"),
        ("Could a cat drive a bus?", "Cats can't drive buses.", "no"),
        (FIT, "Llamas would fit in phone boxes.", "yes"),
        (FIT, "It is impossible for a llama to fit in a phone box.", "no"),
        (FIT, "It's possible for a llama to fit in a phone box.", "yes"),
        (FIT, "It is not possible for a llama to fit in a phone box.", "no"),
        (FIT, "It is possible for a llama to sit in a phone box.", ""),
        (FIT, "A llama wouldn’t fit in a phone box.", "no"),
        (FIT, "Thus it would not fit in a phone box.", "no"),
        (FIT, "No llama would fit in it.", "no"),
        (FIT, "A phone box is low. A llama would never fit there.", "no"),
        (OUTLIVE, "An elephant lives for 60 years. A hamster could not outlive it.", "no"),
        (OUTLIVE, "It could not outlive it.", ""),
        (COIN, "The coin is still heads up.", "yes"),
        (COIN, "Heads.", "yes"),
        (COIN, "Tails up.", "no"),
        (COIN, "tails", "no"),
        (COIN, "The coin will be tails up.", "no"),
        (COIN, "The coin is no longer heads up.", "no"),
        (COIN, "It is not heads up anymore.", "no"),
        (COIN, "The coin is now tails up.", "no"),
        (COIN, "The coin is not tails up.", "yes"),
        ("Does a bee rely on bloom?", "So, to answer the question, a bee relies on bloom.", "yes"),
        ("Did the queen cry?", "The queen cried.", "yes"),
        (COIN, "So, to answer the question, no, the coin is now tails up.", "no"),
        ("Did the queen stop?", "It is safe to say that the queen stopped.", "yes"),
        # something else
        ("Did the queen cry?", "The queen is a cry.", ""),
        ("Did the queen cry?", "The king cried.", ""),
        (OUTLIVE, "An elephant could outlive a hamster.", ""),
        (OUTLIVE, "A hamster could not outlive a tortoise.", ""),
        (OUTLIVE, "A hamster may outlive an elephant.", ""),
        (OUTLIVE, "If it were ill, a hamster could outlive an elephant.", ""),
        (OUTLIVE, "Could a hamster outlive an elephant?", ""),
        (FIT, "It is a phone box.", ""),
        (COIN, "Ada does not flip the coin.", ""),
        (COIN, "A coin is heads up. Lee flips the coin.", ""),
        ("Isn't a coin round?", "A coin is round.", ""),  # nobody can say what "yes" would mean
        ("Is it red or blue?", "It is red.", ""),
        ("Which coin is heads up?", "The coin is heads up.", ""),
        ("", "The coin is heads up.", ""),
        (COIN, "", ""),
    ],
)
def test_a_statement_says_again_what_is_asked_or_denies_it(question: str, text: str, answer: str) -> None:
    assert answer_to(question, text) == answer
    assert judged_answer(text, AnswerKind.YES_NO, (), question).answer == answer


def test_what_is_said_outright_counts_first() -> None:
    assert (
        judged_answer("Did Lee flip? No. Did Ada? No. The coin is heads up.", AnswerKind.YES_NO, (), COIN).answer
        == "yes"
    )
    assert judged_answer("Did Lee flip? Yes. The coin is not heads up.", AnswerKind.YES_NO, (), COIN).answer == "no"
    assert answer_to(OUTLIVE, "No, a hamster could outlive an elephant.") == ""
    assert judged_answer("Yes. It is not heads up.", AnswerKind.YES_NO, (), COIN).answer == "yes"
    assert judged_answer("The answer is not known.", AnswerKind.YES_NO, (), COIN).answer == ""
