"""The training loop of one round: examples in, a taught student and its losses out.

Owns: the order of a step, what is reported, what is kept to resume. What a student is before it (its weights' format,
its adapter) is `reasoning.training.weights.preparing`'s.

Invariants
- The same examples, sections and seed give the same student; a run that was interrupted after any step and resumed by
  as many workers gives the same one as a run that was not; n workers give the same one as a single worker, up to
  rounding, whether each holds the whole student or it is divided among them (`distributed.sharding`).
- The student's weights are float32 throughout, unless `training.precision` says otherwise; the passes compute in
  bfloat16 where the hardware has it and `dtype` allows it.
- With an adapter, the adapter alone is trained, kept to resume (`distributed.state`) and moved between workers;
  whoever saves the student merges it (`reasoning.training.weights.merging`).
- A loss or gradient that is no longer a number stops the run: nothing is learnt after it, nor saved.

Runs in any process: distributed when `torch.distributed` is initialised and `world_size` > 1. No Ray here.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from reasoning.prompts.frame import Frame
from reasoning.recipe.engine import Dtype
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, ScoredAttempt, stable_id
from reasoning.training.distributed import state
from reasoning.training.distributed.in_step import Part, parts_in_step
from reasoning.training.distributed.sharding import put_away, shard
from reasoning.training.losses.table import terms_of, total
from reasoning.training.losses.term import Needs, Representations, merged
from reasoning.training.mistakes.comparisons import compared_data
from reasoning.training.mistakes.pair_reading import with_reference
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import how_to_read, require_prompts, set_to
from reasoning.training.readers import Reading
from reasoning.training.report import FineTuneReport, LossPoint, TrainingError, diverged
from reasoning.training.samples import (
    MAX_LOGITS,
    MAX_PACKED_TOKENS,
    MAX_PADDED_TOKENS,
    Sample,
    TokenizedData,
    draw_pass,
    micro_batches,
    packed_batches,
    share,
    steps_per_pass,
    tokenize_examples,
)
from reasoning.training.weights.adding import AdapterRefused
from reasoning.training.weights.choice import OptimizerRefused, make_optimizer
from reasoning.training.weights.half_precision import bfloat16_pays
from reasoning.training.weights.preparing import prepare
from reasoning.training.weights.schedule import learning_rate

Own = TypeVar("Own")

MIN_PADDED_TOKENS = {"cpu": 1_024, "cuda": 16_384}  # fewer at once leave the device idle; padding is cheaper
REPORT_SECONDS = 0.5  # reading a loss waits for the GPU, so a single worker reads them in bunches


def fine_tune(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    training: TrainingSection,
    objective: ObjectiveSection,
    seed: int,
    *,
    rank: int = 0,
    world_size: int = 1,
    dtype: Dtype = "auto",
    on_step: Callable[[LossPoint], None] | None = None,
    on_pass: Callable[[FineTuning], None] | None = None,
    due: Callable[[], bool] | None = None,
    on_due: Callable[[FineTuning], None] | None = None,
    resume: Path | None = None,
    frame: Frame | None = None,
    device: torch.device | None = None,
    scored: Sequence[ScoredAttempt] = (),
) -> FineTuneReport:
    """Teaches `model`, in place and on `device` (None: where it is), `training.epochs` passes over `examples`.

    `on_step` gets every step's losses (in bunches, twice a second); `on_pass` is called on every rank after each pass,
    and `on_due` after a step at which any rank's `due` says yes: both may `save` the state, which `resume` (a folder so
    written) continues from. `frame` is the form's that the examples were written in (None: all of them is text),
    `scored` what a teacher says of the student's own attempts. Raises `TrainingError` when no example fits, when a loss
    is not a number, or when `resume` is another training's.
    """
    run = FineTuning(
        model, tokenizer, examples, training, objective, seed, rank, world_size, dtype, frame, device, scored
    )
    if resume is not None:
        run.load(resume)
    for epoch in range(run.passes, training.epochs):
        run.learn_pass(epoch, on_step, due, on_due)
        if on_pass is not None:
            on_pass(run)
    return run.report()


class FineTuning:
    """A training under way: what `fine_tune` steps through and a checkpoint holds."""

    def __init__(
        self, model: Any, tokenizer: Any, examples: Sequence[Example], training: TrainingSection,
        objective: ObjectiveSection, seed: int, rank: int, world_size: int, dtype: Dtype,
        frame: Frame | None = None, device: torch.device | None = None, scored: Sequence[ScoredAttempt] = (),
    ) -> None:  # fmt: skip
        config = model.config.get_text_config(decoder=True)
        limit = min(training.max_tokens, getattr(config, "max_position_embeddings", None) or training.max_tokens)
        apart = model.config.is_encoder_decoder
        self.data = tokenize_examples(examples, tokenizer, limit, encoder_decoder=apart, frame=frame)
        if not self.data.examples:
            raise TrainingError(_nothing_fits(self.data, len(examples), limit))
        terms = terms_of(objective)
        needs = merged(terms)
        self.data = compared_data(self.data, examples, model.config, tokenizer, frame, objective, limit, scored)
        self.model, self.training, self.seed = model, training, seed
        self.rank, self.world_size = rank, world_size
        self.passes = 0
        self.steps_of_pass = 0  # that are done of the pass under way
        self.random_states: list[Tensor] = []  # of every rank, at such a step
        self.points: list[LossPoint] = []
        self.sharded = training.sharding == "fsdp" and world_size > 1
        self.device: torch.device = device or next(model.parameters()).device
        if not self.sharded:  # a divided one need not fit one device
            model.to(self.device)
        try:
            prepare(model, training, seed)
        except AdapterRefused as error:
            raise TrainingError(str(error)) from error
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        if not any(example.has_triplet for example in self.data.examples):
            needs = replace(needs, representations=None)
        if needs.pairs is not None and any(example.pairs for example in self.data.examples):
            needs = replace(needs, representations=Representations())  # pairs share prompts as triplets do
        self.reading = self._reading(limit, needs)
        self.losses = Objective(model, terms, pad, self.reading)
        self.module: nn.Module = self.losses
        unused = needs.cross_entropy is None or not needs.cross_entropy.trained  # the output embedding
        # Where a packed row is all that is read, and trained, samples of all kinds take the same calls.
        self.kinds_apart = not self.reading.packed or needs.pairs is not None or unused
        if self.sharded:
            shard(self.losses, model, self.device, "reference")
        elif world_size > 1:
            self.module = nn.parallel.DistributedDataParallel(self.losses, find_unused_parameters=unused)
        try:
            self.optimizer = make_optimizer(model, training)
        except OptimizerRefused as error:
            raise TrainingError(str(error)) from error
        self._writers = state.writers(world_size)
        whole_logits = not self.reading.from_hidden or needs.pairs is not None
        of_logits = MAX_LOGITS // config.vocab_size if whole_logits else MAX_PADDED_TOKENS
        self.max_padded = max(1, min(MAX_PADDED_TOKENS, of_logits))
        self.max_packed = min(self.max_padded, MAX_PACKED_TOKENS.get(self.device.type, MAX_PADDED_TOKENS))
        self.min_padded = MIN_PADDED_TOKENS.get(self.device.type, MAX_PADDED_TOKENS)
        size = sum(weight.numel() for weight in model.parameters())
        self.autocast = _autocast(self.device, "bfloat16" if training.precision == "bfloat16" else dtype, size)
        if self.losses.pairs is not None and self.losses.pairs.needs.of == "log_probability":
            self.data = self._with_reference()
        self.steps = training.epochs * steps_per_pass(self.data.examples, training.batch_size)
        self.identity = stable_id(
            [e.id for e in examples], training.identity(), objective.model_dump(mode="json"), seed,
            *(frame.identity if frame is not None else ()), *([[one.id for one in scored]] if scored else ()),
        )  # fmt: skip
        _know_end(model, tokenizer, frame.end if frame is not None and frame.end is not None else tokenizer.eos_token)
        self._tokens = 0
        self._unread: list[tuple[int, int, float, tuple[int, ...], Tensor, Tensor]] = []
        self._started = self._read_at = time.perf_counter()
        self._unread_tokens = 0

    def learn_pass(
        self,
        epoch: int,
        on_step: Callable[[LossPoint], None] | None,
        due: Callable[[], bool] | None = None,
        on_due: Callable[[FineTuning], None] | None = None,
    ) -> None:
        """Learns every rationale once, from the step on that was done last."""
        torch.manual_seed(self.seed + 1_000_003 * epoch + self.rank)  # dropout, the same after a resumption
        if self.steps_of_pass and len(self.random_states) == self.world_size:
            _set_random_state(self.device, self.random_states[self.rank])
        self.model.train()
        batches = draw_pass(self.data.examples, self.training.batch_size, self.seed, epoch)
        for index, batch in enumerate(batches[self.steps_of_pass :], self.steps_of_pass):
            step = epoch * len(batches) + index
            rate = learning_rate(step, self.steps, self.training)
            self._unread.append((step, epoch, rate, *self.learn(batch, rate)))
            self._unread_tokens += sum(sample.length for sample in batch)
            last = index + 1 == len(batches)
            # Workers read at the same steps, or one would stop at a non-finite loss and the others wait for it.
            if self.world_size > 1 or time.perf_counter() - self._read_at > REPORT_SECONDS or last:
                self._read_losses(on_step)
            if due is not None and on_due is not None and not last and self._agreed(due()):
                self._read_losses(on_step)
                self.steps_of_pass = index + 1
                self.random_states = self._gathered(_random_state(self.device))
                on_due(self)
        self.passes, self.steps_of_pass, self.random_states = epoch + 1, 0, []

    def _agreed(self, own: bool) -> bool:
        """Whether any rank says so: they save together or not at all."""
        if self.world_size == 1:
            return own
        said = torch.tensor(float(own), device=self.device)
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
        return bool(said.item())

    def _reading(self, limit: int, needs: Needs) -> Reading:
        """How all ranks read the student; of one that is divided the first has tried it, as they must not differ."""
        if self.model.config.is_encoder_decoder:
            return Reading()  # its encoder's states are shared anyhow
        first = self.rank == 0 or not self.sharded
        found = how_to_read(self.model, limit, self.data.longest, needs) if first else None
        reading = self._gathered(found)[0] if self.sharded else found
        assert reading is not None
        if not first:
            set_to(self.model, reading)
        require_prompts(self.model, limit, needs, reading)
        return reading

    def _with_reference(self) -> TokenizedData:
        """The data with what the student, which is not trained yet, gives the pairs. (A resumed training computes it
        again, before it loads what it had learnt.)"""
        with self.autocast():
            known = with_reference(
                self.data.examples, self.losses.reference, self.max_padded, self._gathered, self.rank, self.world_size
            )
        if self.sharded:
            put_away(self.losses)
        return replace(self.data, examples=known)

    def _gathered(self, own: Own) -> list[Own]:
        """What every rank has, in their order."""
        found: list[Any] = [own]
        if self.world_size > 1:
            found = [None] * self.world_size
            torch.distributed.all_gather_object(found, own)
        return found

    def learn(self, batch: tuple[Sample, ...], rate: float) -> tuple[tuple[int, ...], Tensor, Tensor]:
        """One step on `batch`; returns, for each term of the loss, its count and its loss over all workers, and the
        norm of the gradient, the latter two on the device."""
        counts = self.losses.counts(batch)
        parts = self._parts(batch, triplets=self.losses.reads_triplets(counts))
        sums = torch.zeros(len(counts), device=self.device)
        for number, part in enumerate(parts):
            waits = self.module is not self.losses and number + 1 < len(parts)  # for the last, to add up gradients
            with self.module.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
                with self.autocast():
                    loss, of_part = self.module(part.samples, counts)
                # Wrappers average gradients over workers, and the losses are parts of a sum.
                (loss * (float(self.world_size) if part.counts else 0.0)).backward()
            if part.counts:
                sums += of_part.to(sums.dtype)
        norm = self._clipped()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.world_size > 1:
            torch.distributed.all_reduce(sums)
        return counts, sums, norm.to(sums)

    def _clipped(self) -> Tensor:
        """The norm of the gradient, which is scaled down to `max_grad_norm`."""
        weights, limit = list(self.model.parameters()), self.training.max_grad_norm
        if limit is not None:
            norm = nn.utils.clip_grad_norm_(weights, limit)
        else:
            norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def _parts(self, batch: tuple[Sample, ...], *, triplets: bool) -> list[Part]:
        """What this rank computes of `batch`."""

        def divide(samples: tuple[Sample, ...]) -> list[tuple[Sample, ...]]:
            if self.reading.packed:
                return packed_batches(samples, self.max_packed, triplets=triplets)
            return micro_batches(samples, self.max_padded, self.min_padded, triplets=triplets)

        if self.sharded:
            apart = self.kinds_apart
            return parts_in_step(batch, self.rank, self.world_size, divide, triplets=triplets, kinds_apart=apart)
        mine = share(batch, self.rank, self.world_size)  # none where samples are fewer than workers: one at no weight
        return [Part(part, counts=bool(mine)) for part in divide(mine or batch[:1])]

    def _read_losses(self, on_step: Callable[[LossPoint], None] | None) -> None:
        if not self._unread:
            return
        values = torch.stack([torch.cat([losses, norm[None]]) for *_, losses, norm in self._unread]).tolist()
        now = time.perf_counter()
        speed = self._unread_tokens / max(now - self._read_at, 1e-9)
        self._tokens += self._unread_tokens
        terms = self.losses.terms
        for (step, epoch, rate, counts, *_), (*losses, norm) in zip(self._unread, values, strict=True):
            whole = total(terms, losses)
            for name, value in (("loss", whole), ("gradient", norm)):
                if not math.isfinite(value):
                    raise diverged(f"the {name} of step {step} (epoch {epoch}) is {value}", step, rate)
            named = {term.name: loss for term, count, loss in zip(terms, counts, losses, strict=True) if count > 0}
            lm, triplet, reflection = named.get("lm", 0.0), named.get("triplet"), named.get("reflection")
            point = LossPoint(step, epoch, lm, triplet, whole, rate, speed, self.steps, reflection)
            self.points.append(point)
            if on_step is not None:
                on_step(point)
        self._unread, self._unread_tokens, self._read_at = [], 0, now

    def save(self, folder: Path) -> None:
        """Writes everything a resumption needs (weights, optimiser, losses so far) to `folder`, on every rank."""
        self.begin_save(folder).finish()

    def begin_save(self, folder: Path) -> state.Saving:
        """The same while the training goes on. Every rank begins and finishes it."""
        progress = state.Progress(
            self.identity, self.passes, self.steps_of_pass, self._tokens, list(self.points), self.random_states
        )
        return state.begin(folder, self.model, self.optimizer, progress, self._writers)

    def load(self, kept: Path) -> None:
        """Continues from `kept`. Raises `TrainingError` when it belongs to other examples or settings."""
        found = state.load(kept, self.model, self.optimizer, self.identity, self._writers)
        self.passes, self.steps_of_pass, self._tokens = found.passes, found.steps_of_pass, found.tokens
        self.points, self.random_states = found.points, found.random_states

    def report(self) -> FineTuneReport:
        """What was done so far. Triplet and last losses are those of the last step that had them."""
        triplets = [point.triplet for point in self.points if point.triplet is not None]
        return FineTuneReport(
            steps=len(self.points),
            tokens=self._tokens,
            seconds=time.perf_counter() - self._started,
            lm_loss_first=self.points[0].lm,
            lm_loss_last=self.points[-1].lm,
            triplet_last=triplets[-1] if triplets else None,
            losses=tuple(self.points),
            dropped=self.data.dropped_completions,
            dropped_examples=self.data.dropped_examples,
        )


def _random_state(device: torch.device) -> Tensor:
    """That of the generator which dropout draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def _know_end(model: Any, tokenizer: Any, text: str) -> None:
    """Names, in the student's files, the token that its answers are taught to end with."""
    config, end = model.generation_config, int(tokenizer.convert_tokens_to_ids(text))
    known = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    ends = list(known) if isinstance(known, list | tuple) else [known]
    config.eos_token_id = known if end in ends else [*ends, end]


def _autocast(
    device: torch.device, dtype: Dtype, parameters: int
) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """bfloat16 passes where asked for, or where a GPU or, for a student of some size, a CPU has them. float16 is for
    sampling: its range is too small to train in without scaling the loss, so it trains in float32."""
    supported = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    supported |= device.type == "cpu" and bfloat16_pays(parameters)
    if dtype == "bfloat16" or (dtype == "auto" and supported):
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext


def _nothing_fits(data: TokenizedData, examples: int, limit: int) -> str:
    if examples == 0:
        return "no examples to learn from: no rationale was kept in this round"
    return (
        f"none of {examples} examples has a rationale that fits {limit} tokens (the longest needs {data.longest}): "
        "raise training.max_tokens, up to what the student's positions allow"
    )
