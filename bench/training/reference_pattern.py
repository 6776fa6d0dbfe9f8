"""Paper A's pattern of a step with both losses (METHOD: losses), as one would write it today.

One pass over prompts and anchors for the weighted language-model loss, its logits whole; one over the prompts without
gradient, whose keys and values serve three passes more, over anchors, positives and negatives. All are padded on the
right to the longest of the batch. (Paper A's code has no attention mask in the last three; this has.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bench.training.workload import LEARNING_RATE, MAX_GRAD_NORM, WEIGHT_DECAY, Step, Workload, autocast, make_student
from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.triplet import triplet_losses
from reasoning.training.samples import Sample
from reasoning.training.transformers_internals import detached_cache


def reference_step(load: Workload, objective: ObjectiveSection) -> Step:
    model = make_student(load).model
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)

    def step(batch: tuple[Sample, ...]) -> None:
        with autocast(load):
            loss = _language_loss(model, batch, objective.prompt_weight, load.device)
            loss = loss + objective.contrastive_weight * _contrastive_loss(model, batch, objective.margin, load.device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    return step


def _language_loss(model: Any, batch: Sequence[Sample], prompt_weight: float, device: torch.device) -> Tensor:
    tokens_BT, mask_BT = _padded([(*sample.prompt, *sample.anchor) for sample in batch], device)
    logits_BTV = model(input_ids=tokens_BT, attention_mask=mask_BT, use_cache=False).logits[:, :-1].float()
    losses_BT = functional.cross_entropy(logits_BTV.transpose(1, 2), tokens_BT[:, 1:], reduction="none")
    prompts_B1 = torch.tensor([[len(sample.prompt)] for sample in batch], device=device)
    places_T = torch.arange(1, tokens_BT.shape[1], device=device)
    weights_BT = torch.where(places_T < prompts_B1, prompt_weight, 1.0) * mask_BT[:, 1:]
    return (losses_BT * weights_BT).sum() / mask_BT[:, 1:].sum()


def _contrastive_loss(model: Any, batch: Sequence[Sample], margin: float, device: torch.device) -> Tensor:
    compared = [sample for sample in batch if sample.is_triplet]
    prompts_RP, is_prompt_RP = _padded([sample.prompt for sample in compared], device)
    with torch.no_grad():
        read = model(input_ids=prompts_RP, attention_mask=is_prompt_RP, use_cache=True).past_key_values
    rows_R = torch.arange(len(compared), device=device)
    starts_R1 = is_prompt_RP.sum(1, keepdim=True)
    vectors = []
    for completions in zip(*((s.anchor, s.positive or (), s.negative or ()) for s in compared), strict=True):
        tokens_RT, is_token_RT = _padded(completions, device)
        output = model(
            input_ids=tokens_RT,
            attention_mask=torch.cat([is_prompt_RP, is_token_RT], dim=1),
            position_ids=starts_R1 + torch.arange(tokens_RT.shape[1], device=device),
            past_key_values=detached_cache(read, rows_R, prompts_RP.shape[1]),
            use_cache=True,
            output_hidden_states=True,
        )
        vectors.append(output.hidden_states[-1][rows_R, is_token_RT.sum(1) - 1])
    return triplet_losses(vectors[0], vectors[1], vectors[2], margin).mean()


def _padded(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(sequence) for sequence in sequences)
    tokens = [[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences]
    mask = [[1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences]
    return torch.tensor(tokens, device=device), torch.tensor(mask, device=device)
