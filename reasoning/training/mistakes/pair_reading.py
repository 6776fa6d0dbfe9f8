"""How a student reads pairs of a right and a wrong continuation of one prompt.

Owns: the calls of the model for losses of pairs, and the log-probabilities that a student gave them before it was
trained, computed once, without gradient, so that no second model stays in memory.

Invariants
- A continuation's log-probability is that of the sequence read alone, prompt and continuation, whatever lies beside it.
- What supervises (the student before the training, the student that was shown the right answer) has no gradient and no
  dropout.
- Workers compute their shares of the references and tell one another: all train with the same.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reasoning.training.collation import collate, pad_right
from reasoning.training.losses.precision import at_least_float32
from reasoning.training.losses.term import Pairs, StudentOutput
from reasoning.training.samples import Pair, Sample, TokenIds, TokenizedExample

Continued = tuple[TokenIds, TokenIds]  # a prompt and what continues it


@dataclass(frozen=True, slots=True)
class _Places:
    """Where tokens are predicted in a reading: row and column of each, the token, and the continuation it is of."""

    rows: list[int]
    columns: list[int]
    targets: list[int]
    owners: list[int]

    def add(self, row: int, columns: Sequence[int], targets: TokenIds, owner: int) -> None:
        """The tokens of a continuation; a first one that nothing is before is not predicted."""
        for column, target in zip(columns, targets, strict=True):
            if column >= 0:
                self.rows.append(row)
                self.columns.append(column)
                self.targets.append(target)
                self.owners.append(owner)


class PairReader:
    """`shares_prompt`, of decoders: each prompt is read once for both continuations."""

    def __init__(self, student: Any, needs: Pairs, pad: int, *, shares_prompt: bool) -> None:
        self.student, self.needs, self.pad = student, needs, pad
        self.apart = student.config.is_encoder_decoder
        self.shares_prompt = shares_prompt and not self.apart
        self._keeps_logits = "logits_to_keep" in inspect.signature(student.forward).parameters

    @property
    def _device(self) -> torch.device:
        return next(self.student.parameters()).device  # type: ignore[no-any-return]

    def add(self, output: StudentOutput, samples: Sequence[Sample]) -> StudentOutput:
        """`output` with what is needed of the pairs of `samples`; as it is when there are none."""
        paired = [(sample.prompt, sample.pair) for sample in samples if sample.pair is not None]
        if not paired:
            return output
        if self.needs.of == "scored_tokens":
            own_NV = self._logits([(prompt, pair.wrong) for prompt, pair in paired])[0]
            listed_NL, teacher_NL = _scores(paired, own_NV.device)
            return replace(output, next_tokens=own_NV, listed=listed_NL, teacher=teacher_NL)
        if self.needs.of == "log_probability":
            known = [pair.reference or (0.0, 0.0) for _, pair in paired]
            found_P2 = self._shared(paired) if self.shares_prompt else self._both(paired)
            return replace(output, log_probabilities=found_P2, reference=found_P2.new_tensor(known))
        with self._supervising():
            shown = [((*prompt, *pair.right, *prompt), pair.wrong) for prompt, pair in paired]
            supervisor_NV = self._logits(shown)[0]
        own_NV = self._logits([(prompt, pair.wrong) for prompt, pair in paired])[0]
        return replace(output, next_tokens=own_NV, shown_next_tokens=supervisor_NV)

    def log_probabilities(self, sequences: Sequence[Continued]) -> Tensor:
        """(S,): of each continuation after its prompt."""
        logits_NV, places = self._logits(sequences)
        return _summed(logits_NV, places, len(sequences))

    @contextlib.contextmanager
    def _supervising(self) -> Iterator[None]:
        training = self.student.training
        self.student.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.student.train(training)

    def reference(self, sequences: Sequence[Continued]) -> list[float]:
        """`log_probabilities` as they are now, to be compared with later."""
        with self._supervising():
            return [float(value) for value in self.log_probabilities(sequences)]

    def _both(self, paired: Sequence[tuple[TokenIds, Pair]]) -> Tensor:
        rights = [(prompt, pair.right) for prompt, pair in paired]
        wrongs = [(prompt, pair.wrong) for prompt, pair in paired]
        return self.log_probabilities([*rights, *wrongs]).view(2, -1).T

    def _shared(self, paired: Sequence[tuple[TokenIds, Pair]]) -> Tensor:
        """Rows of `prompt right | wrong`: a triplet's without its second right completion."""
        rows = [Sample(prompt, pair.right, (), pair.wrong) for prompt, pair in paired]
        padded = collate(rows, self.pad, self._device, triplets=True)
        places = _Places([], [], [], [])
        for row, (prompt, pair) in enumerate(paired):
            ahead, beside = len(prompt) - 1, padded.anchor_columns
            places.add(row, range(ahead, ahead + len(pair.right)), pair.right, 2 * row)
            columns = [ahead, *range(beside, beside + len(pair.wrong) - 1)]
            places.add(row, columns[: len(pair.wrong)], pair.wrong, 2 * row + 1)
        output = self.student(
            input_ids=padded.tokens_BT,
            position_ids=padded.positions_BT,
            attention_mask=padded.attention_mask(self.student.dtype),
            use_cache=False,
            **self._kept(places, padded.tokens_BT),
        )
        logits_NV = _at(output.logits, places, padded.tokens_BT.shape[1])
        return _summed(logits_NV, places, 2 * len(paired)).view(-1, 2)

    def _kept(self, places: _Places, tokens_BT: Tensor) -> dict[str, int]:
        """What asks for logits from the first column on that predicts something."""
        if not self._keeps_logits or not places.columns:
            return {}
        return {"logits_to_keep": tokens_BT.shape[1] - min(places.columns)}

    def _logits(self, sequences: Sequence[Continued]) -> tuple[Tensor, _Places]:
        """(N, V): logits of every token of the continuations, in order, each sequence by itself."""
        places = _Places([], [], [], [])
        for row, (prompt, continuation) in enumerate(sequences):
            first = 0 if self.apart else len(prompt) - 1
            places.add(row, range(first, first + len(continuation)), continuation, row)
        logits_BTV, columns = self._read(sequences, places)
        return _at(logits_BTV, places, columns), places

    def _read(self, sequences: Sequence[Continued], places: _Places) -> tuple[Tensor, int]:
        """(B, T, V), of the last T columns, and how many columns there are: those of a decoder lie along prompt and
        continuation, those of an encoder-decoder along the continuation."""
        prompts = [prompt for prompt, _ in sequences]
        continuations = [continuation for _, continuation in sequences]
        if self.apart:
            prompts_BS, is_prompt_BS = pad_right(prompts, self.pad, self._device)
            targets_BT, is_token_BT = pad_right(continuations, -100, self._device)
            output = self.student(
                input_ids=prompts_BS,
                attention_mask=is_prompt_BS,
                decoder_input_ids=self.student.prepare_decoder_input_ids_from_labels(targets_BT),
                decoder_attention_mask=is_token_BT,
                use_cache=False,
            )
            return output.logits, targets_BT.shape[1]
        whole = [(*prompt, *continuation) for prompt, continuation in sequences]
        tokens_BT, is_token_BT = pad_right(whole, self.pad, self._device)
        options = self._kept(places, tokens_BT)
        output = self.student(input_ids=tokens_BT, attention_mask=is_token_BT, use_cache=False, **options)
        return output.logits, tokens_BT.shape[1]


