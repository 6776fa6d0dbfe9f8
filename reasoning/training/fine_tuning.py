"""The training loop of one round: examples in, a taught student and its losses out.

Owns: the order of a step, what is reported, what is kept to resume. What a student is before it (its weights' format,
its adapter) is `reasoning.training.weights.preparing`'s.

Invariants
- The same examples, sections and seed give the same student; a run that was interrupted after any step and resumed by
  as many workers gives the same one as a run that was not; n workers give the same one as a single worker, up to
  rounding.
- The student's weights are float32 throughout, unless `training.precision` says otherwise; the passes compute in
  bfloat16 where the hardware has it and `dtype` allows it.
- With an adapter, the adapter alone is trained, kept to resume and moved between workers; whoever saves the student
  merges it (`reasoning.training.weights.merging`).
- A loss that is no longer a number stops the run: nothing is learnt after it.

Runs in any process: distributed when `torch.distributed` is initialised and `world_size` > 1. No Ray here.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from reasoning.files.durable import new_file
from reasoning.prompts.frame import Frame
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, stable_id
from reasoning.training.losses.table import terms_of, total
from reasoning.training.losses.term import Needs, Representations, merged
from reasoning.training.mistakes.comparisons import compared_data
from reasoning.training.mistakes.pair_reading import PairReader, with_reference
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import how_to_read
from reasoning.training.readers import Reading, reads_cached_prompts
from reasoning.training.report import FineTuneReport, LossPoint, TrainingError
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
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

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
) -> FineTuneReport:
    """Teaches `model`, in place and on the device it is on, `training.epochs` passes over `examples`.

    `on_step` gets every step's losses (in bunches, twice a second); `on_pass` is called on every rank after each pass,
    and `on_due` after a step at which any rank's `due` says yes: both may `save` the state, which `resume` (a file so
    written) continues from. `frame` is the form's that the examples were written in (None: all of them is text).
    Raises `TrainingError` when no example fits, when a loss is not a number, or when `resume` is another training's.
    """
    run = FineTuning(model, tokenizer, examples, training, objective, seed, rank, world_size, dtype, frame)
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
        frame: Frame | None = None,
    ) -> None:  # fmt: skip
        config = model.config.get_text_config(decoder=True)
        limit = min(training.max_tokens, getattr(config, "max_position_embeddings", None) or training.max_tokens)
        apart = model.config.is_encoder_decoder
        self.data = tokenize_examples(examples, tokenizer, limit, encoder_decoder=apart, frame=frame)
        if not self.data.examples:
            raise TrainingError(_nothing_fits(self.data, len(examples), limit))
        terms = terms_of(objective)
        needs = merged(terms)
        self.data = compared_data(self.data, examples, model.config, tokenizer, frame, objective, limit)
        self.model, self.training, self.seed = model, training, seed
        self.rank, self.world_size = rank, world_size
        self.passes = 0
        self.steps_of_pass = 0  # that are done of the pass under way
        self.random_states: list[Tensor] = []  # of every rank, at such a step
        self.points: list[LossPoint] = []
        try:
            prepare(model, training, seed)
            self.optimizer = make_optimizer(model, training)
        except (AdapterRefused, OptimizerRefused) as error:
            raise TrainingError(str(error)) from error
        self.device = next(model.parameters()).device
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        if not any(example.has_triplet for example in self.data.examples):
            needs = replace(needs, representations=None)
        if needs.pairs is not None and any(example.pairs for example in self.data.examples):
            needs = replace(needs, representations=Representations())  # pairs share prompts as triplets do
        self.reading = _reading(model, limit, self.data.longest, needs)
        self.losses = Objective(model, terms, pad, self.reading)
        self.module: nn.Module = self.losses
        if world_size > 1:  # representations need no output embedding
            unused = needs.cross_entropy is None or not needs.cross_entropy.trained
            self.module = nn.parallel.DistributedDataParallel(self.losses, find_unused_parameters=unused)
        whole_logits = not self.reading.from_hidden or needs.pairs is not None
        of_logits = MAX_LOGITS // config.vocab_size if whole_logits else MAX_PADDED_TOKENS
        self.max_padded = max(1, min(MAX_PADDED_TOKENS, of_logits))
        self.max_packed = min(self.max_padded, MAX_PACKED_TOKENS.get(self.device.type, MAX_PADDED_TOKENS))
        self.min_padded = MIN_PADDED_TOKENS.get(self.device.type, MAX_PADDED_TOKENS)
        size = sum(weight.numel() for weight in model.parameters())
        self.autocast = _autocast(self.device, "bfloat16" if training.precision == "bfloat16" else dtype, size)
        if self.losses.pairs is not None and self.losses.pairs.needs.of == "log_probability":
            self.data = self._with_reference(self.losses.pairs)
        self.steps = training.epochs * steps_per_pass(self.data.examples, training.batch_size)
        self.identity = stable_id(
            [e.id for e in examples], training.identity(), objective.model_dump(mode="json"), seed,
            *(frame.identity if frame is not None else ()),
        )  # fmt: skip
        if frame is not None and frame.end is not None:
            _know_end(model, tokenizer, frame.end)
        self._tokens = 0
        self._unread: list[tuple[int, int, float, tuple[int, ...], Tensor]] = []
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
            counts, losses = self.learn(batch, rate)
            self._unread.append((step, epoch, rate, counts, losses))
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

    def _with_reference(self, pairs: PairReader) -> TokenizedData:
        """The data with what the student, which is not trained yet, gives the pairs. (A resumed training computes it
        again, before it loads what it had learnt.)"""
        with self.autocast():
            known = with_reference(
                self.data.examples, pairs, self.max_padded, self._gathered, self.rank, self.world_size
            )
        return replace(self.data, examples=known)

    def _gathered(self, own: Own) -> list[Own]:
        """What every rank has, in their order."""
        found: list[Any] = [own]
        if self.world_size > 1:
            found = [None] * self.world_size
            torch.distributed.all_gather_object(found, own)
        return found

    def learn(self, batch: tuple[Sample, ...], rate: float) -> tuple[tuple[int, ...], Tensor]:
        """One step on `batch`; returns, for each term of the loss, its count and its loss over all workers, the latter
        on the device."""
        mine = share(batch, self.rank, self.world_size)
        idle = not mine  # fewer samples than workers: go through the motions, at no weight
        counts = self.losses.counts(batch)
        triplets = self.losses.reads_triplets(counts)
        parts = self._parts(mine or batch[:1], triplets=triplets)
        sums = torch.zeros(len(counts), device=self.device)
        for number, part in enumerate(parts):
            last = number + 1 == len(parts)
            with contextlib.nullcontext() if last or self.world_size == 1 else self.module.no_sync():  # type: ignore[operator]
                with self.autocast():
                    loss, of_part = self.module(part, counts)
                # The wrapper averages gradients over workers, and the losses are parts of a sum.
                (loss * (0.0 if idle else float(self.world_size))).backward()
            if not idle:
                sums += of_part.to(sums.dtype)
        if self.training.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.world_size > 1:
            torch.distributed.all_reduce(sums)
        return counts, sums

    def _parts(self, samples: tuple[Sample, ...], *, triplets: bool) -> list[tuple[Sample, ...]]:
        if self.reading.packed:
            return packed_batches(samples, self.max_packed, triplets=triplets)
        return micro_batches(samples, self.max_padded, self.min_padded, triplets=triplets)

    def _read_losses(self, on_step: Callable[[LossPoint], None] | None) -> None:
        if not self._unread:
            return
        values = torch.stack([losses for *_, losses in self._unread]).tolist()
        now = time.perf_counter()
        speed = self._unread_tokens / max(now - self._read_at, 1e-9)
        self._tokens += self._unread_tokens
        terms = self.losses.terms
        for (step, epoch, rate, counts, _), losses in zip(self._unread, values, strict=True):
            whole = total(terms, losses)
            if not math.isfinite(whole):
                raise TrainingError(
                    f"the loss of step {step} (epoch {epoch}) is {whole}, not a number: the training has diverged. "
                    f"Lower learning_rate (it was {rate:.2g}) or max_grad_norm, or give it more warmup_steps"
                )
            named = {term.name: loss for term, count, loss in zip(terms, counts, losses, strict=True) if count > 0}
            lm, triplet, reflection = named.get("lm", 0.0), named.get("triplet"), named.get("reflection")
            point = LossPoint(step, epoch, lm, triplet, whole, rate, speed, self.steps, reflection)
            self.points.append(point)
            if on_step is not None:
                on_step(point)
        self._unread, self._unread_tokens, self._read_at = [], 0, now

    def save(self, file: Path) -> None:
        """Writes everything a resumption needs (weights, optimiser, losses so far) to `file`, atomically."""
        state = {
            "identity": self.identity,
            "passes": self.passes,
            "steps_of_pass": self.steps_of_pass,
            "random_states": self.random_states,
            "tokens": self._tokens,
            "points": [tuple(asdict(point).values()) for point in self.points],
            "model": self._learnt(),
            "optimizer": self.optimizer.state_dict(),
        }
        with new_file(file) as part:
            torch.save(state, part)

    def load(self, file: Path) -> None:
        """Continues from `file`. Raises `TrainingError` when it belongs to other examples or settings."""
        state = torch.load(file, map_location=self.device, weights_only=True)
        if state["identity"] != self.identity:
            raise TrainingError(
                f"{file}: the state of another training (other examples, settings or seed) under the same name: "
                "remove that run's folder, or give this one another name"
            )
        self.model.load_state_dict(state["model"], strict=self.training.lora is None)
        self.optimizer.load_state_dict(state["optimizer"])
        self.passes, self._tokens = state["passes"], state["tokens"]
        self.steps_of_pass = state.get("steps_of_pass", 0)  # states of an earlier version were kept after passes alone
        self.random_states = [one.cpu() for one in state.get("random_states", [])]
        self.points = [LossPoint(*values) for values in state["points"]]

    def _learnt(self) -> dict[str, Tensor]:
        """The weights that a resumption needs: all, or those of the adapter, where the others never change."""
        adapters = {name: one.detach() for name, one in self.model.named_parameters() if one.requires_grad}
        return adapters if self.training.lora is not None else dict(self.model.state_dict())

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
    if end not in ends:
        config.eos_token_id = [*ends, end]


def _reading(model: Any, max_tokens: int, longest: int, needs: Needs) -> Reading:
    if model.config.is_encoder_decoder:
        return Reading()  # its encoder's states are shared anyhow
    reading = how_to_read(model, max_tokens, longest, needs)
    if not reads_cached_prompts(needs, reading):
        return reading
    if model.is_gradient_checkpointing:
        raise TrainingError(
            "prompt_gradient: false needs the prompts' keys and values of a student like this one "
            f"({model.config.model_type}), and gradient_checkpointing keeps none: use one of the two"
        )
    if not reading.shares_prompt:
        raise TrainingError(
            f"prompt_gradient: false needs a student whose prompts can be cached and shared, and this one "
            f"({model.config.model_type}) cannot: its attention has a window below {max_tokens} tokens, or it keeps "
            "a state of another kind. Leave prompt_gradient on"
        )
    return reading


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
