"""Which rationales are learnt together: examples to token ids, passes to batches, batches to workers.

Owns: tokenising of examples, the order of a pass, the shares of the workers. No tensors.

Invariants
- In one pass every distinct rationale of every question occurs exactly once, and no batch holds a question twice.
- A pass has no tiny or repeated batches at its end: the sizes of its batches differ by at most one.
- A pass depends on seed and epoch alone, never on rank or number of workers: every worker computes the same pass and
  takes its own share of each batch, so all make equally many steps and know the whole batch's loss denominators.
- Nothing is cut: a completion that does not fit `max_tokens` is left out and counted, never shortened.

(Not so in the papers' code. A's fills the last batch up with rationales already had, repeats whole batches so that all
workers have one, and holds a question twice where one round of questions ends and the next begins; both cut what is too
long, A's before it takes a representation.)
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasoning.prompts.encoding import TEXT_ALONE, Encoder
from reasoning.prompts.frame import Frame
from reasoning.records import Example

TokenIds = tuple[int, ...]
Span = tuple[int, int]  # of a completion's tokens, the second not included

MAX_PADDED_TOKENS = 16_384  # tokens that go through the model at once; more are accumulated
MAX_PACKED_TOKENS = {"cpu": 2_048, "cuda": 4_096}  # the same of a packed row: enough to keep the device busy
MAX_LOGITS = 2**28  # a GiB of float32: what a large vocabulary makes of those tokens where logits are whole


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a teacher says of every token of an attempt: `width` ids a token that it lists (-1: fewer) with their
    log-probabilities, one token after another."""

    width: int
    listed: array[int]
    log_probabilities: array[float]


@dataclass(frozen=True, slots=True)
class Pair:
    """A right and a wrong continuation of one prompt, or of one beginning of an answer, which both then have.

    `reference`: the log-probability that each had before the training, right and wrong, where a loss compares with
    it. `scores`: a teacher's of the tokens of `wrong`, which is then any attempt of the student's, and alone."""

    right: TokenIds
    wrong: TokenIds
    reference: tuple[float, float] | None = None
    scores: Scores | None = None


