"""The trainer: one Ray Train run per round, from a checkpoint and a table of examples to the next checkpoint.

Owns: the Ray Train run, its workers' program, its errors.

Invariants
- A job is done once: its student folder appears whole, its report in it, and the same job again returns that report.
- The same run name resumes: after a worker's crash within the run, after everybody's crash from Ray Train's last
  checkpoint (one a pass but the last). A run name that belongs to another job is refused, never silently restored.
- Nothing waits for machines that do not exist: what a job asks for is compared with the cluster first.
- An error of the training itself (no example fits, a diverged loss, an unreadable student) is not retried.
- A student that was taught and cannot be saved (a full disk) is not taught again: its weights are kept beside Ray
  Train's folder, and the same job saves them.

torch stays in Ray Train's workers and in this actor: importing this module is light.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import ray

from actors.ray_api.handles import RemoteMethod
from actors.ray_api.internals import CLEANER_CALLBACK, DATASETS_CALLBACK, torch_trainer_without
from actors.ray_api.nodes import live_nodes, on_one_node
from reasoning.prompts.frame import Frame
from reasoning.recipe.engine import Dtype
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, stable_id
from reasoning.rounds.directory import RoundFiles
from reasoning.student.config import weights_of
from reasoning.training.report import FineTuneReport, LossPoint

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student
    from reasoning.training.fine_tuning import FineTuning

REPORT_FILE = "fine_tuning.json"
STATE_FILE = "state.pt"
LOG_LINES = 30
RETRIES = 2  # crashes of workers that a run survives
SAVE_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)  # whatever a library raises


class TrainingFailed(RuntimeError):
    """A round's training that did not end in a student. The message says why, with the worker's last lines."""


class TrainingRefused(TrainingFailed):
    """A job that was not started: the cluster lacks what it asks for, or its files are not there."""


class ReporterHandle(Protocol):
    """The handle of the actor that is sent a training's losses."""

    training_point: RemoteMethod[[LossPoint], None]


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """A probe of the new checkpoint wanted with it: its version, its prompts, and the file it is written to. The worker
    has the libraries loaded, so that here it costs a second and in a process of its own ten."""

    version: str
    prompts: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One round's training. Paths are absolute and seen by every node.

    `frame`: that of the form which the examples are written in.

    `epochs_out`: a folder (see `RoundFiles.epochs`) where every epoch's student and its probe are wanted too.

    `run_name` names the round (unique to it) below `storage`, Ray Train's own folder; `checkpoint_in` is a folder or a
    hub id, `checkpoint_out` the folder to write; `examples` is a table of `Example`s. `workers` take `cpus` and `gpus`
    each. `reporter` is sent every step's losses, unawaited."""

    run_name: str
    storage: str
    checkpoint_in: str
    examples: str
    checkpoint_out: str
    training: TrainingSection
    objective: ObjectiveSection
    seed: int
    workers: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    dtype: Dtype = "auto"
    reporter: ReporterHandle | None = None
    probe: ProbeOrder | None = None
    epochs_out: str | None = None
    frame: Frame | None = None

    def identity(self) -> str:
        """What the job's student depends on: a hash of settings, checkpoint and the content of the examples."""
        content = hashlib.blake2b(Path(self.examples).read_bytes(), digest_size=16).hexdigest()
        sections = [self.training.model_dump(mode="json"), self.objective.model_dump(mode="json")]
        framed = self.frame.identity if self.frame is not None else ()
        return stable_id(sections, self.seed, self.dtype, self.checkpoint_in, content, *framed)


class TrainerHandle(Protocol):
    """The handle of a `Trainer` that is an actor."""

    train: RemoteMethod[[TrainingJob], FineTuneReport]


