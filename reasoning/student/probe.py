"""The probe: what the right weights answer, so that a weight swap is proven and never assumed.

Owns: a checkpoint's reference answers (greedy, by `transformers`), their file, and the comparison with an engine's.

Invariants
- The reference comes from another implementation than the engine it judges, and from the checkpoint's own files.
- A near-tie of the reference's two best tokens cannot fail a good swap; a probe that compared too little fails.
- An engine that holds a float32 checkpoint in bfloat16 is compared with the same rounded weights, computed exactly:
  what rounding does to a barely taught student (0.8 nats) is more than what a round teaches it.
- In half precision the tolerance is measured, not assumed: what computing in bfloat16 does to this very checkpoint. A
  part of the model that an engine leaves out (Gemma 2's capped attention) is more than that.
- The runner-up's log-probability is compared too: a confident student's best token has log-probability 0 before and
  after a round, and only what it did not say tells the two apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from reasoning.files.durable import new_file

# The mean deviation may be this share of the largest allowed one: arithmetic's noise averages out, other weights do
# not.
MEAN_SHARE = 0.25
HALF_PRECISION = 0.4  # nats: the most that rounding to half precision does to a student
# Measured on 15 families of random students, three seeds each (`bfloat16` against the probe): the right weights deviate
# by up to 1.14 times the rounding that was measured; weights moved by 3 % of their spread are seen in fourteen
# families, by 1 % in two cases of three. With 0.05 as the least, Cohere's scaled-down logits hid 3 %; with 0.01 one
# seed was seen.
LEAST, ROUNDINGS = 0.01, 3.0


class ProbeUnreadable(ValueError):
    """A probe file that is missing or not a probe. The message names the file."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Greedy continuations of fixed prompts by checkpoint `version`, one entry per prompt.

    `prompts` and `tokens` are token ids (`tokens` ends with the end-of-sequence token when it came), `logprobs` are
    the natural log-probabilities of `tokens`, `runners_up` those of the second best token at each step; `dtype` is
    what they were computed in ("float32", "bfloat16", ...). `rounding` is the largest deviation (nats) of these
    log-probabilities when the same checkpoint computes in bfloat16, or in float32 where it is in half precision itself;
    None: not measured. `in_bfloat16`, of a float32 checkpoint, is the same probe of its weights rounded to bfloat16,
    computed in float32; None: it has none, or was written before there were such.
    """

    version: str
    dtype: str
    prompts: tuple[tuple[int, ...], ...]
    tokens: tuple[tuple[int, ...], ...]
    logprobs: tuple[tuple[float, ...], ...]
    runners_up: tuple[tuple[float, ...], ...]
    rounding: float | None = None
    in_bfloat16: Probe | None = None

    def held_in(self, dtype: str) -> Probe:
        """The probe for an engine that holds the checkpoint in `dtype`."""
        return self.in_bfloat16 if dtype == "bfloat16" and self.in_bfloat16 is not None else self

    @property
    def is_complete(self) -> bool:
        """Whether it can prove the checkpoint in whatever format an engine holds it."""
        return self.dtype != "float32" or self.in_bfloat16 is not None


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """`ok`, or the `reason` it is not. `worst` and `mean` are deviations of log-probabilities (nats) where compared."""

    ok: bool
    reason: str
    worst: float = 0.0
    mean: float = 0.0


def tolerance(*dtypes: str, rounding: float | None = None) -> float:
    """The largest deviation (nats) that arithmetic alone explains when the two sides compute in `dtypes`; `rounding` is
    the probe's, where it was measured. Two implementations round at different places, hence its multiple."""
    if all(dtype == "float32" for dtype in dtypes):
        return 2e-3
    return HALF_PRECISION if rounding is None else min(HALF_PRECISION, max(LEAST, ROUNDINGS * rounding))


def make_probe(
    checkpoint: str, version: str, prompts: Sequence[str], new_tokens: int = 16, device: str | None = None
) -> Probe:
    """Answers `prompts` greedily with the checkpoint (folder or hub id) in its own dtype, on `device` (None: a GPU when
    there is one).

    Raises `ValueError` for no prompts, and what `transformers` raises for a checkpoint that it cannot load."""
    import torch

    from reasoning.student.loading import load_config, load_model, load_tokenizer

    if not prompts:
        raise ValueError("a probe needs at least one prompt")
    tokenizer, config = load_tokenizer(checkpoint), load_config(checkpoint)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(checkpoint, config, "auto")[0].eval().to(device)
    ends, dtype = end_tokens(model), model.dtype
    encoded = tuple(tuple(int(token) for token in tokenizer(prompt).input_ids) for prompt in prompts)
    answers = [[_greedy(model, prompt, new_tokens, ends) for prompt in encoded]]
    if dtype == torch.float32:
        _round_weights(model)
        answers.append([_greedy(model, prompt, new_tokens, ends) for prompt in encoded])
    del model  # two may not fit the memory
    other = torch.bfloat16 if dtype == torch.float32 else torch.float32
    model = load_model(checkpoint, config, other)[0].eval().to(device)
    own, *rounded = [
        Probe(
            version=version,
            dtype=str(dtype).removeprefix("torch."),
            prompts=encoded,
            tokens=tuple(tuple(step.token for step in answer) for answer in one),
            logprobs=tuple(tuple(step.logprob for step in answer) for answer in one),
            runners_up=tuple(tuple(step.runner_up for step in answer) for answer in one),
            rounding=max(_rounding(model, *pair) for pair in zip(encoded, one, strict=True)),
        )
        for one in answers
    ]
    return replace(own, in_bfloat16=rounded[0]) if rounded else own


