"""Prompts as files: the student's forms, what is refused, what travels with the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from reasoning.prompts.files import PROMPTS, Message, PromptError, fill, read_prompt
from reasoning.prompts.run_prompts import prompt_files, run_prompts
from reasoning.prompts.student_forms import chat_frame, student_form
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from tests.tiny_students import byte_tokenizer

FORMS = sorted(path.stem for path in (PROMPTS / "student").glob("*.yaml"))


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


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


@given(st.text(), st.text())
def test_what_is_filled_in_is_text(value: str, other: str) -> None:
    assert fill("{question} \\frac{1}{2} {answer}", question=value, answer=other) == f"{value} \\frac{{1}}{{2}} {other}"
    assert fill("{question}", question="{answer}", answer="18") == "{answer}"


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


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PromptError, match="there are chat, few_shot_cot"):
        student_form("reasonning")


def test_demonstrations_stand_before_the_question(tmp_path: Path) -> None:
    shown = Path(written(tmp_path, "- {question: 'One?', rationale: It is one., answer: '1'}\n", "shown.yaml"))
    form = student_form("few_shot_cot", shown)
    assert form.prompt("Two?") == "Q: One?\nA: It is one. The answer is 1.\n\nQ: Two?\nA:"
    with pytest.raises(PromptError, match=r"student\.demonstrations"):
        student_form("few_shot_cot")
    with pytest.raises(PromptError, match=r"0\.answer"):
        student_form("few_shot_cot", Path(written(tmp_path, "- {question: 'One?'}", "bad.yaml")))


def test_a_chat_form_goes_through_the_students_own_template(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    opening = TemplateProcessing("<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = opening
    tokenizer.chat_template = "<s>{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
    tokenizer.save_pretrained(tmp_path)
    form = student_form("chat", chat=chat_frame(str(tmp_path)))
    prompt = form.prompt("How many?")
    assert prompt.startswith("<user>Think step by step")  # <s> is added by whoever tokenises
    assert prompt.endswith("Question: How many?\n<assistant>")
    assert form.completion("9 and 9.", "18") == "9 and 9.\nAnswer: 18"
    with pytest.raises(PromptError, match="chat template"):
        student_form("chat")


def test_a_template_that_drops_the_question_is_refused() -> None:
    def drops(messages: tuple[Message, ...]) -> str:
        return "<user><assistant>"

    with pytest.raises(PromptError, match="leaves out the question"):
        student_form("chat", chat=drops)


def test_an_edited_prompt_has_another_id(tmp_path: Path) -> None:
    name = written(tmp_path, "prompt: 'Q: {question}'\ncompletion: ' {answer}'")
    before = read_prompt(name, "student").id
    written(tmp_path, "prompt: 'Ask: {question}'\ncompletion: ' {answer}'")
    assert before != read_prompt(name, "student").id and before.startswith("mine-")


def test_a_runs_prompts_are_kept_with_it_and_may_not_change_under_it(tmp_path: Path) -> None:
    name = written(tmp_path, "prompt: 'Q: {question}'\ncompletion: ' {rationale} {answer}'")
    recipe = parse_recipe(f"student: {{prompt: {name}}}", "a.yaml")
    directory = RunDirectory(tmp_path / "run")
    directory.claim(recipe)
    assert {path.stem for path in directory.prompts.iterdir()} == set(prompt_files(recipe))
    assert directory.claim(recipe) is True
    written(tmp_path, "prompt: 'Ask: {question}'\ncompletion: ' {rationale} {answer}'")
    with pytest.raises(RunDirectoryError, match=r"student\.prompt.*was changed"):
        directory.claim(recipe)
    assert directory.form().prompt("One?") == "Q: One?"


def test_a_recipes_prompts_are_those_it_names() -> None:
    recipe = parse_recipe("teacher: {first_prompt: zero_shot_cot, feedback_prompt: explaining}", "a.yaml")
    prompts = run_prompts(recipe)
    assert prompts.first.then is not None and not prompts.first.shows_mistake
    assert prompts.feedback.shows_mistake and prompts.feedback.id.startswith("explaining-")
