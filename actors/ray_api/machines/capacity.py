"""What a cluster's machines can hold: those that are there, and those that its autoscaler could start.

Owns: the sums. Nothing here talks to Ray.

Invariant: what is called impossible is impossible. Only necessary conditions are checked (each process fits a machine,
all of a kind fit the machines, the sums are there), so that nothing is refused that Ray could place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

ROUNDING = 1e-6  # of Ray's fractions of a GPU


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that is there. `kind` is its node type's name, "" where it has none."""

    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A kind of machine that the autoscaler can start, `most` of them at a time. Without `resources`, nothing is known
    of it until Ray has started there; `labels` None: the cluster does not tell them."""

    name: str
    resources: Mapping[str, float]
    most: int
    labels: Mapping[str, str] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """`count` processes of one kind (`what`, in the singular), each with these resources, on machines with these
    labels."""

    what: str
    count: int
    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> str:
        """How many of what, in words."""
        return f"{self.count} {self.what}{'' if self.count == 1 else 's'}"

    @property
    def each(self) -> str:
        """What one of them takes, in words."""
        return f"{amounts(self.resources)} each{labelled(self.labels)}"


@dataclass(frozen=True, slots=True)
class Capacity:
    """The machines that are there and the types of those that could come, `most_started` at a time in all.

    `unknown`: an autoscaler is at work and does not tell what it can start."""

    machines: tuple[Machine, ...]
    types: tuple[NodeType, ...] = ()
    most_started: int | None = None
    unknown: bool = False

    @classmethod
    def of_one(cls, resources: Mapping[str, float]) -> Capacity:
        """A machine alone."""
        return cls((Machine(resources),))

    def total(self, kind: str) -> float:
        """What is there now of a resource ("CPU", "GPU")."""
        return sum(machine.resources.get(kind, 0.0) for machine in self.machines)

    def startable(self, kind: str) -> float:
        """How much of a resource could come."""
        return self._most_of(lambda t: t.resources.get(kind, 0.0))

    def places(self, need: Need) -> int:
        """How many of these processes the machines that are there hold, were they idle."""
        return sum(_places(need, machine.resources, machine.labels) for machine in self.machines)

    def places_to_come(self, need: Need) -> int:
        """How many the machines that could come would hold."""
        return int(self._most_of(lambda t: _places(need, t.resources, t.labels)))

    def may_hold_anything(self) -> bool:
        """Whether machines may come of which nothing is known."""
        return self.unknown or (
            self._room() != 0 and any(number and not t.resources for t, number in self._startable())
        )

    def _most_of(self, each: Callable[[NodeType], float]) -> float:
        """The sum of `each` over the machines that could be started, those first that have the most."""
        left, found = self._room(), 0.0
        for amount, number in sorted(((each(t), number) for t, number in self._startable()), reverse=True):
            taken = number if left is None else min(number, left)
            found, left = found + amount * taken, None if left is None else left - taken
        return found

    def _startable(self) -> list[tuple[NodeType, int]]:
        """The types, and how many more of each may be started: numbers, as KubeRay's largest is 2147483647."""
        there = [machine.kind for machine in self.machines]
        return [(t, max(0, t.most - there.count(t.name))) for t in self.types]

    def _room(self) -> int | None:
        """How many machines may be started at a time; None: as many as there are of the types."""
        if self.most_started is None:
            return None
        names = {t.name for t in self.types}
        return max(0, self.most_started - sum(machine.kind in names for machine in self.machines))


def impossible(needs: Sequence[Need], capacity: Capacity) -> list[Need]:
    """The needs that `capacity` can never hold at once: one by one, then (all of them) by the sums."""
    if capacity.may_hold_anything():
        return []
    alone = [need for need in needs if capacity.places(need) + capacity.places_to_come(need) < need.count]
    if alone:
        return alone
    kinds = {kind for need in needs for kind in need.resources}
    short = {
        kind
        for kind in kinds
        if _sum(needs, kind) > capacity.total(kind) + capacity.startable(kind) + ROUNDING * len(needs)
    }
    return [need for need in needs if short & {kind for kind, amount in need.resources.items() if amount}]


