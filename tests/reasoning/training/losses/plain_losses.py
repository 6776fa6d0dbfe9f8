"""The losses of the method, computed again in the plainest way: float64, one sequence at a time, no padding, no mask,
no shared prompt, no cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from hypothesis import strategies as st
from torch.nn import functional
from transformers import LlamaForCausalLM

from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection
from reasoning.training.losses.table import LOSSES, terms_of
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import set_to
from reasoning.training.readers import Reading
from reasoning.training.samples import Sample
from tests.tiny_students import tiny_llama

VOCABULARY = 40
ids = st.integers(1, VOCABULARY - 1)
completions = st.lists(ids, min_size=1, max_size=9).map(tuple)
prompts = st.lists(ids, min_size=1, max_size=7).map(tuple)
triplets = st.builds(Sample, prompts, completions, completions, completions)
alike = st.builds(  # completions that begin alike
    lambda prompt, common, *own: Sample(prompt, *((*common, *text) for text in own)),
    *(prompts, completions, completions, completions, completions),
)
longer = st.lists(ids, min_size=2, max_size=9).map(tuple)


@st.composite
def parted_triplets(draw: st.DrawFn) -> Sample:
    """Triplets of which parts are compared: any, but for the last token."""
    texts = [draw(longer) for _ in range(3)]
    starts = [draw(st.integers(0, len(text) - 2)) for text in texts]
    spans = [(start, draw(st.integers(start + 1, len(text) - 1))) for start, text in zip(starts, texts, strict=True)]
    return Sample(draw(prompts), *texts, compared=(spans[0], spans[1], spans[2]))


samples = triplets | alike | st.builds(Sample, prompts, completions, st.none() | completions, st.none() | completions)
batches = st.lists(samples, min_size=1, max_size=5)


@st.composite
def sections(draw: st.DrawFn) -> ObjectiveSection:
    loss = draw(st.sampled_from([loss for loss in LOSSES if loss not in PAIR_LOSSES]))
    return ObjectiveSection(
        loss=loss,
        prompt_weight=draw(st.sampled_from([0.0, 0.1, 1.0])) if loss == "weighted" else 0.1,
        contrastive_weight=draw(st.sampled_from([0.5, 2.0] if loss == "contrastive" else [0.5, 2.0, 0.0])),
        margin=draw(st.sampled_from([1.0, 0.3, 0.0])),
        representation=draw(st.sampled_from(["last", "mean"])),
        prompt_gradient=draw(st.booleans()),
    )


def tiny_model(**changes: Any) -> LlamaForCausalLM:
    return tiny_llama(VOCABULARY, eos_token_id=1, **changes).double()


@contextmanager
def prompt_without_gradient(model: Any, length: int) -> Iterator[None]:
    """In here the keys and values of the first `length` tokens let no gradient through (Llamas and their like)."""

    def cut(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return torch.cat([output[:, :length].detach(), output[:, length:]], dim=1)

    attentions = [layer.self_attn for layer in model.model.layers]
    last = [module for a in attentions for module in (getattr(a, "k_norm", a.k_proj), a.v_proj)]
    hooks = [module.register_forward_hook(cut) for module in last]
    yield
    for hook in hooks:
        hook.remove()


def _read(model: Any, sample: Sample, completion: tuple[int, ...], *, detached: bool) -> tuple[torch.Tensor, ...]:
    """(hidden states, log-probabilities) of the columns that a completion's vector is made of, and of the columns that
    predict tokens: the whole row's of a decoder, the completion's of an encoder-decoder."""
    options = {"output_hidden_states": True, "use_cache": False}
    prompt = torch.tensor([sample.prompt])
    if not model.config.is_encoder_decoder:
        tokens = torch.tensor([sample.prompt + completion])
        with prompt_without_gradient(model, len(sample.prompt)) if detached else nullcontext():
            output = model(input_ids=tokens, **options)
        return output.hidden_states[-1][0, len(sample.prompt) :], torch.log_softmax(output.logits[0, :-1], dim=-1)
    encoded = model.get_encoder()(input_ids=prompt)
    if detached:
        encoded.last_hidden_state = encoded.last_hidden_state.detach()
    start = model.config.decoder_start_token_id
    output = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([(start, *completion[:-1])]), **options)
    return output.decoder_hidden_states[-1][0], torch.log_softmax(output.logits[0], dim=-1)


def _cross_entropies(model: Any, sample: Sample) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Those of the prompt's tokens, none for an encoder-decoder's, and those of the anchor's."""
    _, scores = _read(model, sample, sample.anchor, detached=False)
    targets = sample.anchor if model.config.is_encoder_decoder else (sample.prompt + sample.anchor)[1:]
    entropies = [-scores[place, target] for place, target in enumerate(targets)]
    return entropies[: -len(sample.anchor)], entropies[-len(sample.anchor) :]


