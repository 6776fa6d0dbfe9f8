"""The forms in which a student is asked and answers, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.chat_template import chat_frame
from reasoning.prompts.files import PROMPTS, PromptError
from reasoning.prompts.student_forms import student_completion, student_form, student_prompt
from tests.reasoning.prompts.chat_templates import chat_tokenizer
from tests.reasoning.prompts.written import written

FORMS = sorted(path.stem for path in (PROMPTS / "student").glob("*.yaml"))


def test_fine_tune_cots_form_is_the_papers() -> None:
    form = student_form("fine_tune_cot")
    assert form.prompt("How many?") + form.completion("9 and 9.", "18") == "How many? ### 9 and 9. --> 18"
    assert student_form("fine_tune").completion("not shown", "18") == " 18"


@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("chat", "few_shot_cot")])
def test_every_plain_form_meets_its_completion_at_white_space(name: str) -> None:
    form = student_form(name)
    prompt, completion = form.prompt("How many?"), form.completion("9 and 9.", "18")
    assert prompt == prompt.rstrip() and completion[0].isspace() and completion.rstrip(". ").endswith("18")
    assert form.reasons is ("9 and 9." in completion)


def test_a_mistake_keeps_its_words_and_begins_as_a_completion_does() -> None:
    assert student_form("reasoning").own_completion("  9 and 8.\n\nAnswer: 17 ") == " 9 and 8.\nAnswer: 17"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt: 'Q: {question} '\ncompletion: ' {answer}'", "must not end in white space"),
        ("prompt: 'Q: {question}'\ncompletion: '{answer}'", "must begin with a space"),
        ("prompt: 'Q: {question}'\ncompletion: ' {rationale}'", r"\{answer\} must be in the completion"),
        ("prompt: 'Q:'\ncompletion: ' {answer}'", r"\{question\} must be in the prompt"),
        ("prompt: 'Q: {question} {mistake}'\ncompletion: ' {answer}'", r"unknown place \{mistake\}"),
        ("completion: ' {answer}'", "either prompt"),
        ("prompt: 'Q: {question}'\ncompletion: ' {answer}'\nanswers: 3", "answers: Extra inputs"),
        ("- a list", "mapping of keys"),
        ("prompt: '{question", "cannot be read as YAML"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_named_with_its_fault(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PromptError, match=said) as refused:
        student_form(written(tmp_path, text))
    assert "mine.yaml" in str(refused.value)


def test_a_chat_form_goes_through_the_students_own_template(tmp_path: Path) -> None:
    chat_tokenizer("mistral").save_pretrained(tmp_path)
    form = student_form("chat", chat=chat_frame(str(tmp_path)))
    prompt = form.prompt("How many?")
    assert prompt.startswith("[INST] Think step by step")  # <s> is added by whoever tokenises
    assert prompt.endswith("Question: How many? [/INST]")
    assert form.completion("9 and 9.", "18") == " 9 and 9.\nAnswer: 18"
    assert form.own_completion("9 and 8.\n\nAnswer: 17 ") == " 9 and 8.\nAnswer: 17"
    with pytest.raises(PromptError, match="chat template"):
        student_form("chat")


def test_a_mistake_of_a_thinking_student_is_taught_without_its_thoughts(tmp_path: Path) -> None:
    chat_tokenizer("deepseek-r1").save_pretrained(tmp_path)
    form = student_form("chat", chat=chat_frame(str(tmp_path)))
    assert form.prompt("How many?").endswith("<think>\n")
    for said in ("8 or 9?\n</think>\n\n9 and 8.\nAnswer: 17", "9 and 8.\nAnswer: 17"):
        assert form.own_completion(said) == "\n</think>\n\n9 and 8.\nAnswer: 17"


def test_what_a_template_writes_around_an_answer_stands_there_once(tmp_path: Path) -> None:
    chat_tokenizer("hunyuan").save_pretrained(tmp_path)
    form = student_form("chat", chat=chat_frame(str(tmp_path)))
    for said in ("<think>\n8?\n</think>\n<answer>\n9 and 8.\nAnswer: 17\n</answer>", "9 and 8.\nAnswer: 17"):
        assert form.own_completion(said) == "<think>\n\n</think>\n<answer>\n9 and 8.\nAnswer: 17\n</answer>"
        assert form.rationale_in(said) == "9 and 8."


def test_the_students_form() -> None:
    # paper A's prompt ended in a space, which tokenised otherwise in training than at inference
    assert student_prompt(" How many? ") == "Question: How many?\nReasoning:"
    assert student_completion(" 9 and 9.\n\n That is 18. ", "18") == " 9 and 9.\nThat is 18.\nAnswer: 18"


@given(st.text(), st.text())
def test_prompt_and_completion_meet_at_one_space(question: str, rationale: str) -> None:
    prompt, completion = student_prompt(question), student_completion(rationale, "18")
    assert prompt == prompt.rstrip() and completion.startswith(" ") and completion.endswith("\nAnswer: 18")
    assert "\n\n" not in completion.removesuffix("\nAnswer: 18").strip()
