"""How a training step scales over trainers: the real workers of Ray Train, their division of a batch and their sums of
gradients, with a tiny student and a pretended time for each sample.

Owns: one pass by so many workers. Each sleeps `sample_s` seconds for each of its samples and then learns them, so that
workers on one core do not take time from one another: what is measured is what working together costs. Every worker
adds as many samples to a step as the first had.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

SAMPLES, STEPS = 8, 25  # of each worker in a step; of a pass


@dataclass(frozen=True, slots=True)
class Passed:
    """One pass: its samples, and the seconds that it took the first worker."""

    samples: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.samples / self.seconds


def timed_pass(rank: int, world_size: int, sample_s: float, steps: int = STEPS) -> Passed:
    """What each worker does: a pass that warms up, and one that counts."""
    import torch

    from bench.gpu.shapes import TINY, make_examples, make_model, make_tokenizer
    from reasoning.recipe.training import ObjectiveSection, TrainingSection
    from reasoning.training.fine_tuning import FineTuning
    from reasoning.training.samples import Sample, share

    torch.set_num_threads(1)
    torch.manual_seed(0)  # all begin with the same weights
    batch = SAMPLES * world_size
    examples = make_examples(steps * batch // 2, shorter=4)  # two rationales each
    settings = TrainingSection(batch_size=batch, epochs=2)
    model, tokenizer = make_model(TINY, "cpu", torch.float32), make_tokenizer()

    class Pretending(FineTuning):
        def learn(self, batch: tuple[Sample, ...], rate: float) -> tuple[tuple[int, ...], torch.Tensor, torch.Tensor]:
            time.sleep(sample_s * len(share(batch, self.rank, self.world_size)))
            return super().learn(batch, rate)

    run = Pretending(
        model, tokenizer, examples, settings, ObjectiveSection(contrastive_weight=0.0), 0, rank, world_size, "float32"
    )
    run.learn_pass(0, None)
    began = time.perf_counter()
    run.learn_pass(1, None)
    return Passed(steps * batch, time.perf_counter() - began)


def in_worker(config: dict[str, Any]) -> Passed:
    """What each worker of Ray Train runs."""
    import ray.train

    context = ray.train.get_context()
    return timed_pass(context.get_world_rank(), context.get_world_size(), config["sample_s"])


def pass_of(workers: int, sample_s: float, folder: str) -> Passed:
    """A pass by so many workers, started as a trainer starts its own."""
    from actors.training.job import TrainingJob
    from actors.training.trainer import run_program
    from reasoning.recipe.training import ObjectiveSection, TrainingSection

    job = TrainingJob(
        f"{workers}-workers", folder, "", "", "", TrainingSection(), ObjectiveSection(), 0, workers, cpus=0.01
    )
    found: Passed = run_program(in_worker, {"sample_s": sample_s}, job)
    return found


def over_trainers(options: argparse.Namespace, folder: str) -> list[dict[str, float]]:
    """A pass at each number of trainers, printed, with the efficiency: samples a second over those of the first number
    of trainers, for each of them."""
    from actors.training.trainer import Trainer

    Trainer()  # sets Ray Train up in this process
    rows: list[dict[str, float]] = []
    for workers in options.trainers:
        passed = pass_of(workers, options.sample_ms / 1000, folder)
        each = passed.per_second / workers
        row = {"trainers": workers, "per_second": passed.per_second}
        row["efficiency"] = each / (rows[0]["per_second"] / rows[0]["trainers"]) if rows else 1.0
        rows.append(row)
        print(
            f"{workers:4d} trainers  {passed.per_second:8,.1f} samples/s  efficiency {row['efficiency']:.3f}",
            flush=True,
        )
    return rows
