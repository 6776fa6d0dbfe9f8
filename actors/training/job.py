"""One round's training as a job: what it asks for, and the program that each of Ray Train's workers runs.

Owns: the job, its identity, the report that marks it as done; loading, teaching and saving in a worker.

Invariants
- An error of the training itself (no example fits, a diverged loss, an unreadable student) is told, not raised: a retry
  would not cure it.
- Workers may come up before their examples are there (`TrainingJob` without an identity yet): they read none until they
  are told that the table is whole.
- The loss of a machine costs at most ten minutes of training, and less where its leaving is announced.
- A student that was taught and cannot be saved (a full disk) is not taught again: its weights are kept beside Ray
  Train's folder, and the same job saves them.

torch stays in Ray Train's workers: importing this module is light.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, cast

from actors.ray_api.handles import RemoteMethod
from actors.ray_api.machines.capacity import Need
from actors.ray_api.nodes import this_node_leaves
from actors.storage.places import file_here, hand_over, landing, read_in_folder, student_here
from reasoning.files.addresses import below
from reasoning.prompts.frame import Frame
from reasoning.recipe.engine import Dtype
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, stable_id
from reasoning.rounds.directory import RoundFiles
from reasoning.training.report import FineTuneReport, LossPoint

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student
    from reasoning.training.fine_tuning import FineTuning

REPORT_FILE = "fine_tuning.json"
STATE_FILE = "state.pt"
LOG_LINES = 30
CHECKPOINT_S = 600.0  # the most that a machine's loss without notice costs
LEAVING_LOOK_S = 5.0
SAVE_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)  # whatever a library raises


class ReporterHandle(Protocol):
    """The handle of the actor that is sent a training's losses, and what the trainer waits for. `told_to_train` returns
    when the examples of the job of this run name are there."""

    training_point: RemoteMethod[[LossPoint], None]
    waiting: RemoteMethod[[str, str], None]
    told_to_train: RemoteMethod[[str], None]


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """A probe of the new checkpoint wanted with it: its version, its prompts, and the file it is written to. The worker
    has the libraries loaded, so that here it costs a second and in a process of its own ten."""

    version: str
    prompts: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One round's training. Files and folders are absolute paths that every node sees, or addresses.

    `frame`: that of the form which the examples are written in. `grow`: whether tokens without an embedding get one.

    `epochs_out`: a folder (see `RoundFiles.epochs`) where every epoch's student and its probe are wanted too.

    `run_name` names the round (unique to it) below `storage`, Ray Train's own folder; `checkpoint_in` is a folder or a
    hub id, `checkpoint_out` the folder to write; `examples` is a table of `Example`s. `workers` take `cpus` and `gpus`
    each, on nodes with these `labels`. `reporter` is sent every step's losses, unawaited."""

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
    labels: Mapping[str, str] = field(default_factory=dict)
    dtype: Dtype = "auto"
    reporter: ReporterHandle | None = None
    probe: ProbeOrder | None = None
    epochs_out: str | None = None
    frame: Frame | None = None
    grow: bool = False

    def identity(self) -> str:
        """What the job's student depends on: a hash of settings, checkpoint and the content of the examples."""
        content = hashlib.blake2b(file_here(self.examples).read_bytes(), digest_size=16).hexdigest()
        sections = [self.training.identity(), self.objective.model_dump(mode="json")]
        framed = self.frame.identity if self.frame is not None else ()
        grown = ("grow",) if self.grow else ()
        return stable_id(sections, self.seed, self.dtype, self.checkpoint_in, content, *framed, *grown)

    def report(self, identity: str) -> FineTuneReport | None:
        """What the job with `identity` reported; None before its student is there."""
        return FineTuneReport.from_json(read_in_folder(self.checkpoint_out, REPORT_FILE), identity)

    def made_here(self, identity: str) -> bool:
        """Whether this node's disk has the student of the job with `identity`."""
        made = read_in_folder(str(landing(self.checkpoint_out)), REPORT_FILE)
        return FineTuneReport.from_json(made, identity) is not None

    def hand_over(self) -> None:
        """Stores what was made on this node and not handed over. Raises `StorageError`."""
        made = [self.probe.file] if self.probe is not None else []
        for epoch in range(1, self.training.epochs + 1 if self.epochs_out is not None else 1):
            made += [_epoch_place(self.epochs_out or "", epoch, name) for name in ("student", "probe.json")]
        for place in (*made, self.checkpoint_out):  # the student last: with it the job is done
            if landing(place).exists():
                hand_over(place)

    def epoch(self, epoch: int) -> RoundFiles:
        """Where on this node the student after `epoch` (from 1) is."""
        return RoundFiles(landing(self.epochs_out or "").parent).after(epoch)


def need_of(job: TrainingJob) -> Need:
    """What the job's workers take."""
    return Need("trainer", job.workers, {"CPU": job.cpus} | ({"GPU": job.gpus} if job.gpus else {}), job.labels)


