"""Our training step, and the plain loop that one would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from bench.training.workload import LEARNING_RATE, MAX_GRAD_NORM, WEIGHT_DECAY, Step, Workload, autocast, make_student
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import Student
from reasoning.training.fine_tuning import FineTuning
from reasoning.training.losses.table import terms_of
from reasoning.training.losses.term import TokenWeights, merged
from reasoning.training.losses.triplet import triplet_losses
from reasoning.training.samples import Sample

Pairs = list[tuple[Any, Any]]


def our_step(load: Workload, examples: list[Example], objective: ObjectiveSection) -> Step:
    student = make_student(load)
    training = TrainingSection(batch_size=load.batch_size, max_tokens=2048)
    run = FineTuning(student.model, student.tokenizer, examples, training, objective, 0, 0, 1, load.dtype)
    student.model.train()

    def step(batch: tuple[Sample, ...]) -> None:
        run.learn(batch, LEARNING_RATE)[1].tolist()

    return step


def plain_step(load: Workload, objective: ObjectiveSection) -> Step:
    """The loop of the transformers course: its collator pads to the longest, the model computes its own loss from
    `labels`, torch's default AdamW steps. With a triplet loss, three sequences a sample and a fused AdamW."""
    student = make_student(load)
    student.model.train()
    triplets, trains_language = objective.contrastive_weight > 0, token_weights(objective).trained
    optimizer = torch.optim.AdamW(
        student.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=triplets or None
    )
    read = plain_reader(load, student, objective)

    def step(batch: tuple[Sample, ...]) -> None:
        with autocast(load):
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
        torch.nn.utils.clip_grad_norm_(student.model.parameters(), MAX_GRAD_NORM)
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
