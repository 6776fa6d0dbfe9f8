"""Tokens that a teacher with logits scores instead of writing any: the form of the request, and of the answer.

Owns: the body for vLLM's `/v1/completions` with `prompt_logprobs`, and what is kept of its answer.

Invariants
- A text is given as token ids, so that the teacher reads exactly the student's tokens and puts nothing before them.
- An answer is kept as JSON text, as every reply of a teacher is; read again it gives the same numbers.
- An answer that lacks a token, or lists something else than it was asked for, is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCORING_PATH = "/completions"
NOT_LISTED = -1
_DECIMALS = 6
_ROUNDED = 1e-3  # a probability of 1 may come as a little more
_LEAST = -9999.0  # what vLLM says for minus infinity


@dataclass(frozen=True, slots=True)
class Scoring:
    """`tokens` to be read, and from which place on (`start`, at least 1: a first token has nothing before it) each is
    scored: by the `top` most likely ones there, and itself."""

    tokens: tuple[int, ...]
    start: int
    top: int

    def as_json(self) -> dict[str, object]:
        return {"tokens": list(self.tokens), "start": self.start, "top": self.top}


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Of every scored token `width` ids and their log-probabilities, one token after another; `NOT_LISTED` where there
    are fewer."""

    width: int
    listed: tuple[int, ...]
    log_probabilities: tuple[float, ...]


def scoring_body(model: str, scoring: Scoring) -> dict[str, Any]:
    """The JSON that asks for it. At least one token has to be written; nobody reads it."""
    return {
        "model": model,
        "prompt": list(scoring.tokens),
        "max_tokens": 1,
        "temperature": 0.0,
        "prompt_logprobs": scoring.top,
    }


def scores_text(scoring: Scoring, choice: Mapping[str, Any]) -> str:
    """What is kept of a completion's `choice`. Raises `ValueError`, which says what is wrong with it."""
    told = choice.get("prompt_logprobs")
    if not isinstance(told, list) or len(told) != len(scoring.tokens):
        raise ValueError(f"no prompt_logprobs for {len(scoring.tokens)} tokens: this teacher gives none of its logits")
    rows = [_row(scoring, place, told[place]) for place in range(scoring.start, len(told))]
    return json.dumps(rows, separators=(",", ":"))


def _row(scoring: Scoring, place: int, told: object) -> tuple[list[int], list[float]]:
    """Ids and log-probabilities of one place: the most likely ones first, then the token itself where it is no such."""
    if not isinstance(told, dict):
        raise ValueError(f"token {place} has no log-probabilities")
    known: dict[int, float] = {}
    for token, said in told.items():
        value: object = said.get("logprob") if isinstance(said, dict) else said
        number = float(value) if isinstance(value, int | float) else math.nan
        if not token.isdecimal() or math.isnan(number) or number > _ROUNDED:
            raise ValueError(f"token {place}: {token!r} is not an id with a log-probability")
        known[int(token)] = round(max(min(number, 0.0), _LEAST), _DECIMALS)
    own = scoring.tokens[place]
    if own not in known:
        raise ValueError(f"token {place}: it is not among those that came with log-probabilities")
    ordered = sorted(known, key=lambda token: (-known[token], token))
    listed = ordered[: scoring.top]
    listed += [own] if own not in listed else []
    return listed, [known[token] for token in listed]


def token_scores(text: str, count: int, top: int) -> TokenScores:
    """The scores of `count` tokens in a kept answer. Raises `ValueError`."""
    rows = json.loads(text)
    if not isinstance(rows, list) or len(rows) != count:
        raise ValueError(f"not the scores of {count} tokens")
    listed: list[int] = []
    values: list[float] = []
    for ids, known in rows:
        missing = top + 1 - len(ids)
        if missing < 0 or len(ids) != len(known):
            raise ValueError(f"not the scores of {top} tokens and the one that was taken")
        listed += [*map(int, ids), *[NOT_LISTED] * missing]
        values += [*map(float, known), *[_LEAST] * missing]
    return TokenScores(top + 1, tuple(listed), tuple(values))


def scoring_of(content: object) -> Scoring:
    """What `as_json` wrote. Raises `ValueError`."""
    if not isinstance(content, dict) or content.keys() != {"tokens", "start", "top"}:
        raise ValueError("it is not tokens, start and top")
    tokens, start, top = content["tokens"], content["start"], content["top"]
    if not _counts(tokens) or not _counts([start, top]):
        raise ValueError("its tokens, start and top are not whole numbers")
    return Scoring(tuple(tokens), start, top)


def _counts(values: object) -> bool:
    return isinstance(values, Sequence) and all(type(value) is int and value >= 0 for value in values)
