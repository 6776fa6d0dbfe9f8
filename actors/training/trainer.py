"""The trainer: one Ray Train run per round, from a checkpoint and a table of examples to the next checkpoint.

Owns: the Ray Train run, its errors. What its workers do is `actors.training.job`.

Invariants
- A job is done once: its student folder appears whole, its report in it, and the same job again returns that report.
- The same run name resumes: after a worker's crash within the run, after everybody's crash from Ray Train's last
  checkpoint (one a pass but the last, and one in ten minutes or as the recipe says), with as many workers as there then
  are. A run name that belongs to another job is refused, never silently restored.
- A job that may do with fewer workers (`fewest`) begins with those that have room, goes on with those that are left,
  and takes more where it has kept its state (`actors.training.regrouping`). Ray Train's own range is not used: it
  counts what nodes have, whoever uses it and whatever their labels, and grows by ending the workers where they are.
- Nothing waits for machines that can never be there: what a job asks for is compared with the cluster first, and with
  what its autoscaler could start. Machines that are late, or lost and replaced, are waited for, for a while.
- Workers that came up early begin when their examples are there, and not before.
- Beside samplers that sleep a training is tried once: whatever ends it may be their doing. Without them it goes on from
  its last checkpoint.
- An error of the training itself (no example fits, a diverged loss, an unreadable student) is not retried.

torch stays in Ray Train's workers and in this actor: importing this module is light.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from actors.ray_api.deaths import low_on_memory
from actors.ray_api.handles import RemoteMethod
from actors.ray_api.internals import CLEANER_CALLBACK, DATASETS_CALLBACK, torch_trainer_without
from actors.ray_api.machines.places import lacking
from actors.ray_api.machines.waiting import MachinesMissing, free_abandoned_places, wait_for_places, what_is_missing
from actors.ray_api.nodes import live_nodes, on_one_node, silent_nodes
from actors.storage.places import file_here, landing, remove_folder
from actors.training.job import Ended, TrainingJob, last_lines, need_of, worker
from reasoning.files.addresses import is_address
from reasoning.student.config import weights_of
from reasoning.training.report import FineTuneReport

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

logger = logging.getLogger(__name__)

RETRIES = 2  # crashes of workers, or of Ray Train's controller, that a run survives; lost machines do not count
PROCESS_DIED = "worker process has died"  # what Ray says of an actor whose node is there
NODE_LOSS_S = 30.0  # within which Ray takes a node that does not answer for dead
LOOK_S = 1.0


class TrainingFailed(RuntimeError):
    """A round's training that did not end in a student. The message says why, with the worker's last lines."""


class TrainingRefused(TrainingFailed):
    """A job that was not started: the cluster lacks what it asks for, or its files are not there."""


class TrainingCrowded(RuntimeError):
    """A training that could not go on beside samplers that sleep: the same job in places of its own goes on with it."""


class TrainerHandle(Protocol):
    """The handle of a `Trainer` that is an actor."""

    prepare: RemoteMethod[[TrainingJob], None]
    train: RemoteMethod[[TrainingJob], FineTuneReport]


@dataclass(frozen=True, slots=True)
class _Early:
    """A job whose workers came up before its examples were there: the nodes at that time, and its Ray Train run."""

    run_name: str
    nodes: set[str]
    run: Future[bool]


class Trainer:
    """Runs training jobs, one after another. A plain class: `ray.remote(Trainer)` makes it an actor."""

    def __init__(self, patience_s: float = 120.0) -> None:
        """`patience_s` is how long a job waits for machines that are in use, not there yet, or lost."""
        self._patience_s = patience_s
        self._early: _Early | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="early")
        # Ray Train asks its workers how they are every two seconds and learns only then that they have finished.
        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")
        if on_one_node():  # this node cannot go away and leave us running
            os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        import ray.train.torch  # noqa: F401  (seconds, spent while the exam is sat)

    def prepare(self, job: TrainingJob) -> None:
        """Has the job's workers come up meanwhile, for a `train` of the same job that follows. Its examples need not be
        there: the workers read them when the job's `reporter` says so. Whatever goes wrong is `train`'s to mend."""
        if self._early is None or self._early.run_name != job.run_name:
            self._early = _Early(job.run_name, _nodes(), self._thread.submit(self._fit_early, job))

    def train(self, job: TrainingJob) -> FineTuneReport:
        """Runs `job` to its end and returns its report; the student is then at `job.checkpoint_out`.

        Raises `TrainingRefused` before anything starts, `TrainingFailed` when it started and could not end,
        `TrainingCrowded`."""
        if not file_here(job.examples).is_file():
            raise TrainingRefused(f"{job.run_name}: {job.examples}: no table of examples at this path")
        identity = job.identity()
        if is_address(job.checkpoint_out) and job.report(identity) is None and job.made_here(identity):
            job.hand_over()  # storage that failed did not take it the last time
        early, self._early = self._early, None
        early = early if early is not None and early.run_name == job.run_name else None
        done = job.report(identity)
        if done is None:
            check_space(job)
            if job.beside is None:
                self._fit(job, identity, early)
            else:
                self._fit_beside(job, identity)
            done = job.report(identity)
        elif early is not None:
            wait([early.run])  # its workers have found nothing to do
        if done is None:
            raise TrainingFailed(
                f"{job.run_name}: the training ended but left no student in {job.checkpoint_out}. Check that this "
                "folder is on storage that every node shares"
            )
        remove_folder(job.storage, job.run_name)  # weights and optimiser, twice the student
        return done

    def _fit(self, job: TrainingJob, identity: str, early: _Early | None = None) -> None:
        """Trains to the end, over machines that come and go and, `RETRIES` times, crashes. What came up `early` goes
        first."""
        import ray.train

        train: Any = ray.train
        crashes = 0
        while True:
            count = self._wait_for_places(job) if early is None else 0
            nodes = _nodes() if early is None else early.nodes
            try:
                if not (early.run.result() if early is not None else self._fit_once(job, identity, count)):
                    return
                logger.info("%s: kept its state, and goes on with other machines", job.run_name)
            except (train.TrainingFailedError, ray.exceptions.RayError) as error:
                crashes = _retried(job, error, nodes, crashes)
            except TrainingRefused:
                if early is None:
                    raise  # the early ones have waited in vain; from now on it is waited anew
            early = None

    def _fit_beside(self, job: TrainingJob, identity: str) -> None:
        """Trains once, in places that are held for it. Raises `TrainingCrowded`; workers that still wait for a place
        end when the places are given back."""
        import ray.train

        train: Any = ray.train
        lost_since: float | None = None
        run = self._thread.submit(self._fit_once, job, identity, job.workers)
        while not run.done():
            # Ray Train hears of a worker that was lost, and not that one waits for a place that was.
            lost = job.beside is not None and lacking(job.beside) > 0
            lost_since = (lost_since or time.monotonic()) if lost else None
            if lost_since is not None and time.monotonic() - lost_since > NODE_LOSS_S:
                raise TrainingCrowded(f"{job.run_name}: a machine was lost")
            wait([run], timeout=LOOK_S)
        try:
            run.result()
        except (train.TrainingFailedError, ray.exceptions.RayError) as error:
            raise TrainingCrowded(f"{job.run_name}: {_said(error)}") from error

    def _fit_early(self, job: TrainingJob) -> bool:
        return self._fit_once(job, None, self._wait_for_places(job))

    def _wait_for_places(self, job: TrainingJob) -> int:
        """Waits for the job's machines, and returns for how many workers they are. Raises `TrainingRefused` when too
        few come."""
        free_abandoned_places()
        try:
            return wait_for_places(need_of(job), self._patience_s, lambda text: _show_wait(job, text), job.fewest)
        except MachinesMissing as error:
            raise TrainingRefused(f"{job.run_name}: {error}") from error

    def _fit_once(self, job: TrainingJob, identity: str | None, count: int) -> bool:
        """One start of `count` workers; whether the training is to go on with others."""
        missing = job.workers - count
        logger.info("trains %s with %d of %d workers", job.run_name, count, job.workers)
        if missing:
            _show_wait(job, f"{what_is_missing(need_of(job), missing)}, with {count} of {job.workers} there")
        try:
            ended: Ended = run_program(worker, {"job": job, "identity": identity}, replace(job, workers=count))
        finally:
            if missing:
                _show_wait(job, "")
        if ended.problem is not None:  # rank 0's account of an error that no retry would cure
            raise TrainingFailed(f"{job.run_name}: {ended.problem}")
        return ended.regroups


def run_program(program: Callable[[dict[str, Any]], Any], config: dict[str, Any], job: TrainingJob) -> Any:
    """Has Ray Train run `program` with `config` in the workers that `job` asks for; what rank 0's returned."""
    import ray.train.torch

    train: Any = ray.train  # its annotations are those of Ray Train V1, its classes those of V2
    landing(job.storage).mkdir(parents=True, exist_ok=True)
    trainer = _torch_trainer(job.beside)(
        program,
        train_loop_config=config,
        scaling_config=train.ScalingConfig(
            num_workers=job.workers,
            use_gpu=job.gpus > 0,
            resources_per_worker=dict(need_of(job).resources),
            label_selector=None if job.beside is not None else dict(job.labels) or None,
        ),
        run_config=train.RunConfig(
            name=job.run_name,
            storage_path=job.storage,
            # Every retry is `Trainer`'s: it waits for machines first, says so, and knows a lost one from a crash.
            failure_config=train.FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            checkpoint_config=train.CheckpointConfig(num_to_keep=1),
            logging_config=train.LoggingConfig(log_level="WARNING"),
        ),
    )
    return trainer.fit().return_value


