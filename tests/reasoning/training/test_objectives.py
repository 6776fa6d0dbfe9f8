"""Values and gradients of the objective are those of the plain computation, whatever is shared, padded or split."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection
from reasoning.records import Example
from reasoning.training.losses.table import LOSSES, terms_of
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import set_to
from reasoning.training.samples import Sample, draw_pass, micro_batches, tokenize_examples
from tests.conftest import tries
from tests.reasoning.training.losses.plain_losses import (
    APART,
    BATCH,
    READINGS,
    SHARED,
    VOCABULARY,
    assert_as_plain,
    batches,
    gradients,
    losses_of,
    parted_triplets,
    samples,
    sections,
    tiny_model,
    triplet_count,
)
from tests.tiny_students import byte_tokenizer, tiny_llama
from tests.tiny_t5 import tiny_t5, tiny_t5_student

pytestmark = pytest.mark.training


@pytest.mark.training
@settings(deadline=None, max_examples=tries(80))
@given(batches, sections(), st.sampled_from(list(READINGS)), st.integers(0, 3))
def test_losses_and_gradients_equal_the_plain_computation(
    batch: list[Sample], section: ObjectiveSection, how: str, pad: int
) -> None:
    reading = READINGS[how]
    if not section.prompt_gradient:  # which needs prompts that are shared
        reading = replace(reading, shares_prompt=True)
    assert_as_plain(tiny_model(), batch, section, reading, pad=pad)


@pytest.mark.training
@settings(deadline=None, max_examples=tries(80))
@given(batches, sections(), st.booleans(), st.integers(0, 3))
def test_an_encoder_decoder_has_the_losses_and_gradients_of_the_plain_computation(
    batch: list[Sample], section: ObjectiveSection, tied: bool, pad: int
) -> None:
    assert_as_plain(tiny_t5(VOCABULARY, tied=tied).double(), batch, section, APART, pad=pad)


@pytest.mark.parametrize("prompt_gradient", [True, False])
@settings(deadline=None, max_examples=tries(30))
@given(st.lists(parted_triplets() | samples, min_size=1, max_size=4), st.sampled_from([*READINGS, "t5"]))
def test_parts_of_completions_are_compared_as_in_the_plain_computation(
    prompt_gradient: bool, batch: list[Sample], how: str
) -> None:
    section = ObjectiveSection(representation="divergence", prompt_gradient=prompt_gradient)
    model, reading = tiny_t5(VOCABULARY).double() if how == "t5" else tiny_model(), READINGS.get(how, APART)
    if how != "t5" and not prompt_gradient:
        reading = replace(reading, shares_prompt=True)
    whole = [sample for sample in batch if sample.compared is None]
    batch = [sample for sample in batch if sample.compared is not None] + [replace(s, negative=None) for s in whole]
    assert_as_plain(model, batch, section, reading)


letters = st.text("abcdefgh", min_size=1, max_size=6)
examples = st.builds(
    lambda prompt, positives, negatives: Example("x", prompt, tuple(positives), tuple(negatives)),
    letters, st.lists(letters, min_size=1, max_size=3, unique=True), st.lists(letters, max_size=2, unique=True),
)  # fmt: skip


@settings(deadline=None, max_examples=tries(30))
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
        parts = micro_batches(batch, 30, 15, triplets=triplet_count(list(batch)) > 0)
        assert_as_plain(model, list(batch), section, SHARED, pad=tokenizer.pad_token_id, parts=parts)


@pytest.mark.parametrize("prompt_gradient", [True, False])
def test_no_triplet_is_computed_when_none_counts(prompt_gradient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
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
        objective = Objective(model, terms_of(section), 0, SHARED)
        objective(tuple(batch), objective.counts(batch))
    assert widths == [alone, alone]


@pytest.mark.parametrize("section", [ObjectiveSection(), ObjectiveSection(prompt_gradient=False)], ids=str)
@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_parts_of_a_batch_add_up_to_the_whole(section: ObjectiveSection, encoder_decoder: bool) -> None:
    model = (tiny_t5(VOCABULARY).double() if encoder_decoder else tiny_model()).eval()
    objective = Objective(model, terms_of(section), 0, SHARED)
    counts = objective.counts(BATCH)
    whole = losses_of(objective, [tuple(BATCH)], counts)
    parts = losses_of(objective, [(sample,) for sample in BATCH], counts)
    for together, apart in zip(whole, parts, strict=True):
        assert math.isclose(together.item(), apart.item(), abs_tol=1e-9)


SECTIONS = [
    ObjectiveSection(loss=loss, prompt_gradient=prompt_gradient)
    for loss in LOSSES
    if loss not in PAIR_LOSSES
    for prompt_gradient in (True, False)
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.loss}-{section.prompt_gradient}")
@pytest.mark.parametrize("kind", [*READINGS, "t5"])
def test_bfloat16_passes_give_float32_losses_close_to_the_exact_ones(kind: str, section: ObjectiveSection) -> None:
    """Gradients too: a pass without gradient must not leave weights behind that later ones take no gradient to."""
    model = (tiny_t5(VOCABULARY) if kind == "t5" else tiny_model().float()).eval()
    reading = READINGS.get(kind, APART)
    assert set_to(model, reading)
    objective = Objective(model, terms_of(section), 0, reading)
    counts = objective.counts(BATCH)
    exact = losses_of(objective, [tuple(BATCH)], counts)
    with torch.autocast("cpu", torch.bfloat16):
        rough = losses_of(objective, [tuple(BATCH)], counts)
    assert rough[0].dtype == torch.float32
    for mine, theirs in zip(rough, exact, strict=True):
        assert math.isclose(mine.item(), theirs.item(), rel_tol=0.03)
    mine, theirs = (torch.cat([g.flatten() for g in gradients(model, losses[0])]) for losses in (rough, exact))
    assert functional.cosine_similarity(mine, theirs, dim=0) > 0.98
    assert math.isclose(mine.norm().item(), theirs.norm().item(), rel_tol=0.1)
