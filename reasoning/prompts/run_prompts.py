"""The prompts of one run: which files its recipe names, and what they make.

Owns: the list of a recipe's prompt files, and the student's form and teacher's prompts built from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reasoning.prompts.chat_template import chat_frame, chat_template
from reasoning.prompts.files import PROMPTS, PromptError, PromptFile, read_prompt
from reasoning.prompts.student_forms import StudentForm, is_chat, student_form
from reasoning.prompts.teacher_prompts import TeacherPrompt, teacher_prompt
from reasoning.recipe.student import StudentSection
from reasoning.recipe.tailored import Recipe

STUDENT_PROMPT = "student.prompt"
PLAIN = "plain"
_SHIPPED = PROMPTS / "teacher"


@dataclass(frozen=True, slots=True)
class RunPrompts:
    """How the student is asked (`form`), and the teacher: for round 0's rationales (`first`), for answers to mistakes
    (`feedback`), for new questions (`new_questions`, when the recipe wants them) and for their answers (`plain`)."""

    form: StudentForm
    first: TeacherPrompt
    feedback: TeacherPrompt
    plain: TeacherPrompt
    new_questions: TeacherPrompt | None = None


def run_prompts(recipe: Recipe) -> RunPrompts:
    """The prompts of `recipe`. Raises `PromptError`."""
    teacher = recipe.teacher
    feedback = teacher_prompt(feedback_prompt(recipe))
    first = teacher_prompt(teacher.first_prompt, teacher.demonstrations)
    if first.shows_mistake and (recipe.learning.first_questions or recipe.learning.ladder is not None):
        raise PromptError(
            f"teacher.first_prompt {teacher.first_prompt!r} shows the student's mistake ({{mistake}}), and is asked "
            "before there is one: name one that does not (`plain`)"
        )
    for key, prompt, instead in (("first", first, "plain"), ("feedback", feedback, "tailored")):
        if prompt.asks_new_questions:
            raise PromptError(
                f"teacher.{key}_prompt {getattr(teacher, f'{key}_prompt')!r} asks for new questions ({{count}}), and a "
                f"rationale is wanted: name one that asks for that (`{instead}`), and this one in "
                "learning.new_questions.prompt"
            )
    wanted = recipe.learning.new_questions
    new = teacher_prompt(wanted.prompt, count=wanted.per_mistake) if wanted else None
    if wanted and new and not new.asks_new_questions and read_prompt(wanted.prompt, "teacher").path.parent == _SHIPPED:
        raise PromptError(
            f"learning.new_questions.prompt {wanted.prompt!r} asks for a rationale, and new questions are wanted: "
            "leave it out (`new_questions`), or name a file of your own that asks for {count} of them"
        )
    if recipe.learning.per_request > 1 and not any(prompt.several for prompt in (first, feedback)):
        if recipe.learning.help == "plain" and teacher_prompt(teacher.feedback_prompt).several:
            raise PromptError(
                f"learning.per_request: with help: plain the teacher is not asked by {teacher.feedback_prompt!r}, "
                "which shows the mistake: set teacher.feedback_prompt: plain_shared, or leave per_request out"
            )
        raise PromptError(
            f"learning.per_request: {recipe.learning.per_request} needs a prompt that asks several questions at once, "
            "with the keys several and part: teacher.feedback_prompt: tailored_shared, teacher.first_prompt: "
            "plain_shared"
        )
    return RunPrompts(form_of(recipe.student), first, feedback, teacher_prompt(PLAIN), new)


def feedback_prompt(recipe: Recipe) -> str:
    """The name of the prompt that asks about a mistake; with `learning.help: plain`, of one that does not show it.
    Raises `PromptError` where the ladder is to show mistakes, and the prompt does not."""
    learning, name = recipe.learning, recipe.teacher.feedback_prompt
    shows = teacher_prompt(name).shows_mistake
    if learning.help == "plain" and shows:
        return PLAIN
    if learning.ladder is not None and learning.ladder.tailored and not shows:
        raise PromptError(
            f"teacher.feedback_prompt {name!r} does not show the mistake, which learning.help: ladder needs: name one "
            "that has the place {mistake} (`tailored`), or set learning.ladder.tailored: false"
        )
    return name


def form_of(student: StudentSection, template: str | None = None) -> StudentForm:
    """The form of a recipe's student; `template` is the chat template that its run has kept. A form of messages loads
    the student's tokenizer. Raises `PromptError`."""
    chat = chat_frame(student.source, student, template) if is_chat(student.prompt) else None
    return student_form(student.prompt, student.demonstrations, chat)


def template_of(student: StudentSection) -> str | None:
    """The chat template that a form of messages goes through; None for plain text. Raises `PromptError`."""
    return chat_template(student.source, student) if is_chat(student.prompt) else None


def prompt_files(recipe: Recipe) -> dict[str, PromptFile]:
    """Every prompt file of `recipe`, by the key that names it. Raises `PromptError`."""
    files = {
        STUDENT_PROMPT: read_prompt(recipe.student.prompt, "student"),
        "teacher.first_prompt": read_prompt(recipe.teacher.first_prompt, "teacher"),
        "teacher.feedback_prompt": read_prompt(feedback_prompt(recipe), "teacher"),
    }
    if recipe.learning.new_questions is not None:
        key = "learning.new_questions.prompt"
        files[key] = read_prompt(recipe.learning.new_questions.prompt, "teacher")
    return files


def other_files(recipe: Recipe) -> dict[str, Path]:
    """What else shapes every round and is kept with a run: files of few-shot examples, and imported rationales and
    mistakes, by the key that names them."""
    named = {
        "student.demonstrations": recipe.student.demonstrations,
        "teacher.demonstrations": recipe.teacher.demonstrations,
        "learning.imported.rationales": recipe.learning.imported.rationales,
        "learning.imported.mistakes": recipe.learning.imported.mistakes,
    }
    return {key: path.expanduser() for key, path in named.items() if path is not None}
