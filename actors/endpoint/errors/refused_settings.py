"""Which setting an endpoint refuses, and the recipe's key that cures it.

Owns: the reading of a refusal of a parameter that every request has, in providers' words, and the words of the cure.

Invariant: only a parameter that was sent, or one whose absence the endpoint names, is told; what an error repeats of
the question is left out before (`actors.endpoint.errors.kinds`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from actors.endpoint.errors.responses import ErrorResponse

_UNTAKEN = re.compile(
    r"unsupported|not support|isn'?t support|unrecogni[sz]ed|unknown|deprecated|unexpected|no longer"
    r"|not (?:permitted|allowed|accepted|available|known|a known)|extra (?:inputs|fields)",
    re.IGNORECASE,
)
_OF_ITS_VALUE = re.compile(
    r"invalid|not a valid|disallowed|incompatible|remove|instead|is required|expected|must (?:be|not|fit|equal|lie)"
    r"|should be|only one of"
    r"|only .{0,40}(?:support|allow|valid)|cannot (?:both )?be|can'?t be|too (?:large|small|high|low)|out of range"
    r"|at most|at least|(?:greater|less) than|exceed|minimum|maximum|\brange\b|ha(?:s|ve) to be|needs? to be|between",
    re.IGNORECASE,
)
_REFUSING = frozenset({400, 405, 415, 422, 501})
_BOUNDS = ("max_tokens", "max_completion_tokens")
# How the API behind a router calls the bound, which was sent to it under another name.
_BOUND_ELSEWHERE = ("max_output_tokens", "max_new_tokens", "max_tokens_to_sample", "num_predict", "max_gen_len")
_BOUND_REACHED = re.compile(r"(?:max_tokens|output limit).{0,40}(?:was|is|has been) reached", re.IGNORECASE)
_NO_WORD = 8  # letters of a name that means itself in any spelling: `n`, `stop` and `user` are words, too
_NEVER = frozenset({"model", "messages"})


def refused_parameter(error: ErrorResponse, body: Mapping[str, object], said: str) -> str | None:
    """The parameter of `body` that `error` refuses, None where it names none. `said` are the error's own words."""
    if error.status not in _REFUSING:
        return None
    names = [name for name in _names(body) if name not in _NEVER]
    named = error.param.removeprefix("body.").split(".")
    bound = next((name for name in names if name in _BOUNDS), None)
    if bound is not None and any(part in _BOUND_ELSEWHERE for part in named):
        named.append(bound)
    for part in named:
        if part in names and (_refuses(said) or error.code or not said):
            return part
    if not _refuses(said) and not any("unsupported" in code or "unknown_parameter" in code for code in error.codes):
        return None
    asked = {name: found.start() for name in names if (found := _spelled(name).search(said))}
    # Of several, the one that is refused comes first ("'max_tokens' is not supported. Use 'max_completion_tokens'").
    first = min(asked, key=lambda name: asked[name], default=None)
    if first is None and re.search(r"\benable_thinking\b", said):
        return "enable_thinking"
    if first is None and any(_spelled(name).search(said) for name in _BOUND_ELSEWHERE):
        return bound
    return first


def is_about_the_bound(error: ErrorResponse, body: Mapping[str, object], said: str) -> bool:
    """Whether the bound on tokens is too small or too large for it, so that another one may pass."""
    if error.status in _REFUSING and _BOUND_REACHED.search(said):
        return True
    return refused_parameter(error, body, said) in _BOUNDS and not _renamed(said) and "not support" not in said.lower()


def cure_of(parameter: str, said: str) -> str:
    """What to change in the recipe so that `parameter` is not refused; `said` are the endpoint's words."""
    if parameter == "temperature":
        if "top_p" in said:
            return "Leave out top_p, or set send_temperature: false at this endpoint"
        return "Set send_temperature: false at this endpoint (or a teacher.temperature that it takes; null sends none)"
    if parameter == "max_tokens":
        if _renamed(said) or _UNTAKEN.search(said):
            return "Set max_tokens_key: max_completion_tokens at this endpoint"
        return "Change teacher.max_tokens to what it takes"
    if parameter == "max_completion_tokens":
        if _UNTAKEN.search(said):
            return "Set max_tokens_key: max_tokens at this endpoint"
        return "Change teacher.max_tokens to what it takes"
    if parameter == "seed":
        return "Set send_seed: false at this endpoint"
    if parameter in ("enable_thinking", "chat_template_kwargs"):
        if re.search(r"must be (?:set to )?false", said, re.IGNORECASE):
            return "Set enable_thinking: false"
        return "Leave out enable_thinking, or write it as this API wants it in extra_body"
    if parameter in ("top_p", "reasoning_effort"):
        return f"Leave out {parameter} (also in extra_body), or give it a value that this model takes"
    return f"Leave {parameter} out of extra_body, or give it a value that this model takes"


def _refuses(said: str) -> bool:
    return _UNTAKEN.search(said) is not None or _OF_ITS_VALUE.search(said) is not None


def _spelled(name: str) -> re.Pattern[str]:
    """A parameter's name as providers write it: `reasoning_effort`, `reasoningEffort`, "Reasoning effort"."""
    if "_" not in name and len(name) < _NO_WORD:
        return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return re.compile(rf"(?<!\w){re.escape(name).replace('_', '[_ ]?')}(?!\w)", re.IGNORECASE)


def _renamed(said: str) -> bool:
    return "max_completion_tokens" in said


def _names(body: Mapping[str, object]) -> Iterator[str]:
    for name, value in body.items():
        yield name
        if isinstance(value, Mapping) and name != "messages":
            yield from _names(value)