def _nodes() -> set[str]:
    """The ids of the nodes that are there."""
    return {node["NodeID"] for node in live_nodes()}


def _retried(job: TrainingJob, error: Exception, nodes: set[str], crashes: int) -> int:
    """How many crashes there were with this one: the loss of a machine is none. Raises `TrainingFailed` after
    `RETRIES` of them."""
    lost = type(error).__name__ == "PreemptionError" or _lost_a_machine(error, nodes)
    if not lost and crashes == RETRIES:
        raise TrainingFailed(
            f"{job.run_name}: the workers failed {RETRIES + 1} times, the last time with\n{_said(error)}"
        ) from error
    what = "a machine was lost in training" if lost else _said(error)
    logger.warning("%s: %s; going on from the last checkpoint", job.run_name, what)
    return crashes if lost else crashes + 1


def _lost_a_machine(error: Exception, nodes: set[str]) -> bool:
    """Whether one of `nodes` is gone. Ray knows of the loss of a process at once, of that of its node some seconds
    later; the other workers hear no more than that a connection broke."""
    from ray.exceptions import RayActorError

    causes = [error, *getattr(error, "worker_failures", {}).values()]
    unclear = any(isinstance(one, RayActorError) and PROCESS_DIED not in str(one) for one in causes)
    until = time.monotonic() + NODE_LOSS_S
    while not (lost := nodes - _nodes()) and (unclear or silent_nodes(nodes)) and time.monotonic() < until:
        time.sleep(0.5)
    return bool(lost or silent_nodes(nodes))


