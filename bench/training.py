"""Training speed: our training step against plain loops, on the same student, data and device, in the same run.

    python -m bench.training [--device cpu|cuda] [--dtype float32|bfloat16] [--student FOLDER] [--seconds 10]
    python -m bench.training --modes all --encoder-decoder

The plain loops are those one would write: for the language-model loss that of the transformers course; with the triplet
loss one that reads prompt and completion of anchor, positive and negative as three sequences, and lets all gradients
flow also where ours is told to stop some. Ours and a mode's plain loop take turns, on the same batches; the figures are
medians over turns. Tokens are those of prompts and anchors, without padding, alike for all. No Ray.
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

from reasoning.prompts.student_forms import student_completion, student_prompt
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import Student, load_student
from reasoning.student.embedded.architecture import student_config
from reasoning.student.embedded.tokenizer import train_tokenizer
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.losses.table import terms_of
from reasoning.training.losses.term import TokenWeights, merged
from reasoning.training.losses.triplet import triplet_losses
from reasoning.training.samples import Sample, draw_pass, tokenize_examples

TURNS = 3

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
SHOWN = ("language model", "both losses")


@dataclass(frozen=True, slots=True)
class Workload:
    student: str | None
    encoder_decoder: bool
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


Step = Callable[[tuple[Sample, ...]], None]
Pairs = list[tuple[Any, Any]]


def our_step(load: Workload, examples: list[Example], objective: ObjectiveSection) -> Step:
    student = make_student(load)
    training = TrainingSection(batch_size=load.batch_size, max_tokens=2048)
    run = FineTuning(student.model, student.tokenizer, examples, training, objective, 0, 0, 1, load.dtype)
    student.model.train()

    def step(batch: tuple[Sample, ...]) -> None:
        run.learn(batch, 1e-4)[1].tolist()

    return step


def plain_step(load: Workload, objective: ObjectiveSection) -> Step:
    """The loop of the transformers course: its collator pads to the longest, the model computes its own loss from
    `labels`, torch's default AdamW steps. With a triplet loss, three sequences a sample and a fused AdamW."""
    student = make_student(load)
    student.model.train()
    triplets, trains_language = objective.contrastive_weight > 0, token_weights(objective).trained
    optimizer = torch.optim.AdamW(student.model.parameters(), lr=1e-4, weight_decay=0.01, fused=triplets or None)
    read = plain_reader(load, student, objective)

    def step(batch: tuple[Sample, ...]) -> None:
        with _autocast(load):
            loss, anchors = read([(s.prompt, s.anchor) for s in batch], labels=trains_language, vectors=triplets)
            if triplets:
                compared = [sample for sample in batch if sample.is_triplet]
                chosen = torch.tensor([sample.is_triplet for sample in batch], device=load.device)
                others = [
                    read([(s.prompt, getattr(s, side)) for s in compared], labels=False, vectors=True)[1]
                    for side in ("positive", "negative")
                ]
                contrast = triplet_losses(anchors[chosen], others[0], others[1], objective.margin).mean()
                loss = (loss if trains_language else 0.0) + objective.contrastive_weight * contrast
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def token_weights(objective: ObjectiveSection) -> TokenWeights:
    return merged(terms_of(objective)).cross_entropy or TokenWeights(prompt=0.0, trained=False)


def plain_reader(load: Workload, student: Student, objective: ObjectiveSection) -> Callable[..., tuple[Any, Any]]:
    """Reads pairs of prompt and completion: their loss with `labels`, each completion's last hidden state with
    `vectors`."""
    from transformers import DataCollatorForSeq2Seq

    model = student.model
    encodes = model.config.is_encoder_decoder
    collator = DataCollatorForSeq2Seq(student.tokenizer, model=model if encodes else None)
    hides_prompt = token_weights(objective).prompt == 0.0

    def features(prompt: Any, text: Any) -> dict[str, list[int]]:
        if encodes:
            return {"input_ids": [*prompt], "labels": [*text]}
        return {"input_ids": [*prompt, *text], "labels": [*([-100] * len(prompt) if hides_prompt else prompt), *text]}

    def read(pairs: Pairs, *, labels: bool, vectors: bool) -> tuple[Any, Any]:
        inputs = collator([features(*pair) for pair in pairs]).to(load.device)
        if not labels:
            inputs.pop("labels")
        output = model(**inputs, output_hidden_states=vectors, use_cache=False)
        if not vectors:
            return output.loss, None
        states = output.decoder_hidden_states if encodes else output.hidden_states
        ends = [len(text) - 1 + (0 if encodes else len(prompt)) for prompt, text in pairs]
        return output.loss, states[-1][torch.arange(len(pairs)), torch.tensor(ends)]

    return read


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


def compare(load: Workload, mode: str, examples: list[Example], seconds: float) -> dict[str, float]:
    """Tokens per second of ours and of the plain loop in `mode`, in turns: printed, and returned with their ratio."""
    student = make_student(load)
    encodes = student.model.config.is_encoder_decoder
    data = tokenize_examples(examples, student.tokenizer, 2048, encoder_decoder=encodes).examples

    def batches() -> Iterator[tuple[Sample, ...]]:
        for epoch in range(10**6):
            yield from draw_pass(data, load.batch_size, 0, epoch)

    steps = {"ours": our_step(load, examples, MODES[mode]), "plain loop": plain_step(load, MODES[mode])}
    for step in steps.values():
        tokens_per_second(step, batches(), 1.0, load.device)  # warm-up
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(TURNS):
        for name, step in steps.items():
            speeds[name].append(tokens_per_second(step, batches(), seconds, load.device))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, speed in medians.items():
        print(f"{name + ', ' + mode:44s} {speed:12,.0f} tokens/s   ({', '.join(f'{v:,.0f}' for v in speeds[name])})")
    ratio = medians["ours"] / medians["plain loop"]
    print(f"{'ratio, ' + mode:44s} {ratio:12.2f}", flush=True)
    return medians | {"ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--modes", nargs="+", default=SHOWN, choices=["all", *MODES], metavar="MODE", help=str([*MODES])
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--student", default=None, help="a Hugging Face folder; default: random weights")
    parser.add_argument("--encoder-decoder", action="store_true", help="the student with random weights is a Flan-T5")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--questions", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    asked = parser.parse_args()
    load = Workload(
        asked.student, asked.encoder_decoder, asked.layers, asked.hidden, asked.batch_size, torch.device(asked.device),
        asked.dtype,
    )  # fmt: skip
    examples = coin_flips(asked.questions)
    modes = list(MODES) if "all" in asked.modes else list(asked.modes)
    found = {mode: compare(load, mode, examples, asked.seconds) for mode in modes}
    print(json.dumps({"device": str(load.device), "dtype": load.dtype, "modes": found}))


if __name__ == "__main__":
    main()
