"""The losses are those of the method, computed here again in the plainest way: float64, one sequence at a time, no
padding, no mask, no shared prompt, no cache."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPTNeoXConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    Qwen3Config,
)

from reasoning.recipe.training import ObjectiveSection
from reasoning.records import Example
from reasoning.training.losses import predicted_tokens, representation
from reasoning.training.objectives import Objective, can_share_prompts
from reasoning.training.samples import Sample, draw_pass, micro_batches, tokenize_examples
from tests.tiny_students import byte_tokenizer, tiny_llama
from tests.tiny_t5 import tiny_t5, tiny_t5_student

VOCABULARY = 40
ids = st.integers(1, VOCABULARY - 1)
completions = st.lists(ids, min_size=1, max_size=9).map(tuple)
prompts = st.lists(ids, min_size=1, max_size=7).map(tuple)
triplets = st.builds(Sample, prompts, completions, completions, completions)
samples = triplets | st.builds(Sample, prompts, completions, st.none() | completions, st.none() | completions)
batches = st.lists(samples, min_size=1, max_size=5)
LOSSES = ("weighted", "full", "completion", "contrastive")


@st.composite
def sections(draw: st.DrawFn) -> ObjectiveSection:
    loss = draw(st.sampled_from(LOSSES))
    return ObjectiveSection(
        loss=loss,
        prompt_weight=draw(st.sampled_from([0.0, 0.1, 1.0])) if loss == "weighted" else 0.1,
        contrastive_weight=draw(st.sampled_from([0.5, 2.0] if loss == "contrastive" else [0.5, 2.0, 0.0])),
        margin=draw(st.sampled_from([1.0, 0.3, 0.0])),
        representation=draw(st.sampled_from(["last", "mean"])),
        prompt_gradient=draw(st.booleans()),
    )


def _model(**changes: Any) -> LlamaForCausalLM:
    return tiny_llama(VOCABULARY, eos_token_id=1, **changes).double()


@contextmanager
def _prompt_without_gradient(model: Any, length: int) -> Iterator[None]:
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
        with _prompt_without_gradient(model, len(sample.prompt)) if detached else nullcontext():
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


def _plain_losses(model: Any, batch: list[Sample], section: ObjectiveSection) -> list[torch.Tensor]:
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
        for completion in (sample.anchor, sample.positive, sample.negative):
            hidden, _ = _read(model, sample, completion, detached=not section.prompt_gradient)
            vectors.append(hidden[-1] if section.representation == "last" else hidden.mean(dim=0))
        pull, push = (functional.cosine_similarity(vectors[0], other, dim=0) for other in vectors[1:])
        triplets.append(torch.clamp(push - pull + section.margin, min=0.0))
    contrast = torch.stack(triplets).mean() if triplets and section.contrastive_weight else zero
    trained = zero if section.loss == "contrastive" else language
    return [trained + section.contrastive_weight * contrast, language, contrast]


def _gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _triplets(batch: list[Sample]) -> int:
    return sum(sample.is_triplet for sample in batch)


def _assert_as_plain(
    model: Any, batch: list[Sample], section: ObjectiveSection, *, shared: bool, pad: int = 0, parts: Any = None
) -> None:
    model.eval()
    objective = Objective(model, section, pad, shares_prompt=shared)
    counts = objective.predicted_tokens(batch), _triplets(batch)
    ours = [sum(part) for part in zip(*(objective(tuple(p), *counts) for p in parts or [batch]), strict=True)]
    plain = _plain_losses(model, batch, section)
    for mine, theirs in zip(ours, plain, strict=True):
        assert math.isclose(mine.item(), theirs.item(), rel_tol=0, abs_tol=1e-6)
    assert ours[0].requires_grad == plain[0].requires_grad
    if plain[0].requires_grad:
        for mine, theirs in zip(_gradients(model, ours[0]), _gradients(model, plain[0]), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=80)
@given(batches, sections(), st.booleans(), st.integers(0, 3))
def test_losses_and_gradients_equal_the_plain_computation(
    batch: list[Sample], section: ObjectiveSection, shared: bool, pad: int
) -> None:
    _assert_as_plain(_model(), batch, section, shared=shared or not section.prompt_gradient, pad=pad)


@settings(deadline=None, max_examples=80)
@given(batches, sections(), st.booleans(), st.integers(0, 3))
def test_an_encoder_decoder_has_the_losses_and_gradients_of_the_plain_computation(
    batch: list[Sample], section: ObjectiveSection, tied: bool, pad: int
) -> None:
    _assert_as_plain(tiny_t5(VOCABULARY, tied=tied).double(), batch, section, shared=False, pad=pad)


letters = st.text("abcdefgh", min_size=1, max_size=6)
examples = st.builds(
    lambda prompt, positives, negatives: Example("x", prompt, tuple(positives), tuple(negatives)),
    letters, st.lists(letters, min_size=1, max_size=3, unique=True), st.lists(letters, max_size=2, unique=True),
)  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.lists(examples, min_size=1, max_size=5), sections(), st.integers(3, 14), st.booleans())
def test_what_does_not_fit_is_left_out_and_the_rest_learnt_as_if_it_were_all(
    drawn: list[Example], section: ObjectiveSection, limit: int, encoder_decoder: bool
) -> None:
    """Both papers' code cuts what is too long; A's takes a representation of the stump."""
    student = tiny_t5_student() if encoder_decoder else None
    tokenizer = student.tokenizer if student else byte_tokenizer()
    model = (student.model if student else tiny_llama(len(tokenizer))).double()

    def fits(prompt: str, completion: str) -> bool:
        end = 1
        if encoder_decoder:
            return max(len(prompt) + end, len(completion) + end) <= limit
        return len(prompt) + len(completion) + end <= limit

    data = tokenize_examples(drawn, tokenizer, limit, encoder_decoder=encoder_decoder)
    fitting = [example for example in drawn if any(fits(example.prompt, text) for text in example.positives)]
    texts = [text for e in drawn for text in (*e.positives, *e.negatives) if not fits(e.prompt, text)]
    assert (data.dropped_completions, data.dropped_examples) == (len(texts), len(drawn) - len(fitting))
    for batch in draw_pass(data.examples, 4, 0, 0)[:2]:
        for sample in batch:
            anchor = tokenizer.decode(sample.anchor).removesuffix("</s>")
            assert fits(tokenizer.decode(sample.prompt).removesuffix("</s>"), anchor)
            assert all(text[-1] == tokenizer.eos_token_id for text in (sample.anchor, sample.positive or sample.anchor))
        parts = micro_batches(batch, 30, 15, triplets=_triplets(list(batch)) > 0)
        _assert_as_plain(model, list(batch), section, shared=True, pad=tokenizer.pad_token_id, parts=parts)


BATCH = [
    Sample((5, 6, 7), (8, 9, 1), (10, 1), (11, 12, 13, 1)),
    Sample((5,), (8, 1), (9, 14, 15, 16, 1), (17, 1)),
    Sample((20, 21, 22, 23), (24, 25, 26, 27, 1), None, (28, 1)),
    Sample((20, 21), (24, 1), (29, 1), None),
]


@pytest.mark.parametrize("kind", ["llama", "t5", "flan-t5"])
@pytest.mark.parametrize("loss", ["full", "completion"])
def test_full_and_completion_are_the_losses_that_transformers_computes_from_labels(kind: str, loss: Any) -> None:
    """Paper B trains on the second. The mean is over the batch's tokens, not over its sequences' means."""
    model = (_model() if kind == "llama" else tiny_t5(VOCABULARY, tied=kind == "t5").double()).eval()
    section = ObjectiveSection(loss=loss, contrastive_weight=0.0)
    total, *_ = Objective(model, section, 0, shares_prompt=False)(
        tuple(BATCH), predicted_tokens(BATCH, section, encoder_decoder=kind != "llama"), 0
    )
    widths = (
        max(sample.length for sample in BATCH),
        max(len(s.prompt) for s in BATCH),
        max(len(s.anchor) for s in BATCH),
    )

    def padded(sequences: list[tuple[int, ...]], width: int, filler: int) -> torch.Tensor:
        return torch.tensor([[*ids, *[filler] * (width - len(ids))] for ids in sequences])

    if kind == "llama":
        inputs = padded([s.prompt + s.anchor for s in BATCH], widths[0], 0)
        hidden = [s.prompt if loss == "full" else (-100,) * len(s.prompt) for s in BATCH]
        labels = padded([p + s.anchor for p, s in zip(hidden, BATCH, strict=True)], widths[0], -100)
    else:
        inputs = padded([s.prompt for s in BATCH], widths[1], 0)
        labels = padded([s.anchor for s in BATCH], widths[2], -100)
    expected = model(input_ids=inputs, attention_mask=(inputs != 0).long(), labels=labels).loss
    assert math.isclose(total.item(), expected.item(), abs_tol=1e-6)


SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": None,
}
DECODERS = [
    Qwen3Config(**SMALL, intermediate_size=96, num_key_value_heads=1, head_dim=32, tie_word_embeddings=True),
    MistralConfig(**SMALL, intermediate_size=96, num_key_value_heads=1, sliding_window=None),
    OPTConfig(**SMALL, ffn_dim=96, word_embed_proj_dim=64, dropout=0.0),
    GPT2Config(**SMALL, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0),
    GPTNeoXConfig(**SMALL, intermediate_size=96),
]


@pytest.mark.parametrize("config", DECODERS, ids=lambda config: config.model_type)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_any_decoder_shares_prompts_and_gives_the_plain_losses(config: Any, attention: str) -> None:
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).double()
    assert can_share_prompts(model, 64)
    assert can_share_prompts(model, 64, prompt_gradient=False)
    _assert_as_plain(model, BATCH, ObjectiveSection(), shared=True)
    if config.model_type in ("qwen3", "mistral"):  # the others' keys and values come out of one module
        _assert_as_plain(model, BATCH, ObjectiveSection(prompt_gradient=False), shared=True)


def test_decoders_that_cannot_share_prompts_are_told_apart_and_still_right() -> None:
    torch.manual_seed(1)
    windowed = AutoModelForCausalLM.from_config(
        MistralConfig(**SMALL, intermediate_size=96, num_key_value_heads=1, sliding_window=4)
    ).double()
    recurrent = AutoModelForCausalLM.from_config(
        MambaConfig(**{k: SMALL[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers")}, state_size=4)
    ).double()
    for model in (windowed, recurrent):
        assert not can_share_prompts(model, 64)
        assert not can_share_prompts(model, 64, prompt_gradient=False)
        _assert_as_plain(model, BATCH, ObjectiveSection(), shared=False)


def test_any_encoder_decoder_gives_the_plain_losses() -> None:
    torch.manual_seed(1)
    config = BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, dropout=0.0,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64, init_std=0.2,
        pad_token_id=0, bos_token_id=2, eos_token_id=1, decoder_start_token_id=1,
    )  # fmt: skip
    _assert_as_plain(BartForConditionalGeneration(config).double(), BATCH, ObjectiveSection(), shared=False)


@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_without_prompt_gradient_the_triplet_loss_trains_no_prompt(encoder_decoder: bool) -> None:
    """The prompt's tokens occur nowhere else, so that their embeddings' gradients are those through the prompt."""
    sample = Sample((30, 31, 32), (8, 9, 1), (10, 1), (11, 12, 1))
    model = (tiny_t5(VOCABULARY, tied=False) if encoder_decoder else tiny_llama(VOCABULARY)).double()
    for trains in (True, False):
        section = ObjectiveSection(loss="contrastive", prompt_gradient=trains)
        objective = Objective(model, section, 0, shares_prompt=True)
        gradient = torch.autograd.grad(objective((sample,), 3, 1)[0], model.get_input_embeddings().weight)[0]
        assert bool(gradient[30:33].abs().sum() > 0) == trains
        assert gradient[[8, 9, 10, 11, 12]].abs().sum() > 0


@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_every_prompt_is_read_once(encoder_decoder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny_t5(VOCABULARY) if encoder_decoder else tiny_llama(VOCABULARY)
    reader = model.get_encoder() if encoder_decoder else model
    shapes: list[tuple[int, ...]] = []
    forward = reader.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(reader, "forward", watched)
    for prompt_gradient in (True, False):
        section = ObjectiveSection(prompt_gradient=prompt_gradient)
        Objective(model, section, 0, shares_prompt=True)(tuple(BATCH), 1, _triplets(BATCH))
    if encoder_decoder:
        assert shapes == [(4, 4)] * 2
    else:  # of widths: prompt and anchor, positive, negative; prompt and anchor, then the triplets' completions
        assert shapes == [(4, 9 + 5 + 4), (4, 9), (2, 3 + 5 + 4)]


@pytest.mark.parametrize("prompt_gradient", [True, False])
def test_no_triplet_is_computed_when_none_counts(prompt_gradient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model()
    widths: list[int] = []
    forward = model.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        widths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", watched)
    alone = max(sample.length for sample in BATCH)
    for section, batch in [
        (ObjectiveSection(contrastive_weight=0.0, prompt_gradient=prompt_gradient), BATCH),
        (ObjectiveSection(prompt_gradient=prompt_gradient), [s for s in BATCH if not s.is_triplet]),
    ]:
        objective = Objective(model, section, 0, shares_prompt=True)
        objective(tuple(batch), objective.predicted_tokens(batch), _triplets(batch))
    assert widths == [alone, alone]


@pytest.mark.parametrize("kind", ["last", "mean"])
def test_a_representation_of_nothing_is_finite(kind: Any) -> None:
    vectors = representation(torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), kind)
    assert vectors.shape == (2, 4)
    assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("section", [ObjectiveSection(), ObjectiveSection(prompt_gradient=False)], ids=str)
@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_parts_of_a_batch_add_up_to_the_whole(section: ObjectiveSection, encoder_decoder: bool) -> None:
    model = (tiny_t5(VOCABULARY).double() if encoder_decoder else _model()).eval()
    objective = Objective(model, section, 0, shares_prompt=True)
    counts = objective.predicted_tokens(BATCH), _triplets(BATCH)
    whole = objective(tuple(BATCH), *counts)
    parts = [objective((sample,), *counts) for sample in BATCH]
    for index in range(3):
        assert math.isclose(whole[index].item(), sum(part[index].item() for part in parts), abs_tol=1e-9)


SECTIONS = [
    ObjectiveSection(loss=loss, prompt_gradient=prompt_gradient) for loss in LOSSES for prompt_gradient in (True, False)
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.loss}-{section.prompt_gradient}")
@pytest.mark.parametrize("kind", ["shared", "apart", "t5"])
def test_bfloat16_passes_give_float32_losses_close_to_the_exact_ones(kind: str, section: ObjectiveSection) -> None:
    """Gradients too: a pass without gradient must not leave weights behind that later ones take no gradient to."""
    model = (tiny_t5(VOCABULARY) if kind == "t5" else _model().float()).eval()
    objective = Objective(model, section, 0, shares_prompt=kind == "shared")
    counts = objective.predicted_tokens(BATCH), _triplets(BATCH)
    exact = objective(tuple(BATCH), *counts)
    with torch.autocast("cpu", torch.bfloat16):
        rough = objective(tuple(BATCH), *counts)
    assert rough[0].dtype == torch.float32
    for mine, theirs in zip(rough, exact, strict=True):
        assert math.isclose(mine.item(), theirs.item(), rel_tol=0.03)
    mine, theirs = (torch.cat([g.flatten() for g in _gradients(model, losses[0])]) for losses in (rough, exact))
    assert functional.cosine_similarity(mine, theirs, dim=0) > 0.98
    assert math.isclose(mine.norm().item(), theirs.norm().item(), rel_tol=0.1)
