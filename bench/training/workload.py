"""What is trained on: examples like the published coin flips, and a student, the same for everyone who is compared."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from reasoning.prompts.student_forms import student_completion, student_prompt
from reasoning.recipe.training import ObjectiveSection
from reasoning.records import Example
from reasoning.student.checkpoint import Student, load_student
from reasoning.student.embedded.architecture import student_config
from reasoning.student.embedded.tokenizer import train_tokenizer
from reasoning.training.samples import Sample

LEARNING_RATE, WEIGHT_DECAY, MAX_GRAD_NORM = 1e-4, 0.01, 1.0
SHOWN = ("language model", "both losses")  # of these modes, unless others are asked for
MODES = {
    "language model": ObjectiveSection(contrastive_weight=0.0),
    "full": ObjectiveSection(loss="full", contrastive_weight=0.0),
    "completion": ObjectiveSection(loss="completion", contrastive_weight=0.0),
    "both losses": ObjectiveSection(),
    "both losses, mean": ObjectiveSection(representation="mean"),
    "both losses, no prompt gradient": ObjectiveSection(prompt_gradient=False),
    "completion and triplet": ObjectiveSection(loss="completion"),
    "contrastive": ObjectiveSection(loss="contrastive"),
    "contrastive, no prompt gradient": ObjectiveSection(loss="contrastive", prompt_gradient=False),
}
Step = Callable[[tuple[Sample, ...]], None]  # learns one batch, and waits until that is done


@dataclass(frozen=True, slots=True)
class Workload:
    student: str | None
    encoder_decoder: bool
    layers: int
    hidden: int
    batch_size: int
    device: torch.device
    dtype: Literal["float32", "bfloat16"]


def coin_flips(questions: int) -> list[Example]:
    """Coin-flip questions with two right rationales and a wrong one each; lengths vary as in the published set."""
    draw = random.Random(0)
    names = ["Ann", "Bartholomew", "Chi", "Deandra", "Emilio", "Fay", "Guadalupe", "Hal", "Ines", "Jo"]
    examples = []
    for i in range(questions):
        flips = [(draw.choice(names), draw.random() < 0.5) for _ in range(draw.randint(2, 6))]
        question = "A coin is heads up. " + " ".join(
            f"{name} {'flips' if flip else 'does not flip'} the coin." for name, flip in flips
        )
        steps = [f"{name} {'flips it.' if flip else 'leaves it.'}" for name, flip in flips]
        turned = sum(flip for _, flip in flips)
        texts = [
            student_completion(" ".join(steps) + f" It was flipped {turned + wrong} times.", answer)
            for wrong, answer in ((0, "yes"), (1, "no"))
        ]
        short = student_completion(f"It was flipped {turned} times.", "yes")
        examples.append(Example(f"q{i}", student_prompt(question), (texts[0], short), (texts[1],)))
    return examples


def random_student(load: Workload) -> Student:
    from transformers import LlamaForCausalLM, T5Config, T5ForConditionalGeneration

    tokenizer = train_tokenizer([text for example in coin_flips(256) for text in (example.prompt, *example.positives)])
    torch.manual_seed(0)
    pad, end, hidden = tokenizer.pad_token_id, tokenizer.eos_token_id, load.hidden
    if not load.encoder_decoder:
        config = student_config(len(tokenizer), pad, end, hidden, load.layers, hidden * 4)
        return Student(LlamaForCausalLM(config), tokenizer)
    shape: dict[str, Any] = {"d_model": hidden, "d_kv": hidden // 4, "d_ff": hidden * 4, "num_heads": 4}
    shape |= {"vocab_size": len(tokenizer), "num_layers": load.layers, "dropout_rate": 0.0}
    shape |= {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}  # as Flan-T5
    shape |= {"pad_token_id": pad, "eos_token_id": end, "decoder_start_token_id": pad}
    return Student(T5ForConditionalGeneration(T5Config(**shape)), tokenizer)


def make_student(load: Workload) -> Student:
    student = load_student(load.student) if load.student is not None else random_student(load)
    student.tokenizer.padding_side = "right"
    student.model.to(load.device)
    return student


def autocast(load: Workload) -> Any:
    if load.dtype != "bfloat16":
        return contextlib.nullcontext()
    return torch.autocast(load.device.type, torch.bfloat16)
