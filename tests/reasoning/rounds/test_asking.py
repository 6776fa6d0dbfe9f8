"""A student asked in one step or in two."""

from __future__ import annotations

import asyncio

from reasoning.prompts.run_prompts import run_prompts
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.asking import ANSWER_TOKENS, ask_student
from reasoning.student.sampling import Completion, PromptRefused, Sampling


class Student:
    """Gives two reasonings, and ends each answer at the limit or not as `complete` says."""

    def __init__(self, complete: bool = True) -> None:
        self.asked: list[tuple[str, Sampling]] = []
        self.complete = complete

    async def answer(self, prompt: str, sampling: Sampling) -> list[Completion]:
        self.asked.append((prompt, sampling))
        if len(self.asked) == 1:
            return [Completion(f"Way {n}. \n", True, 5) for n in range(sampling.samples)]
        return [Completion(" 18.", self.complete, 2)]


def test_one_step_asks_once_and_adds_the_stops_of_the_form() -> None:
    student, form = Student(), default_form()
    sampling = Sampling(samples=2, temperature=0.7, stop=("END",))
    completions = asyncio.run(ask_student(student.answer, form, "How many?", sampling))
    ((prompt, used),) = student.asked
    assert prompt == form.prompt("How many?") and used.stop == ("END", *form.stop) and used.samples == 2
    assert [one.text for one in completions] == ["Way 0. \n", "Way 1. \n"]


def test_two_steps_ask_for_each_answer_after_its_reasoning() -> None:
    student, form = Student(complete=False), run_prompts(parse_recipe("student: {prompt: zero_shot_cot}", "t")).form
    assert form.answer_prompt is not None
    sampling = Sampling(samples=2, temperature=0.7)
    completions = asyncio.run(ask_student(student.answer, form, "How many?", sampling))
    assert len(student.asked) == 3
    for n, (completion, (prompt, used)) in enumerate(zip(completions, student.asked[1:], strict=True)):
        assert prompt == f"{form.prompt('How many?')}Way {n}.{form.answer_prompt}"
        assert used == Sampling(max_new_tokens=ANSWER_TOKENS, stop=form.answer_stop, marks=form.marks("How many?"))
        assert completion == Completion(f"Way {n}.{form.answer_prompt} 18.", False, 7)


def test_a_reasoning_that_leaves_no_room_for_its_answer_was_cut_off() -> None:
    class Full(Student):
        async def answer(self, prompt: str, sampling: Sampling) -> list[Completion]:
            if "Way 1" in prompt:
                raise PromptRefused("too long for a context of 512")
            return await super().answer(prompt, sampling)

    form = run_prompts(parse_recipe("student: {prompt: zero_shot_cot}", "t")).form
    sampling = Sampling(samples=3, temperature=0.7)
    first, second, third = asyncio.run(ask_student(Full().answer, form, "How many?", sampling))
    assert second == Completion("Way 1.", False, 5)
    assert first.complete and third.complete and third.text == f"Way 2.{form.answer_prompt} 18."
