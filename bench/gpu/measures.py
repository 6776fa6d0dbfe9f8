"""What is measured of the project's own step: that it is right, and how fast it is.

Owns: the step as `FineTuning` makes it, its losses and gradients, its tokens a second, and TRL's beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from bench.gpu.device import Device
from bench.gpu.plain import plain_loss
from bench.gpu.shapes import Shape, make_examples, make_model, make_tokenizer
from bench.training.trl_peer import trl_tokens_per_second
from bench.training.workload import MODES
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.samples import Sample, draw_pass

TRL_ROW, TRL_ROWS = 2_048, 8  # tokens of a row, rows of a step
Dtype = Literal["float32", "bfloat16"]


class _Kept:
    """In the place of the optimizer: keeps the gradients of a step, and moves nothing."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.param_groups: list[dict[str, Any]] = []
        self.gradients: list[Tensor] = []

    def step(self) -> None:
        parameters = self._model.parameters()
        self.gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None


def deviation(mode: str, shape: Shape, device: Device, dtype: Dtype, shorter: int) -> tuple[float, float]:
    """How far the step's loss, and its gradients together (the norm of the difference over the norm), are from those
    of the plain computation, on the same weights, relative to the latter."""
    objective, examples = MODES[mode], make_examples(6, shorter=shorter, seed=1)
    plain = make_model(shape, "cpu", torch.float64).eval()
    model = make_model(shape, "cpu", torch.float32)
    model.load_state_dict(plain.state_dict())
    training = TrainingSection(batch_size=6, max_tokens=2048, max_grad_norm=None)
    run = FineTuning(model.to(device.device), make_tokenizer(), examples, training, objective, 0, 0, 1, dtype)
    batch = draw_pass(run.data.examples, 6, 0, 0)[0]
    kept = _Kept(model)
    run.optimizer = kept  # type: ignore[assignment]  # it is neither saved nor loaded
    losses = run.learn(batch, 0.0)[1]
    named = dict(zip((term.name for term in run.losses.terms), losses.tolist(), strict=True))
    found = named.get("lm", 0.0) if objective.loss != "contrastive" else 0.0
    found += objective.contrastive_weight * named.get("triplet", 0.0)
    expected = plain_loss(plain, batch, objective)
    expected.backward()
    right_loss = float(expected.detach())
    right = [torch.zeros_like(p) if p.grad is None else p.grad for p in plain.parameters()]
    apart = sum(
        float((mine.cpu().double() - one).square().sum()) for mine, one in zip(kept.gradients, right, strict=True)
    )
    whole = sum(float(one.square().sum()) for one in right)
    return abs(found - right_loss) / abs(right_loss), (apart / whole) ** 0.5


@dataclass(frozen=True, slots=True)
class Speed:
    """Of all workers together: tokens of prompts and anchors a second, and operations (of everything that was read)."""

    tokens: float
    operations: float

    def shown(self, device: Device) -> str:
        if device.peak is None:
            return f"{self.tokens:12,.0f} tokens/s   {self.operations / 1e12:8.3f} TFLOP/s"
        share = self.operations / (device.peak * device.world_size)
        return f"{self.tokens:12,.0f} tokens/s   {100 * share:5.1f} % MFU"


def speed(
    shape: Shape, training: TrainingSection, objective: ObjectiveSection, device: Device, seconds: float, shorter: int
) -> Speed:
    """A training's steps, after two that warm up. Raises torch's error where the memory does not suffice."""
    half = training.precision == "bfloat16"
    model = make_model(shape, device.device, torch.bfloat16 if half else torch.float32)
    examples = make_examples(16 * training.batch_size, shorter=shorter)
    dtype: Dtype = "bfloat16" if device.on_gpu else "float32"
    run = FineTuning(model, make_tokenizer(), examples, training, objective, 0, device.rank, device.world_size, dtype)
    model.train()
    batches = _batches(run, training.batch_size)
    for _ in range(2):
        run.learn(next(batches), 1e-5)
    tokens, operations, started = 0, 0.0, device.clock()
    while device.together(device.clock() - started) < seconds or not tokens:
        batch = next(batches)
        run.learn(batch, 1e-5)
        tokens += sum(sample.length for sample in batch)
        operations += shape.operations(
            [length for one in batch for length in _read_lengths(one, objective)], frozen=training.lora is not None
        )
    took = device.clock() - started
    return Speed(tokens / took, operations / took)


def _batches(run: FineTuning, size: int) -> Iterator[tuple[Sample, ...]]:
    for epoch in range(10**6):
        yield from draw_pass(run.data.examples, size, 0, epoch)


def _read_lengths(sample: Sample, objective: ObjectiveSection) -> list[int]:
    """What must be read of a sample: its prompt and anchor, and what is compared with it, whose prompt is shared."""
    others = [sample.positive, sample.negative] if objective.contrastive_weight and sample.is_triplet else []
    return [sample.length, *(len(other) for other in others if other)]


def trl_speed(shape: Shape, device: Device, seconds: float, shorter: int) -> Speed:
    """TRL's trainer on rows that it packs itself."""
    tokenizer = make_tokenizer()
    examples = make_examples(2_000 // shorter, shorter=shorter)
    texts = [(*tokenizer(f"{one.prompt}{one.positives[0]}").input_ids, tokenizer.eos_token_id) for one in examples]
    model = make_model(shape, device.device, torch.bfloat16 if device.on_gpu else torch.float32)
    tokens = trl_tokens_per_second(
        model, tokenizer, texts, seconds, row=TRL_ROW // shorter, rows=TRL_ROWS, bfloat16=device.on_gpu,
        clock=device.clock, together=device.together,
    )  # fmt: skip
    usual = [len(text) for text in texts]
    return Speed(tokens, tokens * shape.operations(usual) / sum(usual))