def _round_weights(model: Any) -> None:
    """Rounds a float32 model's weights to what bfloat16 holds of them. It computes in float32 as before."""
    import torch

    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))


def end_tokens(model: Any) -> set[int]:
    """The tokens that end an answer by the model's own configuration: none, one or several."""
    config = model.generation_config if model.generation_config is not None else model.config
    ends = config.eos_token_id
    if ends is None:
        return set()
    return {int(end) for end in ends} if isinstance(ends, list | tuple) else {int(ends)}


class Step(NamedTuple):
    """One token of an answer and its log-probability, the second best and that one's."""

    token: int
    logprob: float
    second: int
    runner_up: float


def _greedy(model: Any, prompt: tuple[int, ...], new_tokens: int, ends: set[int]) -> list[Step]:
    import torch

    steps: list[Step] = []
    ids_1T = torch.tensor([prompt], device=model.device)
    cache = None
    read: dict[str, Any] = {}
    name = "input_ids"
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            read["encoder_outputs"] = model.get_encoder()(input_ids=ids_1T, return_dict=True)
            name, ids_1T = "decoder_input_ids", ids_1T.new_full((1, 1), model.config.decoder_start_token_id)
        for _ in range(new_tokens):
            carried: dict[str, Any] = {} if cache is None else {"past_key_values": cache}
            output = model(**read, **{name: ids_1T}, **carried, use_cache=True)
            cache = getattr(output, "past_key_values", None)
            best_2 = output.logits[0, -1].float().log_softmax(dim=-1).topk(2)
            token = int(best_2.indices[0])
            steps.append(Step(token, float(best_2.values[0]), int(best_2.indices[1]), float(best_2.values[1])))
            if token in ends:
                break
            next_11 = best_2.indices[:1].view(1, 1)
            ids_1T = next_11 if cache is not None else torch.cat([ids_1T, next_11], dim=1)  # a state is not carried on
    return steps


def _rounding(model: Any, prompt: tuple[int, ...], answer: list[Step]) -> float:
    """The largest deviation (nats) from `answer` of what `model` says of its tokens and their runners-up, read at
    once."""
    import torch

    said = [step.token for step in answer]
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            ids_1T = torch.tensor([[model.config.decoder_start_token_id, *said[:-1]]], device=model.device)
            read = {"input_ids": torch.tensor([prompt], device=model.device), "decoder_input_ids": ids_1T}
        else:
            read = {"input_ids": torch.tensor([[*prompt, *said[:-1]]], device=model.device)}
        logprobs_SV = model(**read, use_cache=False).logits[0, -len(answer) :].float().log_softmax(dim=-1)
    best_2_S2 = torch.tensor([[step.token, step.second] for step in answer], device=model.device)
    before_S2 = torch.tensor([[step.logprob, step.runner_up] for step in answer], device=model.device)
    return float((logprobs_SV.gather(1, best_2_S2) - before_S2).abs().max())


