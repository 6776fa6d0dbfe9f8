"""What holds for every pass, whatever the examples: asserted over random ones."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.prompts.student_forms import student_completion, student_prompt
from reasoning.records import Example
from reasoning.training.samples import (
    Sample,
    TokenizedExample,
    draw_pass,
    micro_batches,
    packed_batches,
    share,
    steps_per_pass,
    tokenize_examples,
)
from tests.tiny_students import byte_tokenizer
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training


@st.composite
def datasets(draw: st.DrawFn) -> list[TokenizedExample]:
    """Questions with distinct prompts and completions of varied length: token ids say whose they are."""
    counts = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=40))
    examples = []
    for question, (positives, negatives) in enumerate(counts):
        completions = [(question, i, *[7] * ((question * 5 + i * 3) % 11)) for i in range(positives + negatives)]
        examples.append(
            TokenizedExample(
                str(question), (1000 + question,), tuple(completions[:positives]), tuple(completions[positives:])
            )
        )
    return examples


sizes = st.integers(1, 17)
seeds = st.integers(0, 5)


@settings(deadline=None)
@given(datasets(), sizes, seeds, seeds)
def test_a_pass_holds_every_rationale_once_and_no_question_twice_in_a_batch(
    examples: list[TokenizedExample], size: int, seed: int, epoch: int
) -> None:
    batches = draw_pass(examples, size, seed, epoch)
    anchors = Counter((sample.prompt, sample.anchor) for batch in batches for sample in batch)
    assert anchors == Counter((example.prompt, anchor) for example in examples for anchor in example.positives)
    for batch in batches:
        assert len({sample.prompt for sample in batch}) == len(batch) <= size


@settings(deadline=None)
@given(datasets(), sizes, seeds)
def test_a_pass_has_no_tiny_batch(examples: list[TokenizedExample], size: int, seed: int) -> None:
    batches = draw_pass(examples, size, seed, 0)
    loads = [len(batch) for batch in batches]
    assert len(batches) == steps_per_pass(examples, size)
    assert max(loads) - min(loads) <= 1
    assert min(loads) >= 1


@settings(deadline=None)
@given(datasets(), sizes, seeds, seeds)
def test_every_anchor_has_a_positive_and_a_negative_where_its_question_does(
    examples: list[TokenizedExample], size: int, seed: int, epoch: int
) -> None:
    by_prompt = {example.prompt: example for example in examples}
    for sample in (sample for batch in draw_pass(examples, size, seed, epoch) for sample in batch):
        example = by_prompt[sample.prompt]
        assert (sample.positive is None) == (len(example.positives) == 1)
        assert (sample.negative is None) == (not example.negatives)
        assert sample.positive is None or sample.positive in set(example.positives) - {sample.anchor}
        assert sample.negative is None or sample.negative in example.negatives


@settings(deadline=None)
@given(datasets(), sizes, seeds, st.integers(1, 5))
def test_workers_share_each_batch_disjointly_and_make_equally_many_steps(
    examples: list[TokenizedExample], size: int, seed: int, workers: int
) -> None:
    passes = [draw_pass(examples, size, seed, 0) for _ in range(workers)]  # each worker draws for itself
    assert all(drawn == passes[0] for drawn in passes)
    for step in range(len(passes[0])):
        shares = [share(passes[rank][step], rank, workers) for rank in range(workers)]
        assert Counter(sample for part in shares for sample in part) == Counter(passes[0][step])
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@settings(deadline=None)
@given(datasets(), sizes, seeds, seeds)
def test_a_pass_repeats_for_its_seed_and_epoch_and_changes_over_epochs(
    examples: list[TokenizedExample], size: int, seed: int, epoch: int
) -> None:
    assert draw_pass(examples, size, seed, epoch) == draw_pass(list(examples), size, seed, epoch)
    if sum(len(example.positives) for example in examples) > 1:  # else there is one pass
        passes = [draw_pass(examples, size, seed, later) for later in range(epoch, epoch + 40)]
        assert any(drawn != passes[0] for drawn in passes)


@pytest.mark.parametrize(
    ("counts", "size"), [((1, 1, 5), 4), ((2,) * 5, 4), ((9, 1), 8), ((1,) * 9, 4), ((3, 3, 3), 2)]
)
def test_the_end_of_a_pass_is_like_its_beginning(counts: tuple[int, ...], size: int) -> None:
    """Paper A's batches are not: one that spans the end of a round of questions may hold a question twice, the last is
    filled up with rationales already had, and whole batches are repeated until every worker has as many."""
    examples = [
        TokenizedExample(str(q), (100 + q,), tuple((q, r) for r in range(count)), ()) for q, count in enumerate(counts)
    ]
    for epoch in range(20):
        batches = draw_pass(examples, size, 0, epoch)
        assert sorted(sample.anchor for batch in batches for sample in batch) == sorted(
            anchor for example in examples for anchor in example.positives
        )
        assert all(len({sample.prompt for sample in batch}) == len(batch) for batch in batches)
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


def _many(questions: int, rationales: int) -> list[TokenizedExample]:
    return [
        TokenizedExample(str(q), (100 + q,), tuple((q, r) for r in range(rationales)), ((q, 99), (q, 98)))
        for q in range(questions)
    ]


def test_a_pass_depends_on_seed_and_epoch() -> None:
    examples = _many(20, 3)
    assert draw_pass(examples, 8, 1, 2) == draw_pass(examples, 8, 1, 2)
    assert draw_pass(examples, 8, 1, 2) != draw_pass(examples, 8, 1, 3)
    assert draw_pass(examples, 8, 1, 2) != draw_pass(examples, 8, 2, 2)


def test_batches_of_a_pass_do_not_repeat_one_another() -> None:
    """Dealt in order, a question's rationales would always meet the same company."""
    company = [frozenset(sample.prompt for sample in batch) for batch in draw_pass(_many(64, 4), 16, 0, 0)]
    assert len(set(company)) == len(company) == 16


