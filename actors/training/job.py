"""One round's training as a job: what it asks for, and the program that each of Ray Train's workers runs.

Owns: the job, its identity, the report that marks it as done; loading, teaching and saving in a worker.

Invariants
- An error of the training itself (no example fits, a diverged loss, an unreadable student) is told, not raised: a retry
  would not cure it.
- Workers may come up before their examples are there (`TrainingJob` without an identity yet): they read none until they
  are told that the table is whole.
- The loss of a machine costs at most the time between two checkpoints (`checkpoint_s`), and less where its leaving is
  announced. Checkpoints are written by all workers, while the training goes on, and read by as many as there then are.
- A student that was taught and cannot be saved (a full disk) is not taught again: its weights are kept beside Ray
  Train's folder, and the same job saves them.

torch stays in Ray Train's workers: importing this module is light.
"""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from actors.ray_api.handles import RemoteMethod
from actors.ray_api.machines.capacity import Need
from actors.ray_api.machines.needs import TRAINER_PART
from actors.storage.places import file_here, hand_over, landing, read_in_folder, student_here
from actors.training.epochs import EpochStudents, ProbeOrder
from actors.training.ranks import first_problem
from actors.training.regrouping import Group, Regroups, group_of
from actors.training.states import CheckpointDue, StatesInRay
from reasoning.prompts.frame import Frame
from reasoning.recipe.engine import Dtype
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, ScoredAttempt, stable_id
from reasoning.training.report import FineTuneReport, LossPoint

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

    from reasoning.student.checkpoint import Student
    from reasoning.training.fine_tuning import FineTuning
    from reasoning.training.weights.merging import SavedWeights

REPORT_FILE = "fine_tuning.json"
LOG_LINES = 30
SAVE_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)  # whatever a library raises


