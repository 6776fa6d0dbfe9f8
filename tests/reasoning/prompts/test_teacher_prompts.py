"""What a teacher is asked: the messages of every built-in prompt, and what is refused of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.prompts.files import PROMPTS, PromptError, places
from reasoning.prompts.teacher_prompts import joined_reply, teacher_prompt
from reasoning.records import AnswerKind, Mistake, Problem, RationaleSource, Split
from reasoning.teacher.thinking import Thinking, split_thinking
from tests.reasoning.prompts.written import written

NAMES = sorted(path.stem for path in (PROMPTS / "teacher").glob("*.yaml"))
PROBLEM = Problem("a task", "How many?", "18", AnswerKind.NUMBER, Split.TRAIN)
SHOWN = PROMPTS / "demonstrations" / "coin_flip.yaml"
MISTAKE = Mistake(PROBLEM.id, 1, "9 and 8 make 17.", "17")


@pytest.mark.parametrize("name", NAMES)
def test_every_built_in_prompt_asks_the_question_and_leaves_no_place_open(name: str) -> None:
    prompt = teacher_prompt(name, SHOWN if name.startswith("few_shot") else None)
    shown = MISTAKE if prompt.shows_mistake else None
    text = "\n".join(content for _, content in prompt.first(PROBLEM, shown))
    assert "How many?" in text
    assert not places(text)
    assert ("9 and 8 make 17." in text) is prompt.shows_mistake


def test_demonstrations_are_shown_where_the_prompt_shows_them(tmp_path: Path) -> None:
    shown = Path(written(tmp_path, "- {question: 'One?', rationale: It is one., answer: '1'}\n", "shown.yaml"))
    ((_, content),) = teacher_prompt("few_shot_cot", shown).first(PROBLEM)
    assert content.index("One?") < content.index("It is one.") < content.index("How many?")
    with pytest.raises(PromptError, match=r"teacher\.demonstrations"):
        teacher_prompt("few_shot_cot")


def test_in_two_steps_the_second_request_holds_the_first_reply() -> None:
    prompt = teacher_prompt("zero_shot_cot")
    ((_, first),) = prompt.first(PROBLEM)
    ((_, second),) = prompt.second(PROBLEM, None, " 9 and 9. \n")
    assert first == "Q: How many?\nA: Let's think step by step."  # paper B's words
    assert second.startswith(f"{first} 9 and 9.\n")
    with pytest.raises(ValueError, match="asks once"):
        teacher_prompt("plain").second(PROBLEM, None, "")
    assert joined_reply(" 9 and 9. ", " 18\n") == "Reasoning: 9 and 9.\nAnswer: 18"
    assert joined_reply("<s>9 and 9.<|im_end|>", "18<|im_end|>") == "Reasoning: 9 and 9.\nAnswer: 18"


def test_two_steps_are_joined_without_what_was_thought_between_them() -> None:
    joined = joined_reply("<think>17?</think>9 and 9.", "<think>Now the answer.\nAnswer: 17</think>18")
    assert split_thinking(joined) == Thinking("17?", "\nReasoning: 9 and 9.\nAnswer: 18", True)
    assert not split_thinking(joined_reply("<think>17?", "<think>hm</think>18")).closed
    prompt = teacher_prompt("zero_shot_cot")
    problem = Problem("task", "How many?", "18", AnswerKind.NUMBER, Split.TRAIN)
    assert "17?" not in str(prompt.second(problem, None, "<think>17?</think>9 and 9."))


def test_a_rationale_counts_as_tailored_when_its_prompt_shows_the_mistake() -> None:
    assert teacher_prompt("tailored").source is RationaleSource.TAILORED
    assert teacher_prompt("plain").source is RationaleSource.PLAIN
    with pytest.raises(ValueError, match="shows a mistake, and none is given"):
        teacher_prompt("tailored").first(PROBLEM)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("messages: [{role: user, content: 'Solve {problem}'}]", r"\{problem\}"),
        ("messages: [{role: user, content: 'Solve it'}]", r"\{question\} must be in the messages"),
        ("messages: [{role: teacher, content: '{question}'}]", r"0\.role"),
        ("message: '{question}'", "message"),
        ("{continues: true, messages: [{role: user, content: '{question}'}]}", r"\{mistake\} must be in messages"),
        (
            "{continues: true, messages: [{role: user, content: '{question} {mistake}'}], "
            "then: [{role: user, content: '{reply}'}]}",
            "leave out then",
        ),
        (
            "{messages: [{role: user, content: '{question}'}], brief: [{role: user, content: '{question} {mistake}'}]}",
            r"in messages and in brief, or in neither",
        ),
        (
            "{messages: [{role: user, content: '{question}'}], brief: [{role: user, content: 'In short: {problem}'}]}",
            r"\{problem\}",
        ),
        (
            "{messages: [{role: user, content: '{question}'}], brief: [{role: user, content: '{question}'}], "
            "then: [{role: user, content: '{reply}'}]}",
            "brief needs a prompt of one step",
        ),
    ],
)
def test_a_prompt_that_cannot_be_used_is_named_with_its_fault(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PromptError, match=said) as refused:
        teacher_prompt(written(tmp_path, text))
    assert "mine.yaml" in str(refused.value)


def test_every_second_solution_is_asked_for_in_brief() -> None:
    prompt = teacher_prompt("plain_mixed")
    problems = [Problem("a task", f"How many {n}?", "18", AnswerKind.NUMBER, Split.TRAIN) for n in range(64)]
    brief = [["few" in prompt.first(one, None, sample)[0][1] for sample in range(3)] for one in problems]
    assert all(first is not second and first is third for first, second, third in brief)  # both, of two
    assert 16 < sum(first for first, _, _ in brief) < 48  # and of one, half of the questions
    plain = teacher_prompt("plain")
    assert {prompt.first(problems[0], None, n) for n in (0, 1)} > {plain.first(problems[0])}
