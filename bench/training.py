"""Training speed: our training step against two peers, on the same student, data and device, in the same run.

    python -m bench.training [--device cpu|cuda] [--dtype float32|bfloat16] [--student FOLDER] [--seconds 10]

Peers are the loops one would write: for the language-model loss that of the transformers course; for language-model
plus triplet loss one that reads prompt and completion of anchor, positive and negative as three sequences. All take
turns with ours, on the same batches; the figures are medians over turns. Tokens are those of prompts and anchors,
without padding, alike for all. No Ray.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from reasoning.batches import Sample, draw_pass, tokenize_examples
from reasoning.collation import Segment, collate
from reasoning.embedded.architecture import student_config
from reasoning.embedded.tokenizer import train_tokenizer
from reasoning.fine_tuning import FineTuning, make_optimizer
from reasoning.objectives import (
    language_model_loss,
    predicted_tokens,
    representation,
    triplet_losses,
)
from reasoning.prompts import student_completion, student_prompt
from reasoning.recipe import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.students import Student, load_student

TURNS = 3


@dataclass(frozen=True, slots=True)
class Workload:
    student: str | None
    layers: int
    hidden: int
    batch_size: int
    device: torch.device
    dtype: Literal["float32", "bfloat16"]


def coin_flips(questions: int, seed: int = 0) -> list[Example]:
    """Coin-flip questions with two right rationales and a wrong one each; lengths vary as in the published set."""
    draw = random.Random(seed)
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


def make_student(load: Workload) -> Student:
    if load.student is not None:
        student = load_student(load.student)
    else:
        from transformers import LlamaForCausalLM

        texts = [text for example in coin_flips(256) for text in (example.prompt, *example.positives)]
        tokenizer = train_tokenizer(texts)
        torch.manual_seed(0)
        config = student_config(
            len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, load.hidden, load.layers, load.hidden * 4
        )
        student = Student(LlamaForCausalLM(config), tokenizer)
    student.tokenizer.padding_side = "right"
    student.model.to(load.device)
    return student


Step = Callable[[tuple[Sample, ...]], None]


def our_step(load: Workload, examples: list[Example], objective: ObjectiveSection) -> Step:
    student = make_student(load)
    training = TrainingSection(batch_size=load.batch_size, max_tokens=2048)
    run = FineTuning(student.model, student.tokenizer, examples, training, objective, 0, 0, 1, load.dtype)
    student.model.train()

    def step(batch: tuple[Sample, ...]) -> None:
        run.learn(batch, 1e-4).tolist()

    return step


def plain_triplet_step(load: Workload, objective: ObjectiveSection) -> Step:
    """The peer for both losses: three sequences a sample, each with its own copy of the prompt, one padded batch."""
    student = make_student(load)
    student.model.train()
    optimizer = make_optimizer(student.model, TrainingSection())
    pad = student.tokenizer.pad_token_id

    def read(samples: list[Sample]) -> tuple[Any, Any]:
        rows = collate(samples, pad, load.device, triplets=False)
        output = student.model(
            input_ids=rows.tokens_BT,
            attention_mask=rows.attention_mask(torch.float32),
            output_hidden_states=True,
            use_cache=False,
        )
        return rows, output

    def step(batch: tuple[Sample, ...]) -> None:
        with _autocast(load):
            rows, output = read(list(batch))
            loss = language_model_loss(output.logits, rows.tokens_BT, rows.segments_BT, objective.prompt_weight)
            loss = loss / predicted_tokens(batch)
            triplets = [sample for sample in batch if sample.is_triplet]
            kept = torch.tensor([sample.is_triplet for sample in batch], device=load.device)
            vectors = [representation(output.hidden_states[-1], rows.segments_BT == Segment.ANCHOR, "last")[kept]]
            for side in ("positive", "negative"):
                rows, output = read([Sample(s.prompt, getattr(s, side)) for s in triplets])
                vectors.append(representation(output.hidden_states[-1], rows.segments_BT == Segment.ANCHOR, "last"))
            contrast = triplet_losses(vectors[0], vectors[1], vectors[2], objective.margin).mean()
        (loss + objective.contrastive_weight * contrast).backward()
        torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def _autocast(load: Workload) -> Any:
    if load.dtype != "bfloat16":
        return contextlib.nullcontext()
    return torch.autocast(load.device.type, torch.bfloat16)


def tokens_per_second(step: Step, batches: Iterator[tuple[Sample, ...]], seconds: float, device: torch.device) -> float:
    tokens, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = next(batches)
        step(batch)
        tokens += sum(sample.length for sample in batch)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return tokens / (time.perf_counter() - started)


def plain_language_step(load: Workload) -> Step:
    """The peer for the language-model loss: the loop of the transformers course. Its collator pads to the longest, the
    model computes its own loss from `labels`, torch's default AdamW steps."""
    from transformers import DataCollatorForSeq2Seq

    student = make_student(load)
    student.model.train()
    collator = DataCollatorForSeq2Seq(student.tokenizer)
    optimizer = torch.optim.AdamW(student.model.parameters(), lr=1e-4, weight_decay=0.01)

    def step(batch: tuple[Sample, ...]) -> None:
        features = [{"input_ids": [*s.prompt, *s.anchor], "labels": [*s.prompt, *s.anchor]} for s in batch]
        with _autocast(load):
            loss = student.model(**collator(features).to(load.device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--student", default=None, help="a Hugging Face folder; default: random weights")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--questions", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    asked = parser.parse_args()
    load = Workload(
        asked.student, asked.layers, asked.hidden, asked.batch_size, torch.device(asked.device), asked.dtype
    )
    examples = coin_flips(asked.questions)
    data = tokenize_examples(examples, make_student(load).tokenizer, 2048).examples

    def batches() -> Iterator[tuple[Sample, ...]]:
        for epoch in range(10**6):
            yield from draw_pass(data, load.batch_size, 0, epoch)

    alone, both = ObjectiveSection(contrastive_weight=0.0), ObjectiveSection()
    steps = {
        "ours, language model": our_step(load, examples, alone),
        "plain loop, language model": plain_language_step(load),
        "ours, both losses": our_step(load, examples, both),
        "plain loop, both losses": plain_triplet_step(load, both),
    }
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        tokens_per_second(step, batches(), 1.0, load.device)  # warm-up
    for _ in range(TURNS):
        for name, step in steps.items():
            speeds[name].append(tokens_per_second(step, batches(), asked.seconds, load.device))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    ratios = {
        "language model": medians["ours, language model"] / medians["plain loop, language model"],
        "both losses": medians["ours, both losses"] / medians["plain loop, both losses"],
    }
    for name, speed in medians.items():
        print(f"{name:40s} {speed:12,.0f} tokens/s   ({', '.join(f'{v:,.0f}' for v in speeds[name])})")
    for name, ratio in ratios.items():
        print(f"ratio, {name:33s} {ratio:12.2f}")
    print(json.dumps({"device": str(load.device), "dtype": load.dtype, "tokens_per_s": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
