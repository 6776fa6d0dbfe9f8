"""Which weights a served student answers with, which it had before, and which candidate has a share of its requests.

Owns: the `user_config` of its deployment, which may be that of several students that are adapters of one model. Ray
Serve keeps it, so that a replica that is started later answers with the weights that were promoted last.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from reasoning.recipe.base import Section

KEPT = 10  # how many promotions can be taken back


class Checkpoint(Section):
    """Weights: `version` names them to people and in responses, `probe` is the file that proves them, if there is
    one."""

    version: str
    checkpoint: str
    probe: str | None = None


class Candidate(Checkpoint):
    """Weights that are tried: the Serve application `application` has them, and gets `share` of the requests."""

    application: str
    share: Annotated[float, Field(gt=0.0, lt=1.0)]


class Weights(Checkpoint):
    """The weights that answer; `earlier` are those that did before, the last ones last; `candidate` is tried beside
    them. Where the students are adapters of them, these answer, by their names: `checkpoint` is an adapter's folder."""

    earlier: tuple[Checkpoint, ...] = ()
    candidate: Candidate | None = None
    adapters: dict[str, Weights] = Field(default_factory=dict)

    def by_name(self, model: str) -> dict[str, Weights]:
        """What answers by each name: these weights as `model`, or their adapters."""
        return self.adapters or {model: self}

    def instead_of(self, before: Weights) -> Self:
        """These, with the adapters of `before` that are not named here. Raises `ValueError` for one that is new."""
        unknown = set(self.adapters) - set(before.adapters)
        if unknown:
            raise ValueError(f"adapters: {', '.join(sorted(unknown))} cannot be added to an engine that is there")
        return self.model_copy(update={"adapters": before.adapters | self.adapters})

    def with_adapter(self, name: str, weights: Weights) -> Self:
        """The same with another adapter as `name`."""
        return self.model_copy(update={"adapters": {**self.adapters, name: weights}})

    def beside(self, candidate: Candidate | None) -> Self:
        """The same weights with another candidate, or none."""
        return self.model_copy(update={"candidate": candidate})

    def followed_by(self, next: Checkpoint) -> Self:
        """The weights after a promotion of `next`."""
        now = Checkpoint(version=self.version, checkpoint=self.checkpoint, probe=self.probe)
        return type(self)(**next.model_dump(), earlier=(*self.earlier, now)[-KEPT:])

    def before(self) -> Self | None:
        """The weights after the last promotion is taken back; None where there was none."""
        if not self.earlier:
            return None
        *others, last = self.earlier
        return type(self)(**last.model_dump(), earlier=tuple(others))