@dataclass(frozen=True, slots=True)
class TokenizedExample:
    """One question as token ids. Completions end in the token that ends an answer; a decoder's prompt has none.

    `spans[p][n]`: the part of positive p and that of negative n that are compared; empty where completions are compared
    whole. `pairs`: what a loss of pairs draws from."""

    id: str
    prompt: TokenIds
    positives: tuple[TokenIds, ...]
    negatives: tuple[TokenIds, ...]
    spans: tuple[tuple[tuple[Span, Span], ...], ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def has_triplet(self) -> bool:
        """Whether its samples are triplets: every one is, or none."""
        return len(self.positives) > 1 and bool(self.negatives)


@dataclass(frozen=True, slots=True)
class TokenizedData:
    """The examples that can be learnt from, and how many completions and whole examples did not fit."""

    examples: tuple[TokenizedExample, ...]
    dropped_completions: int
    dropped_examples: int
    longest: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One drawn rationale (the anchor), with another right one and a wrong one of its question where there are any.

    `compared`: the parts of anchor, positive and negative that are compared (None: each whole); `pair`: one that a loss
    of pairs learns from."""

    prompt: TokenIds
    anchor: TokenIds
    positive: TokenIds | None = None
    negative: TokenIds | None = None
    compared: tuple[Span, Span, Span] | None = None
    pair: Pair | None = None

    @property
    def is_triplet(self) -> bool:
        return self.positive is not None and self.negative is not None

    @property
    def length(self) -> int:
        """Tokens of prompt and anchor: what the language-model loss reads."""
        return len(self.prompt) + len(self.anchor)

    @property
    def pair_length(self) -> int:
        """Tokens of the pair, and of the prompt before each: what is read beside."""
        return 2 * len(self.prompt) + len(self.pair.right) + len(self.pair.wrong) if self.pair else 0

    @property
    def attempt_tokens(self) -> int:
        """Tokens of the pair's wrong continuation that the student predicts: without a prompt, not the first."""
        return len(self.pair.wrong) - (not self.prompt) if self.pair is not None else 0


def tokenize_examples(
    examples: Sequence[Example],
    tokenizer: Any,
    max_tokens: int,
    *,
    encoder_decoder: bool = False,
    frame: Frame | None = None,
) -> TokenizedData:
    """Token ids of `examples`: prompt and completion encoded apart, the completion closed by the end of its `frame`
    (None: of text alone, the end of sequence).

    `tokenizer` is a `transformers` tokenizer. A prompt is read as sampler and server read it
    (`reasoning.prompts.encoding`): a token that is put before every text (Llama's begin of sequence) stands before it,
    and for an encoder also one that is put after it (T5's end of sequence). Completions equal as token ids are one. A
    completion is left out when it exceeds `max_tokens` together with its prompt, or for an encoder-decoder when it or
    its prompt does; an example when no positive of it is left. One that has none from the first on imitates an empty
    one, without a token to predict.
    """
    encoder = Encoder(tokenizer, encoder_decoder=encoder_decoder)
    marks = [frame.marks(example.prompt) if frame else TEXT_ALONE for example in examples]
    prompts = encoder.prompts([example.prompt for example in examples], marks)
    size = _longer if encoder_decoder else _together
    completions = iter(encoder.completions([text for e in examples for text in (*e.positives, *e.negatives)], frame))
    kept: list[TokenizedExample] = []
    dropped = longest = 0
    for example, prompt in zip(examples, prompts, strict=True):
        positives = _distinct([tuple(next(completions)) for _ in example.positives])
        negatives = _distinct([tuple(next(completions)) for _ in example.negatives])
        longest = max(longest, *(size(prompt, c) for c in (*positives, *negatives, ())))
        fitting = [tuple(c for c in side if size(prompt, c) <= max_tokens) for side in (positives, negatives)]
        dropped += len(positives) + len(negatives) - len(fitting[0]) - len(fitting[1])
        if fitting[0] or not example.positives:
            kept.append(TokenizedExample(example.id, tuple(prompt), fitting[0] or ((),), fitting[1]))
    return TokenizedData(tuple(kept), dropped, len(examples) - len(kept), longest)


def _together(prompt: Sequence[int], completion: Sequence[int]) -> int:
    return len(prompt) + len(completion)


def _longer(prompt: Sequence[int], completion: Sequence[int]) -> int:
    return max(len(prompt), len(completion))


def _distinct(completions: list[TokenIds]) -> tuple[TokenIds, ...]:
    return tuple(dict.fromkeys(completions))


def steps_per_pass(examples: Sequence[TokenizedExample], batch_size: int) -> int:
    """Batches in a pass: enough for `batch_size`, and one for each rationale of the question that has most."""
    counts = [len(example.positives) for example in examples]
    return max(math.ceil(sum(counts) / batch_size), max(counts, default=0))


def draw_pass(examples: Sequence[TokenizedExample], batch_size: int, seed: int, epoch: int) -> list[tuple[Sample, ...]]:
    """The batches of one pass, over all workers: `steps_per_pass` tuples of at most `batch_size` samples.

    Each question deals its rationales, in random order, to as many different batches; the batches are taken from a
    shuffled deck that holds each once and is renewed when it runs out. So loads stay within one of each other.
    Positive and negative are drawn anew for each anchor. Shuffled by seed + epoch (METHOD, A)."""
    draw = random.Random(seed + epoch)
    batches: list[list[Sample]] = [[] for _ in range(steps_per_pass(examples, batch_size))]
    deck: list[int] = []
    for example in draw.sample(list(examples), len(examples)):
        anchors = draw.sample(range(len(example.positives)), len(example.positives))
        dealt, deck = _deal(deck, len(anchors), len(batches), draw)
        for anchor, batch in zip(anchors, dealt, strict=True):
            batches[batch].append(_sample(example, anchor, draw))
    for batch_samples in batches:
        draw.shuffle(batch_samples)
    return [tuple(batch_samples) for batch_samples in batches]


def _deal(deck: list[int], count: int, batches: int, draw: random.Random) -> tuple[list[int], list[int]]:
    """`count` different batches from `deck`, renewed if need be, and the deck that is left."""
    if count <= len(deck):
        return deck[:count], deck[count:]
    fresh = draw.sample(range(batches), batches)
    more = [batch for batch in fresh if batch not in deck][: count - len(deck)]
    taken = set(more)
    return deck + more, [batch for batch in fresh if batch not in taken]


def _sample(example: TokenizedExample, anchor: int, draw: random.Random) -> Sample:
    others = [i for i in range(len(example.positives)) if i != anchor]
    positive = draw.choice(others) if others else None
    negative = draw.choice(range(len(example.negatives))) if example.negatives else None
    compared: tuple[Span, Span, Span] | None = None
    if example.spans and positive is not None and negative is not None:
        of_anchor, of_negative = example.spans[anchor][negative]
        compared = (of_anchor, example.spans[positive][negative][0], of_negative)
    return Sample(
        prompt=example.prompt,
        anchor=example.positives[anchor],
        positive=example.positives[positive] if positive is not None else None,
        negative=example.negatives[negative] if negative is not None else None,
        compared=compared,
        pair=draw.choice(example.pairs) if example.pairs else None,
    )


def share(batch: Sequence[Sample], rank: int, world_size: int) -> tuple[Sample, ...]:
    """The samples of `batch` that worker `rank` learns: disjoint over ranks, sizes within one, long ones spread.

    Empty for some ranks when the batch has fewer samples than there are workers."""
    longest_first = sorted(batch, key=lambda sample: sample.length, reverse=True)
    rounds = [longest_first[start : start + world_size] for start in range(0, len(batch), world_size)]
    places = [rank if turn % 2 == 0 else world_size - 1 - rank for turn in range(len(rounds))]  # there and back
    return tuple(dealt[place] for dealt, place in zip(rounds, places, strict=True) if place < len(dealt))


def micro_batches(
    samples: Sequence[Sample], max_padded: int, min_padded: int, *, triplets: bool
) -> list[tuple[Sample, ...]]:
    """`samples` in groups that go through the model together, at most `max_padded` padded tokens each (or one sample).

    A group takes samples in order of length, and once it has `min_padded` tokens none that would be padded by more than
    a tenth: below that, a pass costs more than the padding it saves. With `triplets`, samples that have one are kept
    apart from those that do not, which would be padded by the two completions they lack; so are samples with a
    pair."""
    groups: list[tuple[Sample, ...]] = []
    for paired in (True, False):
        current: list[Sample] = []
        members = [s for s in samples if ((triplets and s.is_triplet) or s.pair is not None) == paired]
        for sample in sorted(members, key=lambda sample: _width(sample, triplets), reverse=True):
            widest = _width(current[0], triplets) if current else 0
            full = widest * (len(current) + 1) > max_padded
            shorter = widest * len(current) >= min_padded and _width(sample, triplets) < 0.9 * widest
            if current and (full or shorter):
                groups.append(tuple(current))
                current = []
            current.append(sample)
        if current:
            groups.append(tuple(current))
    return groups


def packed_batches(samples: Sequence[Sample], max_tokens: int, *, triplets: bool) -> list[tuple[Sample, ...]]:
    """`samples` in groups that go through the model in one row each, of at most `max_tokens` tokens (or one sample): as
    few as there can be, of about equal size. Those of like length are together."""
    longest_first = sorted(samples, key=lambda sample: _width(sample, triplets), reverse=True)
    lengths = [_width(sample, triplets) for sample in longest_first]
    wanted = sum(lengths) / max(1, math.ceil(sum(lengths) / max_tokens))
    groups: list[list[Sample]] = []
    size, before = 0, 0
    for sample, length in zip(longest_first, lengths, strict=True):
        # A group ends where the sum so far is nearest to a multiple of the wanted size, and never beyond the limit.
        if not groups or size + length > max_tokens or before + length / 2 > wanted * len(groups):
            groups.append([])
            size = 0
        groups[-1].append(sample)
        size += length
        before += length
    return [tuple(group) for group in groups]


def _width(sample: Sample, triplets: bool) -> int:
    compared = len(sample.positive or ()) + len(sample.negative or ()) if triplets and sample.is_triplet else 0
    return sample.length + compared + sample.pair_length
