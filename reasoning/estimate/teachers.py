"""The endpoints that a run asks for each kind of call: their missing prices and their permitted pace.

Owns: which section of the recipe a kind of call belongs to, and what its endpoints permit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reasoning.estimate.sums import Pace
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import EndpointSettings


def endpoints_of(recipe: Recipe, ask: Ask) -> tuple[EndpointSettings, ...]:
    """The endpoints that `ask` goes to: those of `teacher.first` for plain rationales, where it is set."""
    section = recipe.teacher.for_first if ask is Ask.RATIONALES else recipe.teacher
    return section.settings().endpoints


def unpriced_keys(recipe: Recipe, asks: Iterable[Ask]) -> tuple[str, ...]:
    """The keys of the recipe that would set the missing prices of `asks`."""
    keys: dict[str, None] = {}
    for ask in sorted(asks):
        first = ask is Ask.RATIONALES and recipe.teacher.first is not None
        path = "teacher.first" if first else "teacher"
        for number, endpoint in enumerate(endpoints_of(recipe, ask)):
            if endpoint.price is None:
                keys[f"{path}.price" if number == 0 else f"{path}.endpoints.{number - 1}.price"] = None
    return tuple(keys)


def pace_of(endpoints: Sequence[EndpointSettings], learnt: Mapping[tuple[str, str], Pace]) -> Pace:
    """What `endpoints` permit together. Limits in `learnt` (by an endpoint's name and model), which the endpoint
    itself reported, replace those of the recipe."""
    if any(endpoint.batch is not None for endpoint in endpoints):
        return Pace(None, None)  # a batch has limits of its own
    paces = [
        learnt.get((endpoint.name, endpoint.model), Pace(endpoint.requests_per_minute, endpoint.tokens_per_minute))
        for endpoint in endpoints
    ]
    return Pace(
        _together([pace.requests_per_minute for pace in paces]), _together([pace.tokens_per_minute for pace in paces])
    )


def _together(limits: Sequence[float | None]) -> float | None:
    known = [limit for limit in limits if limit is not None]
    return sum(known) if len(known) == len(limits) else None
