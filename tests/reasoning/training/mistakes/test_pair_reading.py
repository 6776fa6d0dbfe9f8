"""Losses of pairs: value and gradient are those of the plain computation, however the student reads the pairs."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.recipe.training import PAIR_LOSSES, ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.training.fine_tuning import fine_tune
from reasoning.training.losses.table import terms_of
from reasoning.training.losses.term import Pairs
from reasoning.training.mistakes.pair_reading import PairReader, with_reference
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import set_to
from reasoning.training.readers import Reading
from reasoning.training.samples import Pair, Sample, Scores, TokenizedExample, micro_batches
from tests.conftest import tries
from tests.reasoning.training.losses.plain_losses import (
    READINGS,
    VOCABULARY,
    completions,
    gradients,
    prompts,
    tiny_model,
)
from tests.tiny_students import tiny_student
from tests.tiny_t5 import tiny_t5, tiny_t5_student

pytestmark = pytest.mark.training

references = st.tuples(st.floats(-30, 0), st.floats(-30, 0))
pairs = st.builds(Pair, completions, completions, references)
batches = st.lists(st.builds(Sample, prompts, completions, pair=st.none() | pairs), min_size=1, max_size=4)


@st.composite
def scored_pairs(draw: st.DrawFn) -> Pair:
    """An attempt, and what a teacher may say of it: two likely tokens at each place, and the token itself."""
    tokens, listed, known = draw(completions), array("i"), array("f")
    for token in tokens:
        first = draw(st.integers(1, VOCABULARY - 2))
        others = [(token + first) % VOCABULARY, (token + first + 1) % VOCABULARY]  # never the token itself
        shares = [draw(st.floats(0.05, 0.3)) for _ in range(3)]
        gone = draw(st.booleans())  # the token is not told of, and a place is empty
        listed.extend([*others, -1] if gone else [token, *others])
        known.extend([*map(math.log, shares[:2]), -9999.0] if gone else map(math.log, shares))
    return Pair((), tokens, scores=Scores(3, listed, known))


scored_batches = st.lists(
    st.builds(Sample, prompts, completions | st.just(()), pair=st.none() | scored_pairs()), min_size=1, max_size=4
)


def _token_log_probabilities(model: Any, prompt: Sequence[int], text: Sequence[int]) -> torch.Tensor:
    """(tokens, vocabulary): what is said of every token of `text`, read alone."""
    if model.config.is_encoder_decoder:
        start = model.config.decoder_start_token_id
        output = model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([(start, *text[:-1])]))
        return torch.log_softmax(output.logits[0], dim=-1)
    logits = model(input_ids=torch.tensor([[*prompt, *text]])).logits[0]
    return torch.log_softmax(logits[len(prompt) - 1 : -1], dim=-1)


def _log_probability(model: Any, prompt: Sequence[int], text: Sequence[int]) -> torch.Tensor:
    found = _token_log_probabilities(model, prompt, text)
    return torch.stack([found[place, token] for place, token in enumerate(text)]).sum()


def _divergences(own: torch.Tensor, scores: Scores, weight: float) -> list[torch.Tensor]:
    """Of every token: over the tokens that the teacher lists, and one bucket for all others."""
    losses = []
    for row in range(len(own)):
        places = [p for p in range(scores.width) if scores.listed[row * scores.width + p] >= 0]
        ids = [scores.listed[row * scores.width + p] for p in places]
        values = [scores.log_probabilities[row * scores.width + p] for p in places]
        p, q = torch.tensor(values, dtype=torch.float64).exp(), own[row].exp()[ids]
        p, q = torch.cat([p, (1 - p.sum())[None]]), torch.cat([q, (1 - q.sum())[None]])
        m = weight * p + (1 - weight) * q
        ends = {0.0: (p * (p / q).log()).sum(), 1.0: (q * (q / p).log()).sum()}
        between = weight * (p * (p / m).log()).sum() + (1 - weight) * (q * (q / m).log()).sum()
        losses.append(ends.get(weight, between))
    return losses


def _plain(model: Any, batch: Sequence[Sample], section: ObjectiveSection) -> torch.Tensor:
    tokens = torch.cat(
        [-_token_log_probabilities(model, s.prompt, s.anchor)[range(len(s.anchor)), list(s.anchor)] for s in batch]
    )
    language = tokens.mean() if len(tokens) else torch.zeros((), dtype=torch.float64)
    losses: list[torch.Tensor] = []
    for sample in batch:
        if sample.pair is None:
            continue
        right, wrong, known = sample.pair.right, sample.pair.wrong, sample.pair.reference
        if section.loss == "on_policy":
            assert sample.pair.scores is not None
            own = _token_log_probabilities(model, sample.prompt, wrong)
            losses += _divergences(own, sample.pair.scores, section.interpolation)
            continue
        if section.loss == "self_distillation":
            own = _token_log_probabilities(model, sample.prompt, wrong)
            shown = _token_log_probabilities(model, (*sample.prompt, *right, *sample.prompt), wrong).detach()
            losses += list((shown.exp() * (shown - own)).sum(dim=-1))
            continue
        assert known is not None
        chosen = _log_probability(model, sample.prompt, right) - known[0]
        rejected = _log_probability(model, sample.prompt, wrong) - known[1]
        losses.append(-torch.log(torch.sigmoid(section.beta * (chosen - rejected))))
    found = torch.stack(losses).mean() if losses else torch.zeros((), dtype=torch.float64)
    return section.language_weight * language + section.contrastive_weight * found


def _assert_as_plain(model: Any, batch: list[Sample], section: ObjectiveSection, reading: Reading) -> None:
    model.eval()
    assert set_to(model, reading)
    objective = Objective(model, terms_of(section), 0, reading)
    counts = objective.counts(batch)
    parts = micro_batches(batch, 60, 20, triplets=False)
    ours = torch.stack([objective(part, counts)[0] for part in parts]).sum()
    plain = _plain(model, batch, section)
    assert math.isclose(ours.item(), plain.item(), rel_tol=1e-9, abs_tol=1e-6)
    if plain.requires_grad:
        for mine, theirs in zip(gradients(model, ours), gradients(model, plain), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [*READINGS, "t5"])
@settings(deadline=None, max_examples=tries(30))
@given(batches, st.sampled_from([0.1, 0.5, 2.0]), st.sampled_from([1.0, 0.3]))
def test_preferences_are_those_of_the_plain_computation(
    kind: str, batch: list[Sample], beta: float, language: float
) -> None:
    model = tiny_t5(VOCABULARY).double() if kind == "t5" else tiny_model()
    section = ObjectiveSection(loss="dpo", beta=beta, language_weight=language)
    _assert_as_plain(model, batch, section, READINGS.get(kind, Reading()))


@pytest.mark.parametrize("kind", READINGS)
@settings(deadline=None, max_examples=tries(30))
@given(batches, st.sampled_from([0.5, 2.0]))
def test_self_distillation_is_that_of_the_plain_computation(kind: str, batch: list[Sample], weight: float) -> None:
    section = ObjectiveSection(loss="self_distillation", contrastive_weight=weight)
    _assert_as_plain(tiny_model(), batch, section, READINGS[kind])


@pytest.mark.parametrize("kind", READINGS)
@settings(deadline=None, max_examples=tries(30))
@given(scored_batches, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([1.0, 0.3]))
def test_what_a_teacher_says_of_own_attempts_is_learnt_as_by_the_plain_computation(
    kind: str, batch: list[Sample], interpolation: float, language: float
) -> None:
    """Beside rationales or, of a question that has none, alone."""
    section = ObjectiveSection(loss="on_policy", interpolation=interpolation, language_weight=language)
    _assert_as_plain(tiny_model(), batch, section, READINGS[kind])


def test_words_that_both_share_have_no_part_in_a_preference() -> None:
    """So that a step is preferred, and not what leads to it."""
    model = tiny_model()
    prompt, shared = (5, 6, 7), (8, 9)
    reader = PairReader(model, Pairs(), 0, shares_prompt=True)
    whole, rest = (
        reader.log_probabilities([(before, (*words, 20)), (before, (*words, 21))])
        for before, words in ((prompt, shared), ((*prompt, *shared), ()))
    )
    assert math.isclose((whole[0] - whole[1]).item(), (rest[0] - rest[1]).item(), abs_tol=1e-9)


@pytest.mark.parametrize("kind", ["decoder", "t5"])
def test_a_students_own_words_are_its_reference_before_it_is_trained(kind: str) -> None:
    """Then the loss of every pair is that of a coin."""
    model = tiny_t5(VOCABULARY).double().eval() if kind == "t5" else tiny_model().eval()
    reader = PairReader(model, Pairs(), 0, shares_prompt=kind == "decoder")
    examples = [
        TokenizedExample(
            "a", (5, 6), ((8, 1), (9, 10, 1)), ((11, 1),), pairs=(Pair((8, 1), (11, 1)), Pair((9, 10, 1), (11, 1)))
        ),
        TokenizedExample("b", (7,), ((8, 1),), (), pairs=()),
        TokenizedExample("c", (7, 8, 9), ((12, 1),), ((13, 14, 1),), pairs=(Pair((12, 1), (13, 14, 1)),)),
    ]  # fmt: skip
    alone = with_reference(examples, reader.reference, 8, lambda own: [own])
    assert [len(example.pairs) for example in alone] == [2, 0, 1]
    objective = Objective(model, terms_of(ObjectiveSection(loss="dpo")), 0, Reading(shares_prompt=kind == "decoder"))
    samples = [Sample(e.prompt, e.positives[0], pair=pair) for e in alone for pair in e.pairs]
    _, losses = objective(tuple(samples), objective.counts(samples))
    assert math.isclose(float(losses[1]), math.log(2.0), abs_tol=1e-6)


def test_workers_tell_one_another_their_references() -> None:
    model = tiny_model().eval()
    reader = PairReader(model, Pairs(), 0, shares_prompt=True)
    pair = Pair((8, 9, 1), (11, 1))
    examples = [TokenizedExample("a", (5, place), (pair.right,), (pair.wrong,), pairs=(pair,)) for place in (6, 7, 8)]
    shares: list[list[float]] = []

    def kept(own: list[float]) -> list[list[float]]:
        shares.append(own)
        return [own]

    expected = with_reference(examples, reader.reference, 100, lambda own: [own])
    for rank in range(2):
        with pytest.raises((ValueError, KeyError)):  # one share alone is not all
            with_reference(examples, reader.reference, 100, kept, rank, 2)
    assert [len(own) for own in shares] == [3, 3]
    found = with_reference(examples, reader.reference, 100, lambda _: shares, 0, 2)
    for one, other in zip(found, expected, strict=True):
        assert one.pairs[0].reference == pytest.approx(other.pairs[0].reference)


def test_what_supervises_has_no_dropout_and_leaves_the_student_in_training() -> None:
    model = tiny_model(attention_dropout=0.5).train()
    sample = Sample((5, 6), (8, 1), pair=Pair((8, 1), (9, 1)))
    reader = PairReader(model, Pairs("whole", "next_tokens"), 0, shares_prompt=False)
    objective = Objective(model, terms_of(ObjectiveSection(loss="self_distillation")), 0, Reading())
    read = objective.reader.read([sample], triplets=False)
    first, second = (reader.add(read, [sample]).shown_next_tokens for _ in range(2))
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert model.training


def test_samples_without_a_pair_have_none_of_the_loss() -> None:
    model = tiny_model().eval()
    objective = Objective(model, terms_of(ObjectiveSection(loss="dpo")), 0, Reading(shares_prompt=True))
    with_one = Sample((5, 6), (8, 1), pair=Pair((8, 1), (9, 1), (-3.0, -3.0)))
    without = replace(with_one, pair=None)
    assert objective.counts([with_one, without]) == (4, 1)
    total, losses = objective((without,), objective.counts([without]))
    assert float(losses[1]) == 0.0
    assert math.isclose(float(total.detach()), float(losses[0]))


@pytest.mark.parametrize("make", [tiny_student, tiny_t5_student])
@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_every_loss_of_pairs_trains_what_it_says(loss: Any, make: Any) -> None:
    if (loss == "self_distillation" and make is tiny_t5_student) or loss == "on_policy":
        return  # refused, see test_comparisons; test_scored_attempts
    student = make()
    examples = [
        Example(f"p{i}", f"Q: {i}+1?", (f" {i}+1={i + 1}.\nAnswer: {i + 1}",), (f" {i}+1={i + 3}.\nAnswer: {i + 3}",))
        for i in range(6)
    ]
    training = TrainingSection(epochs=12, batch_size=3, learning_rate=1e-3, warmup_steps=0)
    section = ObjectiveSection(loss=loss, beta=0.1, language_weight=0.0)
    report = fine_tune(student.model, student.tokenizer, examples, training, section, 0)
    told = [point.reflection for point in report.losses if point.reflection is not None]
    assert len(told) == report.steps == 24
    assert sum(told[-4:]) < 0.7 * sum(told[:4])
    assert all(math.isclose(point.total, 0.5 * (point.reflection or 0.0), rel_tol=1e-6) for point in report.losses)
    if loss != "self_distillation":
        assert math.isclose(told[0], math.log(2.0), rel_tol=1e-4)  # nothing is preferred before


def test_a_new_adapter_prefers_nothing_and_then_learns() -> None:
    """Its reference is the student without it, which a new adapter leaves as it was."""
    student = tiny_student()
    examples = [
        Example(f"p{i}", f"Q: {i}+1?", (f" {i}+1={i + 1}.\nAnswer: {i + 1}",), (f" {i}+1={i + 3}.\nAnswer: {i + 3}",))
        for i in range(4)
    ]
    training = TrainingSection(epochs=8, batch_size=4, learning_rate=1e-2, warmup_steps=0, lora={"rank": 4})
    section = ObjectiveSection(loss="dpo", language_weight=0.0)
    report = fine_tune(student.model, student.tokenizer, examples, training, section, 0)
    told = [point.reflection or 0.0 for point in report.losses]
    assert math.isclose(told[0], math.log(2.0), rel_tol=1e-4)
    assert told[-1] < 0.8 * told[0]
