"""The probe: what the right weights answer, so that a weight swap is proven and never assumed.

Owns: a checkpoint's reference answers (greedy, by `transformers`), their file, and the comparison with an engine's.

Invariants
- The reference comes from another implementation than the engine it judges, and from the checkpoint's own files.
- A near-tie of the reference's two best tokens cannot fail a good swap; a probe that compared too little fails.
- The runner-up's log-probability is compared too: a confident student's best token has log-probability 0 before and
  after a round, and only what it did not say tells the two apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reasoning.files.durable import new_file

# The mean deviation may be this share of the largest allowed one: arithmetic's noise averages out, other weights do
# not.
MEAN_SHARE = 0.25


class ProbeUnreadable(ValueError):
    """A probe file that is missing or not a probe. The message names the file."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Greedy continuations of fixed prompts by checkpoint `version`, one entry per prompt.

    `prompts` and `tokens` are token ids (`tokens` ends with the end-of-sequence token when it came), `logprobs` are
    the natural log-probabilities of `tokens`, `runners_up` those of the second best token at each step; `dtype` is
    what they were computed in ("float32", "bfloat16", ...).
    """

    version: str
    dtype: str
    prompts: tuple[tuple[int, ...], ...]
    tokens: tuple[tuple[int, ...], ...]
    logprobs: tuple[tuple[float, ...], ...]
    runners_up: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """`ok`, or the `reason` it is not. `worst` and `mean` are deviations of log-probabilities (nats) where compared."""

    ok: bool
    reason: str
    worst: float = 0.0
    mean: float = 0.0


def tolerance(*dtypes: str) -> float:
    """The largest deviation (nats) that arithmetic alone explains when the two sides compute in `dtypes`."""
    return 2e-3 if all(dtype == "float32" for dtype in dtypes) else 0.4


def make_probe(checkpoint: str, version: str, prompts: Sequence[str], new_tokens: int = 16) -> Probe:
    """Answers `prompts` greedily with the checkpoint (folder or hub id) in its own dtype, on a GPU when there is one.

    Raises `ValueError` for no prompts, and what `transformers` raises for a checkpoint that it cannot load."""
    import torch

    from reasoning.student.loading import load_config, load_model, load_tokenizer

    if not prompts:
        raise ValueError("a probe needs at least one prompt")
    tokenizer = load_tokenizer(checkpoint)
    model, _ = load_model(checkpoint, load_config(checkpoint), "auto")
    model.eval()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    ends = end_tokens(model)
    encoded = tuple(tuple(int(token) for token in tokenizer(prompt).input_ids) for prompt in prompts)
    answers = [_greedy(model, prompt, new_tokens, ends) for prompt in encoded]
    return Probe(
        version=version,
        dtype=str(model.dtype).removeprefix("torch."),
        prompts=encoded,
        tokens=tuple(tuple(step[0] for step in answer) for answer in answers),
        logprobs=tuple(tuple(step[1] for step in answer) for answer in answers),
        runners_up=tuple(tuple(step[2] for step in answer) for answer in answers),
    )


def end_tokens(model: Any) -> set[int]:
    """The tokens that end an answer by the model's own configuration: none, one or several."""
    config = model.generation_config if model.generation_config is not None else model.config
    ends = config.eos_token_id
    if ends is None:
        return set()
    return {int(end) for end in ends} if isinstance(ends, list | tuple) else {int(ends)}


def _greedy(model: Any, prompt: tuple[int, ...], new_tokens: int, ends: set[int]) -> list[tuple[int, float, float]]:
    """(token, its log-probability, the runner-up's) per step."""
    import torch

    steps: list[tuple[int, float, float]] = []
    ids_1T = torch.tensor([prompt], device=model.device)
    cache = None
    read: dict[str, Any] = {}
    name = "input_ids"
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            read["encoder_outputs"] = model.get_encoder()(input_ids=ids_1T, return_dict=True)
            name, ids_1T = "decoder_input_ids", ids_1T.new_full((1, 1), model.config.decoder_start_token_id)
        for _ in range(new_tokens):
            output = model(**read, **{name: ids_1T}, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            best_2 = output.logits[0, -1].float().log_softmax(dim=-1).topk(2)
            token = int(best_2.indices[0])
            steps.append((token, float(best_2.values[0]), float(best_2.values[1])))
            if token in ends:
                break
            ids_1T = best_2.indices[:1].view(1, 1)
    return steps


def compare(
    probe: Probe,
    tokens: Sequence[Sequence[int]],
    logprobs: Sequence[Sequence[float]],
    atol: float,
    runners_up: Sequence[Sequence[float]] | None = None,
) -> ProbeReport:
    """Judges an engine's greedy answers to `probe.prompts`, given as the probe's own fields are.

    Passes when every log-probability (and runner-up's, when given) is within `atol` nats of the reference, the mean
    deviation within `MEAN_SHARE` of that, and every token is the reference's. Where the reference's two best are
    within `atol`, either is right; what follows another token cannot be compared and is left out. At least half of
    the reference's tokens must have been compared."""
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
            if tokens[index][step] != token:
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
        content = json.loads(path.read_text(encoding="utf-8"))
        return Probe(
            version=str(content["version"]),
            dtype=str(content["dtype"]),
            prompts=_rows(content["prompts"], int),
            tokens=_rows(content["tokens"], int),
            logprobs=_rows(content["logprobs"], float),
            runners_up=_rows(content["runners_up"], float),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ProbeUnreadable(f"{path}: not a probe: {error}; make it again from its checkpoint") from error


def _rows(rows: Sequence[Sequence[Any]], kind: type) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(kind(value) for value in row) for row in rows)
