"""How a student is asked one question in its form, in one step or in two, and how it reads question and answer; and
what was asked before its phase began.

Source: zero-shot chain of thought asks twice (Kojima et al., 2022): for the reasoning, then for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import StudentForm
from reasoning.student.sampling import Completion, PromptRefused, Sampling

TokenIds = tuple[int, ...]

ANSWER_TOKENS = 32  # of the second step, which asks for the answer alone


async def ask_student(
    answering: Callable[[str, Sampling], Awaitable[list[Completion]]],
    form: StudentForm,
    question: str,
    sampling: Sampling,
) -> list[Completion]:
    """`sampling.samples` completions of `question`. In two steps, each is its reasoning, the form's `answer_prompt` and
    the answer, complete when the answer is; tokens are those of both. A reasoning that fills the context, so that no
    answer can be asked for, is a completion that was cut off."""
    prompt = form.prompt(question)
    marks = form.marks(question)
    completions = await answering(prompt, replace(sampling, stop=(*sampling.stop, *form.stop), marks=marks))
    if form.answer_prompt is None:
        return completions
    for_answer = Sampling(max_new_tokens=ANSWER_TOKENS, stop=form.answer_stop, marks=marks)
    both = []
    for completion in completions:
        reasoning = completion.text.rstrip()
        try:
            (answer,) = await answering(f"{prompt}{reasoning}{form.answer_prompt}", for_answer)
        except PromptRefused:
            both.append(Completion(reasoning, False, completion.tokens))
            continue
        text = f"{reasoning}{form.answer_prompt}{answer.text}"
        both.append(Completion(text, answer.complete, completion.tokens + answer.tokens))
    return both


class AnswersAhead:
    """The student's answers to questions of a phase that has not begun, by the id of the question. Whoever does not
    find one here asks; what is not fetched is nowhere kept."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[list[Completion]]] = {}

    def begin(self, id: str, asking: Coroutine[Any, Any, list[Completion]]) -> None:
        """Starts asking."""
        self._tasks[id] = asyncio.create_task(asking)

    def take(self, id: str) -> asyncio.Task[list[Completion]] | None:
        """The answers to this question, once; None where it was not asked."""
        return self._tasks.pop(id, None)

    async def drop(self) -> None:
        """Ends what goes on, and forgets what was answered."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def read_as_tokens(
    source: str, prompts: Sequence[str], texts: Sequence[str], frame: Frame
) -> list[tuple[TokenIds, TokenIds]]:
    """The token ids of each prompt and of the completion after it, as the student at `source` learns them."""
    from reasoning.student.loading import load_tokenizer

    encoder = Encoder(load_tokenizer(source))
    asked = encoder.prompts(prompts, [frame.marks(prompt) for prompt in prompts])
    said = encoder.completions(texts, frame)
    return [(tuple(prompt), tuple(tokens)) for prompt, tokens in zip(asked, said, strict=True)]
