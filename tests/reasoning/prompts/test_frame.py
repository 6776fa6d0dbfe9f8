"""Which characters of a prompt and of a completion are the form's own."""

from __future__ import annotations

import pytest

from reasoning.prompts.frame import Frame, Marks

PLAIN = Frame.around("Shown: 1.\nQ: ", "\nA:", shown="Shown: 1.\n")
CHAT = Frame("<u>", "</u>", ((0, 3),), ((0, 4),), lead="<t>", trail="</t>", words=("<t>So ", ".</t>"), end="<e>")


@pytest.mark.parametrize(
    ("frame", "prompt", "own"),
    [
        (PLAIN, "Shown: 1.\nQ: How?\nA:", ((10, 13), (17, 20))),
        (CHAT, "<u>How?</u>", ((0, 3), (7, 11))),
        (CHAT, "<u></u>", ((0, 3), (3, 7))),
        (CHAT, "<u>", ()),
        (CHAT, "another text", ()),
    ],
)
def test_a_prompts_own_words(frame: Frame, prompt: str, own: tuple[tuple[int, int], ...]) -> None:
    assert frame.marks(prompt) == Marks(own, True, frame.end)


@pytest.mark.parametrize(
    ("completion", "own"),
    [
        ("<t>So 4.</t>", ((0, 6), (7, 12))),
        ("<t>4</t>", ((0, 3), (4, 8))),  # the student's own: begun and ended by the template alone
        ("4", ()),
    ],
)
def test_a_completions_own_words(completion: str, own: tuple[tuple[int, int], ...]) -> None:
    assert CHAT.marks_of_completion(completion) == own


def test_plain_text_adds_nothing_to_what_a_training_is() -> None:
    assert PLAIN.identity == ()
    assert CHAT.identity != ()


@pytest.mark.parametrize(
    ("between", "completion", "reasoning"),
    [
        ("\nAnswer: ", " Two and two is 4.\nAnswer: 4", " Two and two is 4."),
        ("\nAnswer: ", " Two and two is 4.\n\nanswer: 4", " Two and two is 4."),
        ("\nAnswer: ", " Answer: is what I want.\nAnswer: 4", " Answer: is what I want."),
        (" The answer is ", " It is 4. The answer is 4.", " It is 4."),
        (" --> ", " 2 + 2 = 4 --> 4", " 2 + 2 = 4"),
        ("\nAnswer: ", " Two and two is 4. So it is 4.", " Two and two is 4."),  # the student left the words out
        ("\nAnswer: ", " 4", ""),
        ("\nAnswer: ", "\nAnswer: 4", ""),
        (" ", " Two and two. It is 4. 4", " Two and two. It is 4."),  # a form without words of its own
        ("\nAnswer: ", "", ""),
    ],
)
def test_where_the_reasoning_of_a_completion_ends(between: str, completion: str, reasoning: str) -> None:
    frame = Frame("Q: ", "\nA:", (), (), between=between)
    assert completion[: frame.reasoning_end(completion)] == reasoning


def test_a_frame_knows_its_question() -> None:
    assert PLAIN.question("Shown: 1.\nQ: How?\nA:") == "How?"
    assert PLAIN.question("another text") is None
