"""A run's prompts are those that its recipe names."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.prompts.files import PromptError
from reasoning.prompts.run_prompts import prompt_files, run_prompts
from reasoning.prompts.teacher_prompts import TeacherPrompt
from reasoning.recipe.tailored import parse_recipe


def test_a_recipes_prompts_are_those_it_names() -> None:
    recipe = parse_recipe("teacher: {first_prompt: zero_shot_cot, feedback_prompt: explaining}", "a.yaml")
    prompts = run_prompts(recipe)
    assert prompts.first.then is not None and not prompts.first.shows_mistake
    assert prompts.feedback.shows_mistake and prompts.feedback.id.startswith("explaining-")


def test_the_help_says_whether_the_mistake_is_shown() -> None:
    def feedback(text: str) -> TeacherPrompt:
        return run_prompts(parse_recipe(text, "test")).feedback

    assert feedback("learning: {help: tailored}").shows_mistake
    assert feedback("learning: {help: plain}") == feedback("teacher: {feedback_prompt: plain}")
    assert prompt_files(parse_recipe("learning: {help: plain}", "test"))["teacher.feedback_prompt"].path.stem == "plain"
    assert feedback("learning: {help: ladder}").shows_mistake
    with pytest.raises(PromptError, match="does not show the mistake"):
        feedback("{learning: {help: ladder}, teacher: {feedback_prompt: plain}}")
    assert feedback("{learning: {help: ladder, ladder: {tailored: false}}, teacher: {feedback_prompt: plain}}")


@pytest.mark.parametrize("prompt", ["tailored", "continuing"])
def test_what_is_asked_before_there_is_a_mistake_shows_none(prompt: str) -> None:
    def run(learning: str) -> None:
        run_prompts(parse_recipe(f"{{learning: {{{learning}}}, teacher: {{first_prompt: {prompt}}}}}", "test"))

    for learning in ("", "help: ladder", "help: ladder, first_questions: 0"):
        with pytest.raises(PromptError, match=f"first_prompt '{prompt}' shows the student's mistake .* asked before"):
            run(learning)
    run("first_questions: 0")  # nothing is asked so


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("teacher: {feedback_prompt: new_questions}", "feedback_prompt 'new_questions' asks for new questions"),
        ("learning: {new_questions: {prompt: plain}}", "prompt 'plain' asks for a rationale, and new questions are"),
        ("learning: {new_questions: {prompt: tailored}}", "name a file of your own that asks for {count} of them"),
        (
            "{learning: {help: plain, per_request: 4}, teacher: {feedback_prompt: tailored_shared}}",
            "is not asked by 'tailored_shared', which shows the mistake: set teacher.feedback_prompt: plain_shared",
        ),
        (
            "teacher: {first_prompt: plain-mixed}",
            "of that name; did you mean plain_mixed? known are continuing",
        ),
        ("teacher: {first_prompt: reasoning}", "reasoning is a prompt of the student's; known are"),
        ("teacher: {first_prompt: zzz}", "no prompt of that name; known are"),
    ],
)
def test_a_prompt_in_the_wrong_place_is_refused(text: str, said: str) -> None:
    with pytest.raises(PromptError) as refused:
        run_prompts(parse_recipe(text, "test"))
    assert said in str(refused.value)


def test_a_file_of_ones_own_may_ask_for_new_questions_in_its_own_way(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text('messages: [{role: user, content: "One like {question}, for {mistake}"}]', encoding="utf-8")
    assert run_prompts(parse_recipe(f"learning: {{new_questions: {{prompt: '{file}'}}}}", "test")).new_questions
