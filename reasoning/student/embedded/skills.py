"""What a pretrained student can do: its greedy answers to new passages, skill by skill.

Owns: the measurement. Invariant: the passages come from random sources that pretraining never draws from, and an answer
counts only when it is the right one to the letter; of an exercise, whose reasoning may be worded in several ways, when
its answer line is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reasoning.prompts.headings import ANSWER_HEADING
from reasoning.student.embedded.corpus import SKILLS, random_source
from reasoning.student.embedded.passage import Passage

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def greedy_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[str],
    max_new_tokens: int,
    batch_size: int = 64,
) -> list[str]:
    """The greedy continuation of each question, without special tokens."""
    import torch

    answers = [""] * len(questions)
    order = sorted(range(len(questions)), key=lambda index: len(questions[index]))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = tokenizer(
            [questions[index] for index in chosen], return_tensors="pt", padding=True, padding_side="left"
        ).to(model.device)
        with torch.inference_mode():
            out_BT: torch.Tensor = model.generate(  # type: ignore[operator]
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=max_new_tokens,
                do_sample=False,
            )
        new_BT = out_BT[:, batch["input_ids"].shape[1] :]
        for index, answer in zip(chosen, tokenizer.batch_decode(new_BT, skip_special_tokens=True), strict=True):
            answers[index] = answer
    return answers


def skill_accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int, passages: int = 40
) -> dict[str, float]:
    """The share of right last answers per skill, 0 to 1, on `passages` new passages each."""
    was_training = model.training
    model.eval()
    asked: list[tuple[str, Passage]] = []
    for skill, writer in SKILLS.items():
        rng = random_source(seed, f"skill {skill}", 0)
        asked += [(skill, writer(rng)) for _ in range(passages)]
    longest = max(len(tokenizer.encode(passage.answer)) for _, passage in asked) + 1
    answers = greedy_answers(model, tokenizer, [passage.question for _, passage in asked], longest)
    right = dict.fromkeys(SKILLS, 0)
    for (skill, passage), answer in zip(asked, answers, strict=True):
        right[skill] += _final(answer) == _final(passage.answer)
    model.train(was_training)
    return {skill: count / passages for skill, count in right.items()}


def _final(text: str) -> str:
    """The answer line when there is one, else the whole text."""
    return text.rpartition(f"\n{ANSWER_HEADING}")[2]
