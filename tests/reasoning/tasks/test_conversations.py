"""Chat rows: what is asked in them and what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reasoning.records import AnswerKind
from reasoning.tasks.rows import Fields

NUMBER, TEXT = AnswerKind.NUMBER, AnswerKind.TEXT
WHOLE = Fields(("messages",), "messages")


def openai(question: Any, answer: Any, system: str = "") -> list[dict[str, Any]]:
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def sharegpt(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


@pytest.mark.parametrize(
    ("turns", "kind", "answer"),
    [
        (openai("How many?", "5"), NUMBER, "5"),
        (openai("How many?", "5", "Be brief."), NUMBER, "5"),
        (sharegpt("How many?", "5"), NUMBER, "5"),
        (openai("How many?", "2 + 3 = 5.\n#### 5"), NUMBER, "5"),
        (openai("How many?", "First 2, then 3. The answer is 5."), NUMBER, "5"),
        (openai("How many?", "So it is \\boxed{5}."), NUMBER, "5"),
        (openai("How many?", "<think>6? No.</think>\n\n5"), NUMBER, "5"),
        (openai([{"type": "text", "text": "How many?"}], [{"type": "text", "text": "5"}]), NUMBER, "5"),
        (openai("How many?", "Who wrote it? The answer is Ada Lovelace. She was the first."), TEXT, "Ada Lovelace"),
        (openai("How many?", "I think that the answer is: May 3, 2021."), TEXT, "May 3, 2021"),
        (openai("How many?", "It is known.\n\n\\boxed{Ada Lovelace}"), TEXT, "Ada Lovelace"),
        (json.dumps(openai("How many?", "Ada")), TEXT, "Ada"),
        (repr(openai("How many?", "Ada")), TEXT, "Ada"),
        ("\n ".join(map(repr, openai("How many?", "Ada"))).join("[]"), TEXT, "Ada"),  # as NumPy prints it
        ([{"role": "user", "parts": [{"text": "How many?"}]}, {"role": "model", "parts": ["5"]}], NUMBER, "5"),
        ([{"type": "human", "content": "How many?"}, {"type": "ai", "content": "5"}], NUMBER, "5"),
        (openai("How many?", [{"type": "thinking", "thinking": "6?"}, {"type": "text", "text": "5"}]), NUMBER, "5"),
        ([{"role": "assistant", "content": "Ask me."}, *openai("How many?", "5")], NUMBER, "5"),
        ([*openai("How many?", "5"), {"role": "assistant", "content": ""}], NUMBER, "5"),
        ([{"role": "User", "content": "How many?"}, {"role": "Chatbot", "content": "5"}], NUMBER, "5"),
        ([{"from": "instruction", "value": "How many?"}, {"from": "output", "value": "5"}], NUMBER, "5"),
    ],
)
def test_a_conversation_is_a_question_and_its_answer(turns: Any, kind: AnswerKind, answer: str) -> None:
    stated = WHOLE.read({"messages": turns}, kind)
    assert (stated.question, stated.answer) == ("How many?", answer)


def test_a_part_of_a_conversation_may_be_named() -> None:
    fields = Fields(("messages.system", "messages.user"), "gold")
    assert (
        fields.read({"messages": openai("How many?", "x", "Count."), "gold": 5}, NUMBER).question == "Count. How many?"
    )
    prompts = Fields(("prompt",), "completion")
    row = {"prompt": openai("How many?", "")[:1], "completion": [{"role": "assistant", "content": "5"}]}
    assert prompts.read(row, NUMBER).answer == "5"


@pytest.mark.parametrize(
    ("turns", "what"),
    [
        (openai("Who?", "Ada") + openai("And how many?", "5"), "has 2 questions, and only one can be asked"),
        (openai("Who?", "Ada")[1:], "has no question"),
        (openai("Who?", "Ada")[:1], "no answer of an assistant"),
        (openai("How many?", "I cannot say."), "not a number"),
        (openai("How many?", "It may be 5 or so"), "not a number"),
        (openai("How many?", "<think>5"), "thinking of its answer does not end"),
        (openai([{"type": "image_url", "image_url": {}}], "5"), "not text alone"),
        (openai("How many?", None), "its answer is empty"),
        ([*openai("How many?", "5")[::-1]], "no answer of an assistant"),  # it spoke before the question
        (json.dumps(openai("How many?", "5"))[:-5], "cannot be read"),
        (repr(openai("How many?", "5"))[:-3] + "...", "cannot be read"),
    ],
)
def test_what_is_no_question_and_answer_is_refused(turns: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        WHOLE.read({"messages": turns}, NUMBER)