def _said(error: Exception) -> str:
    return low_on_memory(str(error)) or last_lines(str(error))


def _show_wait(job: TrainingJob, text: str) -> None:
    if job.reporter is not None:
        job.reporter.waiting.remote("trainer", text)


def _torch_trainer(places: PlacementGroup | None) -> Any:
    """Ray Train's `TorchTrainer` without what this project does not use and each round would pay for with a process of
    its own: the manager of Ray Data sets, and on one node the actor that gives workers' machines back should the run's
    controller die (the end of the job gives them back, and without a dashboard that actor cannot do its work)."""
    own = {CLEANER_CALLBACK} if on_one_node() or places is not None else set()  # places that are held stay
    return torch_trainer_without({DATASETS_CALLBACK} | own, places)


def check_space(job: TrainingJob) -> None:
    """Raises `TrainingRefused` when the disk has no room for the student, in float32, and what a training keeps of it
    meanwhile and has not kept yet. A hub student's size is not known here."""
    weights = weights_of(landing(job.checkpoint_in))
    if not weights:
        return
    copies = 1 + (job.epoch_students.left() if job.epoch_students is not None else 0)
    copies += 3 if job.training.epochs > 1 else 0  # weights and two moments, of the pass before
    folder = landing(job.storage)
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = 4 * weights * copies, shutil.disk_usage(folder).free
    if needed > free:
        raise TrainingRefused(
            f"{job.run_name}: the student and the training's state need {needed / 2**30:.2g} GiB in {folder}, and "
            f"{free / 2**30:.2g} GiB are free. Free some space, or take another folder (storage.path), and start again"
        )