def plain_losses(model: Any, batch: list[Sample], section: ObjectiveSection) -> list[torch.Tensor]:
    """Total, language-model and triplet loss by METHOD.md's formulas."""
    of_prompts, of_anchors = [], []
    for sample in batch:
        prompt, anchor = _cross_entropies(model, sample)
        of_prompts += prompt
        of_anchors += anchor
    zero = torch.zeros((), dtype=torch.float64)
    match section.loss:
        case "weighted":
            language = (section.prompt_weight * sum(of_prompts, zero) + sum(of_anchors)) / len(of_prompts + of_anchors)
        case "full":
            language = torch.stack(of_prompts + of_anchors).mean()
        case _:
            language = torch.stack(of_anchors).mean()
    triplets = []
    for sample in batch:
        if sample.positive is None or sample.negative is None:
            continue
        vectors = []
        spans = sample.compared or (None,) * 3
        for completion, span in zip((sample.anchor, sample.positive, sample.negative), spans, strict=True):
            hidden, _ = _read(model, sample, completion, detached=not section.prompt_gradient)
            if span is not None:  # an encoder-decoder's column has read the tokens before it
                hidden = hidden[span[0] + model.config.is_encoder_decoder : span[1] + model.config.is_encoder_decoder]
            vectors.append(hidden[-1] if section.representation == "last" else hidden.mean(dim=0))
        pull, push = (functional.cosine_similarity(vectors[0], other, dim=0) for other in vectors[1:])
        triplets.append(torch.clamp(push - pull + section.margin, min=0.0))
    contrast = torch.stack(triplets).mean() if triplets and section.contrastive_weight else zero
    trained = zero if section.loss == "contrastive" else language
    return [trained + section.contrastive_weight * contrast, language, contrast]


def gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def triplet_count(batch: list[Sample]) -> int:
    return sum(sample.is_triplet for sample in batch)


def losses_of(
    objective: Objective, parts: Sequence[tuple[Sample, ...]], counts: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Total, language-model and triplet loss of a batch in `parts`; 0 for a term that the loss has not."""
    found = [objective(part, counts) for part in parts]
    losses = torch.stack([losses for _, losses in found]).sum(dim=0)
    named = {term.name: loss for term, loss in zip(objective.terms, losses, strict=True)}
    return torch.stack([total for total, _ in found]).sum(), named["lm"], named.get("triplet", torch.zeros(()))


READINGS = {
    "apart": Reading(),
    "apart, from hidden states": Reading(from_hidden=True),
    "shared": Reading(shares_prompt=True),
    "shared, from hidden states": Reading(shares_prompt=True, from_hidden=True),
    "packed": Reading(shares_prompt=True, packed=True, from_hidden=True),
    "packed, unread left out": Reading(shares_prompt=True, packed=True, from_hidden=True, leaves_out=True),
}
APART, SHARED, PACKED = READINGS["apart"], READINGS["shared"], READINGS["packed"]


def assert_as_plain(
    model: Any, batch: list[Sample], section: ObjectiveSection, reading: Reading, *, pad: int = 0, parts: Any = None
) -> None:
    model.eval()
    assert set_to(model, reading)
    objective = Objective(model, terms_of(section), pad, reading)
    counts = objective.counts(batch)
    ours = list(losses_of(objective, [tuple(part) for part in parts or [batch]], counts))
    plain = plain_losses(model, batch, section)
    for mine, theirs in zip(ours, plain, strict=True):
        assert math.isclose(mine.item(), theirs.item(), rel_tol=0, abs_tol=1e-6)
    assert ours[0].requires_grad == plain[0].requires_grad
    if plain[0].requires_grad:
        for mine, theirs in zip(gradients(model, ours[0]), gradients(model, plain[0]), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


BATCH = [
    Sample((5, 6, 7), (8, 9, 1), (10, 1), (11, 12, 13, 1)),
    Sample((5,), (8, 1), (9, 14, 15, 16, 1), (17, 1)),
    Sample((20, 21, 22, 23), (24, 25, 26, 27, 1), None, (28, 1)),
    Sample((20, 21), (24, 1), (29, 1), None),
]


def loss_from_labels(model: Any, *, hides_prompt: bool) -> float:
    """What `transformers` computes for `BATCH` from labels: its mean is over the batch's tokens, not over its
    sequences' means."""

    def padded(sequences: list[tuple[int, ...]], filler: int) -> torch.Tensor:
        width = max(map(len, sequences))
        return torch.tensor([[*ids, *[filler] * (width - len(ids))] for ids in sequences])

    if model.config.is_encoder_decoder:
        inputs = padded([s.prompt for s in BATCH], 0)
        labels = padded([s.anchor for s in BATCH], -100)
    else:
        inputs = padded([s.prompt + s.anchor for s in BATCH], 0)
        labels = padded([((-100,) * len(s.prompt) if hides_prompt else s.prompt) + s.anchor for s in BATCH], -100)
    return float(model(input_ids=inputs, attention_mask=(inputs != 0).long(), labels=labels).loss.item())


def batch_loss(model: Any, section: ObjectiveSection) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of `BATCH` to back-propagate, and its terms' by name."""
    objective = Objective(model.eval(), terms_of(section), 0, APART)
    total, losses = objective(tuple(BATCH), objective.counts(BATCH))
    return total, {term.name: float(loss) for term, loss in zip(objective.terms, losses, strict=True)}