class Trainer:
    """Runs training jobs, one after another. A plain class: `ray.remote(Trainer)` makes it an actor."""

    def __init__(self, patience_s: float = 120.0) -> None:
        """`patience_s` is how long a job waits for machines that exist but are in use."""
        self._patience_s = patience_s
        # Ray Train asks its workers how they are every two seconds and learns only then that they have finished.
        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")
        if on_one_node():  # this node cannot go away and leave us running
            os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        import ray.train.torch  # noqa: F401  (seconds, spent while the exam is sat)

    def train(self, job: TrainingJob) -> FineTuneReport:
        """Runs `job` to its end and returns its report; the student is then at `job.checkpoint_out`.

        Raises `TrainingRefused` before anything starts, `TrainingFailed` when it started and could not end."""
        if not Path(job.examples).is_file():
            raise TrainingRefused(f"{job.run_name}: {job.examples}: no table of examples at this path")
        identity = job.identity()
        done = finished_report(Path(job.checkpoint_out), identity)
        if done is None:
            check_resources(job)
            check_space(job)
            wait_for_resources(job, self._patience_s)
            self._fit(job, identity)
            done = finished_report(Path(job.checkpoint_out), identity)
        if done is None:
            raise TrainingFailed(
                f"{job.run_name}: the training ended but left no student in {job.checkpoint_out}. Check that this "
                "folder is on storage that every node shares"
            )
        shutil.rmtree(Path(job.storage) / job.run_name, ignore_errors=True)  # weights and optimiser, twice the student
        return done

    def _fit(self, job: TrainingJob, identity: str) -> None:
        import ray.train.torch

        train: Any = ray.train  # its annotations are those of Ray Train V1, its classes those of V2
        Path(job.storage).mkdir(parents=True, exist_ok=True)
        trainer = _torch_trainer()(
            _worker,
            train_loop_config={"job": job, "identity": identity},
            scaling_config=train.ScalingConfig(
                num_workers=job.workers,
                use_gpu=job.gpus > 0,
                resources_per_worker={"CPU": job.cpus} | ({"GPU": job.gpus} if job.gpus else {}),
            ),
            run_config=train.RunConfig(
                name=job.run_name,
                storage_path=job.storage,
                failure_config=train.FailureConfig(max_failures=RETRIES),
                checkpoint_config=train.CheckpointConfig(num_to_keep=1),
                logging_config=train.LoggingConfig(log_level="WARNING"),
            ),
        )
        try:
            result = trainer.fit()
        except train.TrainingFailedError as error:
            raise TrainingFailed(
                f"{job.run_name}: the workers failed {RETRIES + 1} times, the last time with\n{_last_lines(str(error))}"
            ) from error
        except ray.exceptions.RayError as error:
            raise TrainingFailed(f"{job.run_name}: Ray Train stopped: {_last_lines(str(error))}") from error
        if result.return_value is not None:  # rank 0's account of an error that no retry would cure
            raise TrainingFailed(f"{job.run_name}: {result.return_value}")


def _torch_trainer() -> Any:
    """Ray Train's `TorchTrainer` without what this project does not use and each round would pay for with a process of
    its own: the manager of Ray Data sets, and on one node the actor that gives workers' machines back should the run's
    controller die (the end of the job gives them back, and without a dashboard that actor cannot do its work)."""
    return torch_trainer_without({DATASETS_CALLBACK} | ({CLEANER_CALLBACK} if on_one_node() else set()))


def finished_report(folder: Path, identity: str) -> FineTuneReport | None:
    """The report in a finished student's folder, or None when there is none of the job with `identity`."""
    file = folder / REPORT_FILE
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.pop("identity", None) != identity:
        return None
    losses = tuple(LossPoint(**point) for point in content.pop("losses"))
    return FineTuneReport(losses=losses, **content)


def check_resources(job: TrainingJob) -> None:
    """Raises `TrainingRefused` when the cluster's nodes, were they idle, could not hold the job's workers."""
    nodes = [node["Resources"] for node in live_nodes()]
    needs = {"CPU": job.cpus, "GPU": job.gpus}
    places = sum(
        min(int(node.get(kind, 0.0) / need + 1e-6) for kind, need in needs.items() if need > 0) for node in nodes
    )
    if places < job.workers:
        have = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise TrainingRefused(
            f"{job.run_name}: {job.workers} training workers of {job.cpus:g} CPUs and {job.gpus:g} GPUs each do not "
            f"fit the cluster ({len(nodes)} nodes: {have}). Lower cluster.trainers, trainer_cpus or trainer_gpus"
        )


def check_space(job: TrainingJob) -> None:
    """Raises `TrainingRefused` when the disk has no room for the student, in float32, and what a training keeps of it
    meanwhile. A hub student's size is not known here."""
    weights = weights_of(Path(job.checkpoint_in))
    if not weights:
        return
    copies = 1 + (job.training.epochs if job.epochs_out is not None else 0)
    copies += 3 if job.training.epochs > 1 else 0  # weights and two moments, of the pass before
    Path(job.storage).mkdir(parents=True, exist_ok=True)
    needed, free = 4 * weights * copies, shutil.disk_usage(job.storage).free
    if needed > free:
        raise TrainingRefused(
            f"{job.run_name}: the student and the training's state need {needed / 2**30:.2g} GiB in {job.storage}, and "
            f"{free / 2**30:.2g} GiB are free. Free some space, or take another folder (storage.path), and start again"
        )


def wait_for_resources(job: TrainingJob, patience_s: float) -> None:
    """Waits until the job's CPUs and GPUs are free, since an actor that has just stopped gives its own back late.

    Raises `TrainingRefused` after `patience_s`, naming what is taken."""
    deadline = time.monotonic() + patience_s
    needs = {"CPU": job.cpus * job.workers, "GPU": job.gpus * job.workers}
    while True:
        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        short = {kind: need for kind, need in needs.items() if free.get(kind, 0.0) + 1e-6 < need}
        if not short:
            return
        if time.monotonic() > deadline:
            wanted = ", ".join(f"{need:g} {kind}s ({free.get(kind, 0.0):g} free)" for kind, need in short.items())
            raise TrainingRefused(
                f"{job.run_name}: waited {patience_s:.0f} s for {wanted}. Other actors, the samplers first of all, "
                "hold them: use placement: shared, fewer or smaller samplers, or a larger cluster"
            )
        time.sleep(0.2)


