"""New questions that are a test question in other words are held out, also when their teacher got the answer wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reasoning.recipe.learning import NewQuestionsSection
from reasoning.records import AnswerKind, Mistake, Problem, Split
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.new_questions.asking import ask_new_questions
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.teacher.calls import TeacherReply

TEST = "A farmer has 12 cows and buys 7 more at the market on Friday. How many cows does the farmer have now?"
COPIED = TEST.replace("A farmer", "One farmer")
PROBLEM = Problem("farm", "Ann has 3 hens and buys 4. How many has she?", "7", AnswerKind.NUMBER, Split.TRAIN)


def session(question: str, claimed: str, agreed: str) -> TeacherSession:
    """A teacher that writes `question` with the answer `claimed`, and answers `agreed` when it is asked it alone."""
    texts = {
        "new": f"Question: {question}\nReasoning: We add.\nAnswer: {claimed}",
        "alone": f"Reasoning: We add.\nAnswer: {agreed}",
    }

    async def answer(query: str) -> TeacherReply:
        return TeacherReply(query, texts[query], "stop", 1, 1, "teacher")

    def start(query: str) -> asyncio.Task[TeacherReply]:
        asked: Coroutine[Any, Any, TeacherReply] = answer(query)
        return asyncio.create_task(asked)

    held = Problem("farm", TEST, "19", AnswerKind.NUMBER, Split.TEST)
    teacher = SimpleNamespace(max_in_flight=4, model="teacher", teaches_thinking=False)
    return cast(
        TeacherSession,
        SimpleNamespace(
            data=SimpleNamespace(train=(PROBLEM,), validation=(), test=(held,)),
            train_by_id={PROBLEM.id: PROBLEM},
            recipe=SimpleNamespace(task=SimpleNamespace(source="file"), teacher=teacher),
            prompts=SimpleNamespace(new_questions=SimpleNamespace(id="new"), plain=SimpleNamespace(id="plain")),
            requests=SimpleNamespace(new_questions_for=lambda mistake: "new", answers_to=lambda problem: ["alone"] * 2),
            start_asking=start,
        ),
    )


@pytest.mark.parametrize(
    ("question", "claimed", "agreed", "fate"),
    [
        (COPIED, "19", "19", ProposalOutcome.HELD_OUT),
        (COPIED, "20", "19", ProposalOutcome.HELD_OUT),
        (COPIED.replace("12", "11"), "18", "18", ProposalOutcome.KEPT),
        (COPIED.replace("12", "11"), "19", "18", ProposalOutcome.KEPT),
    ],
)
def test_a_copied_question_is_held_out_by_the_answer_that_is_agreed_on(
    question: str, claimed: str, agreed: str, fate: ProposalOutcome
) -> None:
    section = NewQuestionsSection(per_mistake=1, answers=2, agreement=2)
    mistake = Mistake(PROBLEM.id, 1, "3 + 4 = 8.\nAnswer: 8", "8")
    records, rationales = asyncio.run(ask_new_questions(session(question, claimed, agreed), 1, [mistake], section))
    assert [record.fate for record in records] == [fate]
    assert any(one.kept for one in rationales) is (fate is ProposalOutcome.KEPT)
