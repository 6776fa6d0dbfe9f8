"""From passages to training rows: passages one after the other, each with its end token, cut into rows of equal length.

Owns: the packing. Invariants: row k of a seed is always the same; a token's weight says how much its prediction counts
(given text little, learnt text fully).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoning.student.embedded.corpus import draw, random_source

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

GIVEN_WEIGHT = 0.1


def pack(
    tokenizer: PreTrainedTokenizerBase, seed: int, step: int, rows: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and weights of one step, both `rows` x `length`."""
    import torch

    rng = random_source(seed, "pretrain", step)
    ids: list[int] = []
    weights: list[float] = []
    while len(ids) < rows * length:
        _, passage = draw(rng)
        encoded = tokenizer([span.text for span in passage.spans], add_special_tokens=False)["input_ids"]
        for span, tokens in zip(passage.spans, encoded, strict=True):
            ids += tokens
            weights += [1.0 if span.learnt else GIVEN_WEIGHT] * len(tokens)
        ids.append(tokenizer.eos_token_id)
        weights.append(1.0)
    ids_BT = torch.tensor(ids[: rows * length]).view(rows, length)
    weights_BT = torch.tensor(weights[: rows * length]).view(rows, length)
    return ids_BT, weights_BT
