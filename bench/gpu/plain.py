"""The losses in the plainest way: one sequence at a time, float64, on the CPU; no padding, no mask, nothing shared.

Owns: what the first part of the measurement holds the step against. The formulas are METHOD.md's, written down once
more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.samples import Sample


def plain_loss(model: Any, batch: Sequence[Sample], objective: ObjectiveSection) -> Tensor:
    """What is minimized, of a decoder in float64 on the CPU."""
    weights, entropies, triplets = [], [], []
    for sample in batch:
        states, logits = _read(model, sample.prompt, sample.anchor)
        tokens = torch.tensor((*sample.prompt, *sample.anchor))
        entropies.append(functional.cross_entropy(logits[:-1], tokens[1:], reduction="none"))
        of_prompt = {"weighted": objective.prompt_weight, "full": 1.0}.get(objective.loss, 0.0)
        weights += [of_prompt] * (len(sample.prompt) - 1) + [1.0] * len(sample.anchor)
        if not sample.is_triplet or not objective.contrastive_weight:
            continue
        vectors = []
        for completion in (sample.anchor, sample.positive, sample.negative):
            with nullcontext() if objective.prompt_gradient else _prompt_cut(model, len(sample.prompt)):
                states, _ = _read(model, sample.prompt, completion or ())
            own = states[len(sample.prompt) :]
            vectors.append(own[-1] if objective.representation == "last" else own.mean(dim=0))
        pull, push = (functional.cosine_similarity(vectors[0], other, dim=0) for other in vectors[1:])
        triplets.append(torch.clamp(push - pull + objective.margin, min=0.0))
    each, weight = torch.cat(entropies), torch.tensor(weights, dtype=torch.float64)
    count = len(weights) if objective.loss in ("weighted", "full") else int((weight > 0).sum())
    language = (each * weight).sum() / count if objective.loss != "contrastive" else torch.zeros(())
    contrast = torch.stack(triplets).mean() if triplets else torch.zeros(())
    return language + objective.contrastive_weight * contrast


def _read(model: Any, prompt: Sequence[int], completion: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Last hidden states and logits of each token."""
    output = model(input_ids=torch.tensor([[*prompt, *completion]]), output_hidden_states=True, use_cache=False)
    return output.hidden_states[-1][0], output.logits[0]


@contextmanager
def _prompt_cut(model: Any, length: int) -> Iterator[None]:
    """In here no gradient flows through the keys and values of the first `length` tokens."""

    def cut(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        return torch.cat([output[:, :length].detach(), output[:, length:]], dim=1)

    made = [part for layer in model.model.layers for part in (layer.self_attn.k_proj, layer.self_attn.v_proj)]
    hooks = [part.register_forward_hook(cut) for part in made]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