class Following:
    """An engine's greedy answers to a probe's prompts, brought back to the reference's tokens wherever they leave them.

    In half precision two tokens are often equally likely, and what follows the other one could not be compared: the
    engine is asked again, with the reference's token at the end of the prompt."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._steps: list[list[tuple[int, float, float]]] = [[] for _ in probe.prompts]
        self._ended: set[int] = set()

    def asked(self) -> list[tuple[int, tuple[int, ...], int]]:
        """What is still to be asked: the number of the prompt, the reference's tokens that follow it, and how many more
        are wanted."""
        return [
            (number, tokens[: len(steps)], len(tokens) - len(steps))
            for number, (tokens, steps) in enumerate(zip(self._probe.tokens, self._steps, strict=True))
            if len(steps) < len(tokens) and number not in self._ended
        ]

    def heard(self, number: int, steps: Sequence[tuple[int, float, float]]) -> None:
        """Takes down what the engine said to what was `asked`: tokens, their log-probabilities, the second best's."""
        known, expected = self._steps[number], self._probe.tokens[number]
        if not steps:
            self._ended.add(number)
        for step in steps[: len(expected) - len(known)]:
            known.append(step)
            if step[0] != expected[len(known) - 1]:
                break

    def judged(self, atol: float) -> ProbeReport:
        """The verdict on all that was heard."""
        report = compare(
            self._probe,
            tokens=[[token for token, _, _ in steps] for steps in self._steps],
            logprobs=[[best for _, best, _ in steps] for steps in self._steps],
            runners_up=[[second for _, _, second in steps] for steps in self._steps],
            atol=atol,
            followed=True,
        )
        rounding = self._probe.rounding or 0.0
        if report.ok or rounding <= HALF_PRECISION or atol <= tolerance("float32"):
            return report
        unsure = f"rounding to half precision alone moves this student's log-probabilities by {rounding:.2g}"
        return replace(
            report, reason=f"{report.reason}; {unsure}, so nothing is proven there: set student.dtype: float32"
        )


def compare(
    probe: Probe,
    tokens: Sequence[Sequence[int]],
    logprobs: Sequence[Sequence[float]],
    atol: float,
    runners_up: Sequence[Sequence[float]] | None = None,
    *,
    followed: bool = False,
) -> ProbeReport:
    """Judges an engine's greedy answers to `probe.prompts`, given as the probe's own fields are.

    Passes when every log-probability (and runner-up's, when given) is within `atol` nats of the reference, the mean
    deviation within `MEAN_SHARE` of that, and every token is the reference's. Where the reference's two best are
    within `atol`, either is right; what follows another token cannot be compared and is left out, unless the answers
    `followed` the reference's tokens. At least half of these must have been compared."""
    if len(tokens) != len(probe.prompts):
        return ProbeReport(False, f"{len(tokens)} answers to {len(probe.prompts)} prompts")
    deviations: list[float] = []
    compared = 0
    for index, reference in enumerate(probe.tokens):
        for step, token in enumerate(reference):
            where = f"prompt {index}, token {step}"
            if step >= len(tokens[index]):
                return ProbeReport(False, f"{where}: the answer ended, expected token {token}")
            best, second = probe.logprobs[index][step], probe.runners_up[index][step]
            pairs = [(logprobs[index][step], best)]
            if runners_up is not None:
                pairs.append((runners_up[index][step], second))
            tie = best - second < atol
            if tokens[index][step] != token and not tie:
                return ProbeReport(False, f"{where}: got token {tokens[index][step]}, expected {token}")
            for got, expected in pairs:
                if not abs(got - expected) <= atol:  # so that NaN fails
                    return ProbeReport(
                        False, f"{where}: log-probability {got:.4f}, expected {expected:.4f} (within {atol})"
                    )
                deviations.append(abs(got - expected))
            compared += 1
            if tokens[index][step] != token and not followed:
                break
    return _summary(deviations, compared, sum(map(len, probe.tokens)), atol)


def _summary(deviations: list[float], compared: int, total: int, atol: float) -> ProbeReport:
    if not compared or 2 * compared < total:
        return ProbeReport(False, f"only {compared} of {total} tokens could be compared (near-ties): use other prompts")
    worst, mean = max(deviations), sum(deviations) / len(deviations)
    if mean > MEAN_SHARE * atol:
        reason = f"log-probabilities deviate by {mean:.2g} on average (at most {MEAN_SHARE * atol:.2g} expected)"
        return ProbeReport(False, reason, worst, mean)
    return ProbeReport(True, "", worst, mean)


def save_probe(probe: Probe, path: Path) -> None:
    """Writes the probe as JSON, whole or not at all."""
    with new_file(path) as part:
        part.write_text(json.dumps(asdict(probe)), encoding="utf-8")


def load_probe(path: Path) -> Probe:
    """Reads what `save_probe` wrote. Raises `ProbeUnreadable`."""
    try:
        return _probe_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ProbeUnreadable(f"{path}: not a probe: {error}; make it again from its checkpoint") from error


def _probe_of(content: dict[str, Any]) -> Probe:
    inner = content.get("in_bfloat16")
    return Probe(
        version=str(content["version"]),
        dtype=str(content["dtype"]),
        prompts=_rows(content["prompts"], int),
        tokens=_rows(content["tokens"], int),
        logprobs=_rows(content["logprobs"], float),
        runners_up=_rows(content["runners_up"], float),
        rounding=None if content.get("rounding") is None else float(content["rounding"]),
        in_bfloat16=None if inner is None else _probe_of(inner),
    )


def _rows(rows: Sequence[Sequence[Any]], kind: type) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(kind(value) for value in row) for row in rows)
