"""A run on MLflow, by its own client."""

from __future__ import annotations

import time
from collections.abc import Mapping

from actors.watching.tracking.sink import Axis, TrackedRun
from reasoning.recipe.cluster import MlflowSection

_TAG = "tailor.run"
_LONGEST = 500  # characters of a parameter


class MlflowRun:
    """A sink into one run there, which a resumed run finds by its tag and goes on with."""

    def __init__(self, section: MlflowSection, run: TrackedRun) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=section.uri)
        known = self._client.get_experiment_by_name(section.experiment)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(section.experiment)
        found = self._client.search_runs([experiment], filter_string=f"tags.`{_TAG}` = '{run.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        self._id = self._client.create_run(experiment, run_name=run.name, tags={_TAG: run.id}).info.run_id
        for name, value in run.about.items():
            self._client.log_param(self._id, name, value[:_LONGEST])

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(self._id, metrics=[Metric(name, value, now, step) for name, value in values.items()])

    def close(self, *, finished: bool = True) -> None:
        self._client.set_terminated(self._id, status="FINISHED" if finished else "FAILED")
