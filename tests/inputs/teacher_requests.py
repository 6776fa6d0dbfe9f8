"""Requests to a teacher in the built-in prompts' words, for tests of whoever reads them."""

from __future__ import annotations

from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.records import AnswerKind, Mistake, Problem, Split


def plain_content(question: str) -> str:
    """The message that asks a bare question."""
    ((_, content),) = teacher_prompt("plain").first(_problem(question, "18"))
    return content


def tailored_content(question: str, mistake: str, gold: str, prompt: str = "tailored") -> str:
    """The message that shows a mistake."""
    problem = _problem(question, gold)
    ((_, content),) = teacher_prompt(prompt).first(problem, Mistake(problem.id, 1, mistake, ""))
    return content


def _problem(question: str, answer: str) -> Problem:
    return Problem("a task", question, answer, AnswerKind.TEXT, Split.TRAIN)