def worker(config: dict[str, Any]) -> str | None:
    """What every Ray Train worker runs. Returns None, or an error that a retry would not cure, as text. A job without
    an `identity` is not to begin yet."""
    import ray
    import torch
    from transformers.utils.logging import disable_progress_bar

    import reasoning.training.fine_tuning  # noqa: F401  (seconds, which a worker that comes up early has)
    from reasoning.files.tables import TableError, read_table
    from reasoning.student.checkpoint import load_student
    from reasoning.student.requirements import StudentError
    from reasoning.training.report import TrainingError

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    disable_progress_bar()
    job: TrainingJob = config["job"]
    identity: str | None = config["identity"]
    try:
        held = torch.bfloat16 if job.training.precision == "bfloat16" else torch.float32
        student = load_student(student_here(job.checkpoint_in), held, grow=job.grow)
        if identity is None:
            assert job.reporter is not None
            ray.get(cast("ray.ObjectRef[None]", job.reporter.told_to_train.remote(job.run_name)))
            identity = job.identity()
            if job.report(identity) is not None:
                return None  # it is done, since an earlier start of the run
        examples = read_table(file_here(job.examples), Example)
        problem = None
    except (StudentError, TableError) as error:
        problem = str(error)
    problem = _first_problem(problem)
    if problem is not None or identity is None:
        return problem
    try:
        _train(job, identity, student, examples)
    except TrainingError as error:  # every worker has the same, at the same step
        return f"{error}\n{last_lines(traceback.format_exc())}"
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
    from reasoning.training.fine_tuning import fine_tune
    from reasoning.training.report import TrainingError

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
            save_student(student.model, student.tokenizer, job.epoch(run.passes).student)
            hand_over(_epoch_place(job.epochs_out, run.passes, "student"))
        if run.passes < job.training.epochs:  # what follows the last is the student itself
            save_state(run)

    def save_state(run: FineTuning) -> None:
        with TemporaryDirectory() as folder:
            checkpoint = None
            if rank == 0:
                run.save(Path(folder) / STATE_FILE)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"passes": run.passes, "steps": run.steps_of_pass}, checkpoint=checkpoint)

    def learn(resume: Path | None) -> FineTuneReport:
        return fine_tune(
            student.model, student.tokenizer, examples, job.training, job.objective, job.seed, rank=rank,
            world_size=world_size, dtype=job.dtype, on_step=send, on_pass=keep, due=CheckpointDue(rank),
            on_due=save_state, resume=resume, frame=job.frame,
        )  # fmt: skip

    unsaved = landing(job.storage) / f"{job.run_name}.{identity[:16]}.unsaved.pt"
    last = ray.train.get_checkpoint()
    if unsaved.is_file():
        report = learn(unsaved)
    elif last is None:
        report = learn(None)
    else:
        with last.as_directory() as folder:
            report = learn(Path(folder) / STATE_FILE)
    if rank == 0:
        documents = {REPORT_FILE: report.to_json(identity)}
        try:
            save_student(student.model.cpu(), student.tokenizer, landing(job.checkpoint_out), documents)
        except SAVE_ERRORS as error:
            raise TrainingError(_not_saved(job, error, unsaved, taught)) from error
        unsaved.unlink(missing_ok=True)
        if job.probe is not None:
            student_folder, probe = str(landing(job.checkpoint_out)), job.probe
            save_probe(make_probe(student_folder, probe.version, probe.prompts), landing(probe.file))
            hand_over(probe.file)
            _probe_epochs(job, job.probe)
        hand_over(job.checkpoint_out)  # last: with it the job is done


class CheckpointDue:
    """Says when a checkpoint between two passes is worth its time: every ten minutes, and once when this worker's node
    is about to leave (`ray drain-node`, a notice of preemption)."""

    def __init__(
        self,
        rank: int,
        leaving: Callable[[], bool] = this_node_leaves,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rank, self._leaving, self._clock = rank, leaving, clock
        self._saved = self._looked = clock()
        self._told = False

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._looked < LEAVING_LOOK_S:
            return False
        self._looked = now
        if not self._told and self._leaving():
            self._told = True
            return True
        if self._rank == 0 and now - self._saved > CHECKPOINT_S:
            self._saved = now
            return True
        return False


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


def _epoch_place(epochs_out: str, epoch: int, name: str) -> str:
    return below(epochs_out, RoundFiles(Path()).after(epoch).folder.name, name)


def epoch_version(version: str, epoch: int) -> str:
    """The name of the weights after `epoch` (from 1) of the training that ends in `version`."""
    return f"{version}/epoch-{epoch:02d}"


def _probe_epochs(job: TrainingJob, order: ProbeOrder) -> None:
    """After the training, when its memory is free again."""
    from reasoning.student.probe import make_probe, save_probe

    if job.epochs_out is None:
        return
    for epoch in range(1, job.training.epochs + 1):
        source = student_here(_epoch_place(job.epochs_out, epoch, "student"))
        save_probe(make_probe(source, epoch_version(order.version, epoch), order.prompts), job.epoch(epoch).probe)
        hand_over(_epoch_place(job.epochs_out, epoch, "probe.json"))


def last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:])