def test_positives_and_negatives_are_drawn_anew_for_each_pass() -> None:
    drawn = {
        (sample.anchor, sample.positive, sample.negative)
        for epoch in range(60)
        for batch in draw_pass(_many(1, 3), 1, 0, epoch)
        for sample in batch
    }
    assert len(drawn) == 3 * 2 * 2  # every anchor with every other positive and every negative


@settings(deadline=None)
@given(datasets(), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_micro_batches_hold_every_sample_once_within_the_limit(
    examples: list[TokenizedExample], limit: int, enough: int, triplets: bool
) -> None:
    samples = [sample for batch in draw_pass(examples, 8, 0, 0) for sample in batch]
    groups = micro_batches(samples, limit, enough, triplets=triplets)
    assert Counter(sample for group in groups for sample in group) == Counter(samples)
    for group in groups:
        assert len(group) == 1 or len(group) * max(sample.length for sample in group) <= limit
        assert not triplets or len({sample.is_triplet for sample in group}) == 1


def test_long_and_short_samples_are_not_padded_together_once_there_are_enough() -> None:
    samples = [Sample((1,), tuple(range(length))) for length in (99, 9, 99, 9, 99, 9)]
    assert [len(group) for group in micro_batches(samples, 1000, 200, triplets=False)] == [3, 3]
    assert [len(group) for group in micro_batches(samples, 1000, 600, triplets=False)] == [6]


def test_tokens_are_those_of_prompt_and_completion_and_an_end() -> None:
    tokenizer = byte_tokenizer()
    prompt, completion = student_prompt("1 + 1?"), student_completion("One and one is two.", "2")
    data = tokenize_examples([Example("p", prompt, (completion,))], tokenizer, 512)
    (example,) = data.examples
    assert tokenizer.decode(example.prompt) == prompt
    assert tokenizer.decode(example.positives[0]) == completion + "</s>"
    assert tokenizer(prompt + completion, add_special_tokens=False)["input_ids"] == [
        *example.prompt,
        *example.positives[0][:-1],
    ]


@pytest.mark.parametrize(("limit", "positives", "negatives", "dropped"), [(100, 2, 2, 0), (12, 2, 1, 1), (11, 1, 1, 2)])
def test_a_completion_too_long_is_left_out_and_never_cut(
    limit: int, positives: int, negatives: int, dropped: int
) -> None:
    tokenizer = byte_tokenizer()
    example = Example("p", "12345", (" abc", " abcde"), (" abd", " abcdefghi"))
    data = tokenize_examples([example], tokenizer, limit)
    assert (len(data.examples[0].positives), len(data.examples[0].negatives)) == (positives, negatives)
    assert (data.dropped_completions, data.dropped_examples, data.longest) == (dropped, 0, 5 + 10 + 1)
    assert all(completion[-1] == tokenizer.eos_token_id for completion in data.examples[0].positives)


@pytest.mark.parametrize(("limit", "dropped"), [(11, 0), (10, 1), (9, 2)])
def test_prompt_and_completion_of_an_encoder_decoder_fit_each_by_itself(limit: int, dropped: int) -> None:
    """As paper B bounds both at 512, which cuts what is longer; here it is left out."""
    tokenizer = tiny_t5_student().tokenizer
    examples = [Example("p", "1234567", (" abc", " abcdefgh"), (" abcdefghi",)), Example("q", "1", (" a",), ())]
    data = tokenize_examples(examples, tokenizer, limit, encoder_decoder=True)
    assert (data.dropped_completions, data.dropped_examples, data.longest) == (dropped, 0, 11)
    assert tokenize_examples(examples, tokenizer, 7, encoder_decoder=True).dropped_examples == 1  # its prompt has 8


def test_an_example_without_a_fitting_rationale_is_left_out_whole() -> None:
    examples = [Example("p", "1" * 50, (" abc",), (" d",)), Example("q", "1", (" a", " a"))]
    data = tokenize_examples(examples, byte_tokenizer(), 10)
    assert [example.id for example in data.examples] == [examples[1].id]
    assert (data.dropped_completions, data.dropped_examples) == (2, 1)
    assert len(data.examples[0].positives) == 1  # the same text twice is one rationale


def test_an_encoder_reads_prompts_as_its_tokenizer_gives_them() -> None:
    tokenizer = tiny_t5_student().tokenizer
    data = tokenize_examples([Example("p", "Question: 1", (" one",))], tokenizer, 512, encoder_decoder=True)
    assert list(data.examples[0].prompt) == tokenizer("Question: 1").input_ids
    assert data.examples[0].prompt[-1] == tokenizer.eos_token_id
    assert list(data.examples[0].positives[0]) == tokenizer(" one").input_ids  # ended once


def test_long_and_short_samples_are_spread_over_workers() -> None:
    batch = [Sample((1,), tuple(range(length))) for length in (100, 10, 90, 20, 80, 30, 70, 40)]
    tokens = [sum(sample.length for sample in share(batch, rank, 2)) for rank in range(2)]
    assert tokens[0] == tokens[1]


def test_a_tokenizer_that_begins_texts_begins_prompts_in_training_too() -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    plain = tokenize_examples([Example("p", "Question: 1", (" one",))], tokenizer, 512).examples[0]
    begin = tokenizer.eos_token_id  # any token will do for a beginning
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{tokenizer.eos_token} $A {tokenizer.eos_token}", special_tokens=[(tokenizer.eos_token, begin)]
    )
    begun = tokenize_examples([Example("p", "Question: 1", (" one",))], tokenizer, 512).examples[0]
    assert begun.prompt == (begin, *plain.prompt)
    assert begun.positives == plain.positives  # begun nowhere, ended once


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40), st.integers(1, 200), st.booleans()
)
def test_rows_hold_every_sample_once_and_no_more_than_their_tokens(
    drawn: list[tuple[int, bool]], limit: int, triplets: bool
) -> None:
    samples = [
        Sample((1,) * 2, (number,) * length, *([(3, 4), (5,)] if is_triplet else []))
        for number, (length, is_triplet) in enumerate(drawn)
    ]
    rows = packed_batches(samples, limit, triplets=triplets)
    assert sorted(sample.anchor for row in rows for sample in row) == sorted(sample.anchor for sample in samples)

    def tokens(row: tuple[Sample, ...]) -> int:
        return sum(sample.length + 3 * (triplets and sample.is_triplet) for sample in row)

    sizes = [tokens(row) for row in rows]
    assert all(size <= limit or len(row) == 1 for size, row in zip(sizes, rows, strict=True))
    longest = max(tokens((sample,)) for sample in samples)
    if longest <= limit:  # as few rows as there can be, give or take one that samples do not fill
        assert max(sizes) - min(sizes) <= 2 * longest or len(sizes) <= 2 * sum(sizes) / limit + 1
