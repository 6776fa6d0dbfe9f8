"""`tailor promote` and `tailor rollback`: other weights in the place of those that a served student answers with.

Owns: which round is promoted and in which order that is done, and what is taken back.

Invariants
- No request fails: each replica lets those that it answers end, has the new ones wait, takes the weights on in place
  and goes on; requests are never answered by two.
- What is promoted is proven first, by the probe of its own checkpoint in each replica. Where one replica is not proven
  all have the old weights again, and the command says so.
- Either ends the share of a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.errors import Refused
from pipelines.run.cluster import connect
from pipelines.serving.deployed import (
    Live,
    check_changeable,
    cluster_here,
    live,
    put,
    served_as,
    take_down_candidate,
)
from pipelines.serving.graduate import probe_of, version_of
from pipelines.serving.proof import checkpoint_for, successor
from pipelines.serving.sharing import show_live
from serve.weights import Checkpoint


@dataclass(frozen=True, slots=True)
class Changed:
    """A student whose weights were changed: the versions that answer now and did before. `candidate` is the version
    whose share of the requests this ended, and `live` what was counted until then."""

    model: str
    version: str
    before: str
    candidate: str | None = None
    live: Live | None = None

    def answer(self) -> Answer:
        return Answer(self, self._show)

    def _show(self, console: Console) -> None:
        if self.version == self.before:
            text = f"answers with {self.version} alone again; the share of {self.candidate} has ended."
        else:
            text = (
                f"answers with {self.version} now; before: {self.before}. The last promotion is taken back by: "
                f"tailor rollback {self.model}"
            )
        console.print(f"[bold]{self.model}[/bold] {text}", soft_wrap=True, highlight=False)
        if self.live is not None:
            show_live(console, self.live, self.candidate)


def promote(path: Path, round: int | None, name: str | None, address: str | None, console: Console) -> Changed:
    """Puts the student of `round`, by default the best one, in the place of the one served as `name`, by default the
    run's name. Raises `Refused`, `RunFailed`, `RunDirectoryError`."""
    directory, graduate, served = successor(path, round, name, address)
    version, now = version_of(graduate), served.weights
    probe = probe_of(directory, graduate, version, console)
    counted = live(served) if now.candidate else None
    checkpoint = str(checkpoint_for(served, directory, graduate))
    put(served, now.followed_by(Checkpoint(version=version, checkpoint=checkpoint, probe=str(probe))))
    if now.candidate is not None:
        take_down_candidate(served)
    candidate = now.candidate.version if now.candidate else None
    return Changed(served.serving.model_name, version, now.version, candidate, counted)


def roll_back(name: str, address: str | None) -> Changed:
    """Ends the share of the candidate of the student served as `name`; where there is none, takes its last promotion
    back. Raises `Refused`, `RunFailed`."""
    connect(address or cluster_here())
    served = served_as(name)
    check_changeable(served)
    now = served.weights
    if now.candidate is not None:
        counted = live(served)
        put(served, now.beside(None))
        take_down_candidate(served)
        return Changed(name, now.version, now.version, now.candidate.version, counted)
    before = now.before()
    if before is None:
        raise Refused(f"{name} has had no other weights than {now.version} since it was deployed")
    put(served, before)
    return Changed(name, before.version, now.version)
