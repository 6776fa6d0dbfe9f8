"""A run on Weights & Biases, by its own library.

Invariants
- Nothing is sent of the process, the machine or the code but what is logged, and nobody is asked for a key.
- What was kept offline is never gone on with, for the library cannot: of two starts under one id the one that is sent
  later would take the other's place. Each start is a run of its own there, all of one group.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.watching.tracking.sink import STEPS, Axis, TrackedRun
from reasoning.recipe.cluster import WandbSection


class WeightsAndBiases:
    """A sink into one run there, which a resumed run goes on with; offline, into one of a group."""

    def __init__(self, section: WandbSection, run: TrackedRun) -> None:
        import wandb

        online = section.mode == "online"
        self._run = wandb.init(
            project=section.project,
            entity=section.entity,
            mode=section.mode,
            name=run.name,
            id=run.id if online else None,
            group=None if online else f"{run.name}-{run.id}",
            resume="allow" if online else None,
            dir=str(run.folder),
            config=dict(run.about),
            settings=wandb.Settings(
                console="off",
                disable_code=True,
                disable_git=True,
                x_save_requirements=False,
                x_disable_meta=True,
                x_disable_stats=True,
                silent=True,
            ),
        )
        for axis in Axis:
            self._run.define_metric(axis.value)
        self._run.define_metric("*", step_metric=Axis.ROUND.value)
        self._run.define_metric(f"{STEPS}/*", step_metric=Axis.TRAINING_STEP.value)

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, axis.value: step})

    def close(self, *, finished: bool = True) -> None:
        self._run.finish(exit_code=0 if finished else 1)