def _worker(config: dict[str, Any]) -> str | None:
    """What every Ray Train worker runs. Returns None, or an error that a retry would not cure, as text."""
    from transformers.utils.logging import disable_progress_bar

    from reasoning.files.tables import TableError, read_table
    from reasoning.student.checkpoint import StudentError, load_student
    from reasoning.training.fine_tuning import TrainingError

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    disable_progress_bar()
    job: TrainingJob = config["job"]
    try:
        student, examples = load_student(job.checkpoint_in), read_table(Path(job.examples), Example)
        problem = None
    except (StudentError, TableError) as error:
        problem = str(error)
    problem = _first_problem(problem)
    if problem is not None:
        return problem
    try:
        _train(job, config["identity"], student, examples)
    except TrainingError as error:  # every worker has the same, at the same step
        return f"{error}\n{_last_lines(traceback.format_exc())}"
    return None


def _first_problem(own: str | None) -> str | None:
    """The first worker's problem in getting ready, told to all: the others would wait for it to begin."""
    import torch

    problems = [own]
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        problems = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(problems, own)
    return next((f"worker {rank}: {problem}" for rank, problem in enumerate(problems) if problem is not None), None)


def _train(job: TrainingJob, identity: str, student: Student, examples: list[Example]) -> None:
    import ray.train.torch
    import torch

    from reasoning.student.checkpoint import save_student
    from reasoning.student.probe import make_probe, save_probe
    from reasoning.training.fine_tuning import TrainingError, fine_tune

    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(max(1, math.ceil(job.cpus)))
    student.model.to(device)

    def send(point: LossPoint) -> None:
        if rank == 0 and job.reporter is not None:
            job.reporter.training_point.remote(point)

    taught: list[FineTuning] = []

    def keep(run: FineTuning) -> None:
        taught[:] = [run]
        if rank == 0 and job.epochs_out is not None:
            save_student(student.model, student.tokenizer, _epoch(job.epochs_out, run.passes).student)
        if run.passes == job.training.epochs:  # what follows is the student itself
            return
        with TemporaryDirectory() as folder:
            checkpoint = None
            if rank == 0:
                run.save(Path(folder) / STATE_FILE)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"passes": run.passes}, checkpoint=checkpoint)

    def learn(resume: Path | None) -> FineTuneReport:
        return fine_tune(
            student.model, student.tokenizer, examples, job.training, job.objective, job.seed, rank=rank,
            world_size=world_size, dtype=job.dtype, on_step=send, on_pass=keep, resume=resume,
            frame=job.frame,
        )  # fmt: skip

    unsaved = Path(job.storage) / f"{job.run_name}.{identity[:16]}.unsaved.pt"
    last = ray.train.get_checkpoint()
    if unsaved.is_file():
        report = learn(unsaved)
    elif last is None:
        report = learn(None)
    else:
        with last.as_directory() as folder:
            report = learn(Path(folder) / STATE_FILE)
    if rank == 0:
        document = json.dumps({"identity": identity, **asdict(report)})
        try:
            save_student(student.model.cpu(), student.tokenizer, Path(job.checkpoint_out), {REPORT_FILE: document})
        except SAVE_ERRORS as error:
            raise TrainingError(_not_saved(job, error, unsaved, taught)) from error
        unsaved.unlink(missing_ok=True)
        if job.probe is not None:
            save_probe(make_probe(job.checkpoint_out, job.probe.version, job.probe.prompts), Path(job.probe.file))
            _probe_epochs(job, job.probe)


def _not_saved(job: TrainingJob, error: Exception, unsaved: Path, taught: list[FineTuning]) -> str:
    """Keeps what was learnt in `unsaved`, if that can be, and says what happened and what to do."""
    what = f"the student is taught, but could not be saved to {job.checkpoint_out}: {type(error).__name__}: {error}"
    if unsaved.is_file():
        return f"{what}. Correct that (a full disk: free some space) and start again; its weights are in {unsaved}"
    try:
        taught[0].save(unsaved)
    except (IndexError, *SAVE_ERRORS) as again:
        return f"{what}. Nor could its weights be kept ({again}). Free some space and start again"
    return (
        f"{what}. Correct that (a full disk: free some space) and start again: nothing is taught twice, see {unsaved}"
    )


def _epoch(epochs_out: str, epoch: int) -> RoundFiles:
    return RoundFiles(Path(epochs_out).parent).after(epoch)


def epoch_version(version: str, epoch: int) -> str:
    """The name of the weights after `epoch` (from 1) of the training that ends in `version`."""
    return f"{version}/epoch-{epoch:02d}"


def _probe_epochs(job: TrainingJob, order: ProbeOrder) -> None:
    """After the training, when its memory is free again."""
    from reasoning.student.probe import make_probe, save_probe

    if job.epochs_out is None:
        return
    for epoch in range(1, job.training.epochs + 1):
        files = _epoch(job.epochs_out, epoch)
        save_probe(make_probe(str(files.student), epoch_version(order.version, epoch), order.prompts), files.probe)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:])
