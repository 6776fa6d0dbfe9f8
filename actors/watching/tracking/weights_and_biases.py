"""A run on Weights & Biases, by its own library.

Invariant: nothing is sent of the process, the machine or the code but what is logged, and nobody is asked for a key.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.watching.tracking.sink import STEPS, Axis, TrackedRun
from reasoning.recipe.cluster import WandbSection


class WeightsAndBiases:
    """A sink into one run there, which a resumed run goes on with."""

    def __init__(self, section: WandbSection, run: TrackedRun) -> None:
        import wandb

        self._run = wandb.init(
            project=section.project,
            entity=section.entity,
            mode=section.mode,
            name=run.name,
            id=run.id,
            resume="allow",
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

    def close(self) -> None:
        self._run.finish()
