"""Whether a teacher with logits reads and writes the tokens of its student, checked before anything starts.

Owns: the comparison of their tokenizers, for the loss `on_policy`. Nothing but small files is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.run.checks.student_files import PreflightFault
from reasoning.prompts.encoding import special_tokens
from reasoning.recipe.tailored import Recipe
from reasoning.tasks.loading import TaskData

_TEXTS = (
    "Question: A bag holds 1,024 apples; 37 are eaten. How many are left?\nReasoning: 1024 - 37 = 987.\nAnswer: 987",
    "  two  spaces, a tab\there, \u00e9t\u00e9, \u4f60\u597d, \U0001f600 and don't",
)
_QUESTIONS = 20  # of the task, to be read by both


def tokenizer_faults(recipe: Recipe, data: TaskData | None) -> Iterator[PreflightFault]:
    """What keeps the teacher from scoring the student's tokens; nothing where it is not asked to."""
    if recipe.learning.objective.loss != "on_policy":
        return
    from reasoning.student.loading import load_tokenizer

    place, cure = "teacher.model", "Take a teacher of the student's family, or another learning.objective.loss"
    try:
        student, teacher = load_tokenizer(recipe.student.source), load_tokenizer(recipe.teacher.model)
    except (OSError, ValueError, ImportError) as error:
        said = str(error).strip().splitlines()[0][:200].rstrip(".")
        yield PreflightFault(place, f"its tokenizer, which must be the student's, cannot be read: {said}", cure)
        return
    texts = [*_TEXTS, *(problem.question for problem in (data.train[:_QUESTIONS] if data is not None else ()))]
    differs = difference(student, teacher, texts)
    if differs:
        what = (
            f"on_policy compares the student and {recipe.teacher.model} token by token, and their tokenizers differ: "
            f"{differs}"
        )
        yield PreflightFault(place, what, cure)


def difference(student: Any, teacher: Any, texts: Sequence[str] = _TEXTS) -> str:
    """In what two tokenizers differ, in words; "" where both make the same tokens. A padding token that one of them
    lacks is no difference: nobody reads it."""
    pads = {one.pad_token for one in (student, teacher)} - {student.eos_token, teacher.eos_token}
    mine, theirs = (
        {token: number for token, number in one.get_vocab().items() if token not in pads} for one in (student, teacher)
    )
    other = sorted(token for token in mine.keys() | theirs.keys() if mine.get(token) != theirs.get(token))
    if other:
        token = other[0]
        of_both = (
            f"{token!r} is {mine.get(token, 'unknown')} for the one and {theirs.get(token, 'unknown')} for the other"
        )
        return f"{len(other)} of {len(mine)} tokens, such as {of_both}"
    if student.eos_token_id != teacher.eos_token_id:
        return f"a text ends in {student.eos_token!r} for the one and in {teacher.eos_token!r} for the other"
    known, meant = ({n: t for n, t in special_tokens(one).items() if t not in pads} for one in (student, teacher))
    if known != meant:
        odd = sorted({*known.items()} ^ {*meant.items()})[0][1]
        return f"{odd!r} is a special token for one of them alone"
    for text in texts:
        ids = [one(text, add_special_tokens=False)["input_ids"] for one in (student, teacher)]
        if list(ids[0]) != list(ids[1]):
            return f"they split {text[:60]!r} into different tokens"
    return ""