class ReporterHandle(Protocol):
    """The handle of the actor that is sent a training's losses, and what the trainer waits for. `told_to_train` returns
    when the examples of the job of this run name are there."""

    training_point: RemoteMethod[[LossPoint], None]
    waiting: RemoteMethod[[str, str], None]
    told_to_train: RemoteMethod[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One round's training. Files and folders are absolute paths that every node sees, or addresses.

    `frame`: that of the form which the examples are written in. `grow`: whether tokens without an embedding get one.

    `epochs_out`: a folder (see `RoundFiles.epochs`) where every epoch's student and its probe are wanted too;
    `examined_meanwhile`: whether they are examined while the training goes on, and go when others are better.

    `run_name` names the round (unique to it) below `storage`, Ray Train's own folder; `checkpoint_in` is a folder or a
    hub id, `checkpoint_out` the folder to write; `examples` is a table of `Example`s. `workers` take `cpus` and `gpus`
    each, on nodes with these `labels`; as few as `fewest` may train (None: all do). `checkpoint_s`: after so many
    seconds the state is kept within a pass. `reporter` is sent every step's losses, unawaited. `scores`: a table of
    `ScoredAttempt`s, where what a teacher's logits say is learnt from. `beside`: places that are held for the workers
    already, one each, beside samplers that sleep."""

    run_name: str
    storage: str
    checkpoint_in: str
    examples: str
    checkpoint_out: str
    training: TrainingSection
    objective: ObjectiveSection
    seed: int
    workers: int = 1
    fewest: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    dtype: Dtype = "auto"
    reporter: ReporterHandle | None = None
    probe: ProbeOrder | None = None
    epochs_out: str | None = None
    examined_meanwhile: bool = False
    frame: Frame | None = None
    grow: bool = False
    checkpoint_s: float = 600.0
    scores: str | None = None
    beside: PlacementGroup | None = None

    def identity(self) -> str:
        """What the job's student depends on: a hash of settings, checkpoint and the content of the examples."""
        content = hashlib.blake2b(file_here(self.examples).read_bytes(), digest_size=16).hexdigest()
        sections = [self.training.identity(), self.objective.model_dump(mode="json")]
        framed = self.frame.identity if self.frame is not None else ()
        grown = ("grow",) if self.grow else ()
        scored = [file_here(self.scores).read_bytes()] if self.scores is not None else []
        scores = [hashlib.blake2b(one, digest_size=16).hexdigest() for one in scored]
        return stable_id(sections, self.seed, self.dtype, self.checkpoint_in, content, *framed, *grown, *scores)

    def report(self, identity: str) -> FineTuneReport | None:
        """What the job with `identity` reported; None before its student is there."""
        return FineTuneReport.from_json(read_in_folder(self.checkpoint_out, REPORT_FILE), identity)

    def made_here(self, identity: str) -> bool:
        """Whether this node's disk has the student of the job with `identity`."""
        made = read_in_folder(str(landing(self.checkpoint_out)), REPORT_FILE)
        return FineTuneReport.from_json(made, identity) is not None

    def hand_over(self) -> None:
        """Stores what was made on this node and not handed over. Raises `StorageError`."""
        made = [self.probe.file] if self.probe is not None else []  # epochs are handed over before it is saved
        for place in (*made, self.checkpoint_out):  # the student last: with it the job is done
            if landing(place).exists():
                hand_over(place)

    @property
    def epoch_students(self) -> EpochStudents | None:
        """The students after its epochs, where they are wanted."""
        if self.epochs_out is None:
            return None
        return EpochStudents(self.epochs_out, self.training, self.probe, meanwhile=self.examined_meanwhile)


def need_of(job: TrainingJob) -> Need:
    """What the job's workers take, of their places where those are held for them."""
    gpus = job.gpus if job.beside is None else TRAINER_PART
    return Need("trainer", job.workers, {"CPU": job.cpus} | ({"GPU": gpus} if gpus else {}), job.labels)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended: the student is there, or an error that a retry would not cure, as text, or the training is to
    go on with other workers."""

    problem: str | None = None
    regroups: bool = False


def worker(config: dict[str, Any]) -> Ended:
    """What every Ray Train worker runs. A job without an `identity` is not to begin yet."""
    from transformers.utils.logging import disable_progress_bar

    import reasoning.training.fine_tuning  # noqa: F401  (seconds, which a worker that comes up early has)

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    disable_progress_bar()
    job: TrainingJob = config["job"]
    identity: str | None = config["identity"]
    with group_of(need_of(job), job.fewest) as group:
        return _work(job, identity, group)


def _work(job: TrainingJob, identity: str | None, group: Group) -> Ended:
    import ray
    import torch

    from reasoning.files.tables import TableError, read_table
    from reasoning.student.checkpoint import load_student
    from reasoning.student.requirements import StudentError
    from reasoning.training.report import TrainingError

    early = identity is None
    try:
        held = torch.bfloat16 if job.training.precision == "bfloat16" else torch.float32
        student = load_student(student_here(job.checkpoint_in), held, grow=job.grow)
        if identity is None:
            assert job.reporter is not None
            ray.get(cast("ray.ObjectRef[None]", job.reporter.told_to_train.remote(job.run_name)))
            identity = job.identity()
            if job.report(identity) is not None:
                return Ended()  # it is done, since an earlier start of the run
        examples = read_table(file_here(job.examples), Example)
        scored = read_table(file_here(job.scores), ScoredAttempt) if job.scores is not None else []
        problem = None
    except (StudentError, TableError) as error:
        problem = str(error)
    problem = first_problem(problem)
    if problem is not None or identity is None:
        return Ended(problem)
    if early and group.regroups():
        return Ended(regroups=True)
    try:
        _train(job, identity, student, examples, scored, group)
    except Regroups:
        return Ended(regroups=True)
    except TrainingError as error:  # every worker has the same, at the same step
        return Ended(f"{error}\n{last_lines(traceback.format_exc())}")
    return Ended()


def _train(
    job: TrainingJob,
    identity: str,
    student: Student,
    examples: list[Example],
    scored: list[ScoredAttempt],
    group: Group,
) -> None:
    import ray.train.torch
    import torch

    from reasoning.student.checkpoint import save_student
    from reasoning.student.probe import make_probe, save_probe
    from reasoning.training.distributed.sharding import whole_weights
    from reasoning.training.fine_tuning import fine_tune
    from reasoning.training.report import TrainingError

    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(max(1, math.ceil(job.cpus)))
    divided = job.training.sharding == "fsdp" and world_size > 1

    def send(point: LossPoint) -> None:
        if rank == 0 and job.reporter is not None:
            job.reporter.training_point.remote(point)

    def whole() -> SavedWeights | None:
        """The weights of a divided student, for the first worker, that saves it; every worker gives its own."""
        return whole_weights(student.model, keep=rank == 0) if divided else None

    taught: list[FineTuning] = []
    states = StatesInRay()

    epochs = job.epoch_students

    def keep(run: FineTuning) -> None:
        taught[:] = [run]
        if epochs is not None:
            epochs.keep(run.passes, student, rank, whole)
        if run.passes < job.training.epochs:  # what follows the last is the student itself
            states.save(run)

    def keep_within(run: FineTuning) -> None:
        states.save(run)
        if group.regroups():
            states.wait()
            raise Regroups

    unsaved = landing(job.storage) / f"{job.run_name}.{identity[:16]}.unsaved"
    with states.last(unsaved) as resume:
        report = fine_tune(
            student.model, student.tokenizer, examples, job.training, job.objective, job.seed, rank=rank,
            world_size=world_size, dtype=job.dtype, on_step=send, on_pass=keep,
            due=CheckpointDue(rank, job.checkpoint_s), on_due=keep_within, resume=resume, frame=job.frame,
            device=device, scored=scored,
        )  # fmt: skip
    states.wait()
    problem, weights = None, whole()
    if rank == 0:
        documents = {REPORT_FILE: report.to_json(identity)}
        model = student.model if divided else student.model.cpu()
        try:
            save_student(model, student.tokenizer, landing(job.checkpoint_out), documents, weights)
        except SAVE_ERRORS as error:
            problem = f"{type(error).__name__}: {error}"
    problem = first_problem(problem)
    if problem is not None:
        raise TrainingError(_not_saved(job, problem, unsaved, taught))
    if rank == 0:
        shutil.rmtree(unsaved, ignore_errors=True)
        if job.probe is not None:
            student_folder, probe = str(landing(job.checkpoint_out)), job.probe
            save_probe(make_probe(student_folder, probe.version, probe.prompts), landing(probe.file))
            hand_over(probe.file)
        hand_over(job.checkpoint_out)  # last: with it the job is done


def _not_saved(job: TrainingJob, problem: str, unsaved: Path, taught: list[FineTuning]) -> str:
    """Keeps what was learnt in `unsaved`, if that can be, and says what happened and what to do."""
    what = f"the student is taught, but could not be saved to {job.checkpoint_out}: {problem}"
    if not taught:  # it was read from there
        return f"{what}. Correct that (a full disk: free some space) and start again; its weights are in {unsaved}"
    try:
        taught[0].save(unsaved)
    except SAVE_ERRORS as again:
        return f"{what}. Nor could its weights be kept ({again}). Free some space and start again"
    return (
        f"{what}. Correct that (a full disk: free some space) and start again: nothing is taught twice, see {unsaved}"
    )


def last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:])