def missing(needs: Sequence[Need], capacity: Capacity) -> list[Need]:
    """The needs for which machines have to come first."""
    alone = [need for need in needs if capacity.places(need) < need.count]
    kinds = {kind for need in needs for kind in need.resources}
    short = {kind for kind in kinds if _sum(needs, kind) > capacity.total(kind) + ROUNDING * len(needs)}
    return [n for n in needs if n in alone or short & {kind for kind, amount in n.resources.items() if amount}]


def table(needs: Sequence[Need], capacity: Capacity) -> list[str]:
    """What is needed against what is there or could come, as lines of aligned columns."""
    rows = [("needed", "each", "places there", "could come")]
    rows += [
        (n.named, n.each.replace(" each", ""), f"{capacity.places(n)}", f"{capacity.places_to_come(n)}") for n in needs
    ]
    for kind in ("CPU", "GPU"):
        wanted = _sum(needs, kind)
        if wanted:
            rows.append(
                (f"{wanted:g} {kind}s in all", "", f"{capacity.total(kind):g}", f"{capacity.startable(kind):g}")
            )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, *_machines(capacity)]


def _machines(capacity: Capacity) -> list[str]:
    there: dict[str, int] = {}
    for machine in capacity.machines:
        name = f"{amounts(machine.resources)}{labelled(_own(machine.labels))}"
        there[name] = there.get(name, 0) + 1
    lines = ["there: " + ("; ".join(f"{count} x {name}" for name, count in there.items()) or "no machine")]
    if capacity.types:
        most = "" if capacity.most_started is None else f", {capacity.most_started} in all"
        types = (
            f"up to {t.most} x {t.name} ({amounts(t.resources)}{labelled(t.labels or {})})" for t in capacity.types
        )
        lines.append("could come: " + "; ".join(types) + most)
    return lines


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    """Without those that name one machine, or what only a local cluster has."""
    return {key: value for key, value in labels.items() if key not in ("ray.io/node-id", "ray.io/node-group")}


def _sum(needs: Sequence[Need], kind: str) -> float:
    return sum(need.count * need.resources.get(kind, 0.0) for need in needs)


def _places(need: Need, resources: Mapping[str, float], labels: Mapping[str, str] | None) -> int:
    if labels is not None and any(not _matches(labels.get(key), wanted) for key, wanted in need.labels.items()):
        return 0
    asked = {kind: amount for kind, amount in need.resources.items() if amount > 0}
    if not asked:
        return need.count
    return min(_times(amount, resources.get(kind, 0.0), kind) for kind, amount in asked.items())


def _times(amount: float, there: float, kind: str) -> int:
    """How often `amount` is in what is there. A part of a GPU is of one GPU: two of them have two parts of 0.6."""
    if kind == "GPU" and amount < 1 and there == int(there):
        return int(there) * int(1 / amount + ROUNDING)
    return int(there / amount + ROUNDING)


def _matches(value: str | None, wanted: str) -> bool:
    """Ray's rules for label selectors: `x`, `!x`, `in(x, y)`, `!in(x, y)`."""
    negated, wanted = wanted.startswith("!"), wanted.removeprefix("!")
    if wanted.startswith("in(") and wanted.endswith(")"):
        values = {one.strip() for one in wanted[3:-1].split(",")}
    else:
        values = {wanted}
    return (value in values) is not negated


def amounts(resources: Mapping[str, float]) -> str:
    """CPUs and GPUs in words."""
    parts = [
        f"{resources.get(kind, 0.0):g} {kind}{'' if resources.get(kind, 0.0) == 1 else 's'}"
        for kind in ("CPU", "GPU")
        if resources.get(kind, 0.0)
    ]
    return ", ".join(parts) or "no CPU"


def labelled(labels: Mapping[str, str]) -> str:
    """Labels in words, "" without any."""
    return f", {', '.join(f'{key}={value}' for key, value in labels.items())}" if labels else ""