def with_reference(
    examples: Sequence[TokenizedExample],
    reference: Callable[[Sequence[Continued]], list[float]],
    max_padded: int,
    gathered: Callable[[list[float]], list[list[float]]],
    rank: int = 0,
    world_size: int = 1,
) -> tuple[TokenizedExample, ...]:
    """`examples` whose pairs know what the student gives their continuations now (`reference`). Each is read once, at
    most `max_padded` tokens together on a worker; `gathered` brings every rank's shares here. All ranks read equally
    often: who has nothing left reads what another counts."""
    distinct = {(e.prompt, text): None for e in examples for pair in e.pairs for text in (pair.right, pair.wrong)}
    by_length = sorted(distinct, key=lambda sequence: len(sequence[0]) + len(sequence[1]), reverse=True)
    own: list[float] = []
    start = 0
    while start < len(by_length):
        prompt, text = by_length[start]
        count = world_size * max(1, max_padded // max(1, len(prompt) + len(text)))
        block = by_length[start : start + count]
        mine = block[rank::world_size]
        own += reference(mine or block[:1])[: len(mine)]
        start += count
    known: dict[Continued, float] = {}
    for other, values in enumerate(gathered(own)):
        known |= zip(by_length[other::world_size], values, strict=True)
    return tuple(
        replace(
            e, pairs=tuple(replace(p, reference=(known[e.prompt, p.right], known[e.prompt, p.wrong])) for p in e.pairs)
        )
        for e in examples
    )


def _scores(paired: Sequence[tuple[TokenIds, Pair]], device: torch.device) -> tuple[Tensor, Tensor]:
    """(N, L) each: the ids that the teacher lists of every token, and their log-probabilities; negative ids fill up."""
    known = [(prompt, pair.scores) for prompt, pair in paired if pair.scores is not None]
    width = max(scores.width for _, scores in known)
    parts = []
    for prompt, scores in known:
        ids_TL = torch.tensor(scores.listed, dtype=torch.long).view(-1, scores.width)
        values_TL = torch.tensor(scores.log_probabilities).view(-1, scores.width)
        first, missing = int(not prompt), width - scores.width  # a first token that nothing is before is not predicted
        padded = [functional.pad(one[first:], (0, missing), value=-1) for one in (ids_TL, values_TL)]
        parts.append(padded)
    listed_NL, teacher_NL = (torch.cat([part[place] for part in parts]).to(device) for place in (0, 1))
    return listed_NL, teacher_NL


def _at(logits_BTV: Tensor, places: _Places, columns: int) -> Tensor:
    """(N, V): the logits at `places` of a reading with so many columns, of which `logits_BTV` has the last."""
    device, left_out = logits_BTV.device, columns - logits_BTV.shape[1]
    rows_N = torch.tensor(places.rows, dtype=torch.long, device=device)
    columns_N = torch.tensor(places.columns, dtype=torch.long, device=device)
    return logits_BTV[rows_N, columns_N - left_out]


def _summed(logits_NV: Tensor, places: _Places, owners: int) -> Tensor:
    """(owners,): the log-probabilities of the tokens, summed over each continuation."""
    targets_N = torch.tensor(places.targets, device=logits_NV.device)
    losses_N = functional.cross_entropy(at_least_float32(logits_NV), targets_N, reduction="none")
    owners_N = torch.tensor(places.owners, device=logits_NV.device)
    return -losses_N.new_zeros(owners).index_add(0, owners_N, losses_N)
