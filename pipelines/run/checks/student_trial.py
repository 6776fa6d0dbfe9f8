"""Whether a student can be loaded, taught, saved and loaded again, tried before a teacher is asked.

Owns: the trial. It goes through the code that the trainer uses, with the student's own configuration, tokenizer and
opinion on decoding, at its first layers and with random weights: seconds, whatever the student's size. Of a local
folder the first layers' own weights are read too, so that one that is missing is known.

Invariants
- Nothing is started or fetched but a hub student's small files, and nothing is left behind.
- A process that holds no torch is left without it: the trial then has a process of its own.
- A student that cannot be tried (too wide for this machine at two layers) is not refused for that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student

QUESTION = "Question: What is 1 + 1?\n"
EXAMPLE = Example("trial", QUESTION, ("1 + 1 = 2. Answer: 2", "It is 2.\nAnswer: 2"), ("1 + 1 = 3. Answer: 3",))
_FAILURES = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, NotImplementedError),
    *(AssertionError, ImportError, ZeroDivisionError),
)


class TrialFailed(ValueError):
    """A student that cannot be taught here: `what` is wrong and what cures it."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}. {cure}")
        self.what = what
        self.cure = cure


def try_student(source: str, training: TrainingSection, objective: ObjectiveSection) -> None:
    """Loads, teaches, saves and reloads a small copy of the student at `source`. Raises `TrialFailed`."""
    folder = Path(source).expanduser()
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    written = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    failure = _tried(source, written, training.model_dump_json(), objective.model_dump_json())
    if failure is not None:
        raise TrialFailed(*failure)


@lru_cache(maxsize=16)
def _tried(source: str, written: object, training: str, objective: str) -> tuple[str, str] | None:
    """What is wrong, and the cure; remembered as long as the files are the same (`written`)."""
    if "torch" in sys.modules:
        return tried_here(source, training, objective)
    done = subprocess.run(
        [sys.executable, "-m", __name__, source, training, objective],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
        cure = "Try a smaller student, or one of another family (docs/students.md lists those that were tried)"
        return f"{source}: the process that tried to teach it ended: {last.rstrip('.')}", cure
    found: list[str] | None = json.loads(done.stdout.strip().splitlines()[-1])
    return (found[0], found[1]) if found is not None else None


def tried_here(source: str, training: str, objective: str) -> tuple[str, str] | None:
    """As `try_student`, in this process; sections as JSON. What is wrong and the cure, or None."""
    from transformers.utils import logging

    from reasoning.student.checkpoint import StudentError

    shown, told = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what is wrong is told once, in a sentence
    sections = TrainingSection.model_validate_json(training), ObjectiveSection.model_validate_json(objective)
    try:
        with TemporaryDirectory() as folder:
            _try(source, Path(folder), *sections)
    except TrialFailed as error:
        return error.what, error.cure
    except StudentError as error:
        what, _, cure = str(error).rpartition(". ")
        return (what, cure) if what else (cure, "Correct that in its folder")
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()
    return None


def _try(source: str, folder: Path, training: TrainingSection, objective: ObjectiveSection) -> None:
    from reasoning.student.checkpoint import readable, require_rows, require_tokens
    from reasoning.student.loading import load_config, load_tokenizer
    from reasoning.student.small_copy import small_copies

    with readable(source):
        config, tokenizer = load_config(source), load_tokenizer(source)
    require_tokens(source, config, tokenizer)
    if isinstance(rows := getattr(config.get_text_config(decoder=True), "vocab_size", None), int):
        require_rows(source, rows, tokenizer)
    if Path(source).expanduser().is_dir():
        _read_first_layers(source, config)
    failure: TrialFailed | None = None
    for copy in small_copies(config):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _teach(source, copy, tokenizer, folder, training, objective)
            return
        except TrialFailed as error:
            failure = error
    if failure is not None:
        raise failure


def _read_first_layers(source: str, config: Any) -> None:
    """The student's own weights, as far as its first layers go."""
    from reasoning.student.checkpoint import readable, require_all_weights
    from reasoning.student.loading import load_model
    from reasoning.student.small_copy import WIDE_PARAMETERS, first_layers, parameters

    try:
        short = first_layers(config)
        if parameters(short) > 4 * WIDE_PARAMETERS:
            return
    except _FAILURES:
        return
    with readable(source):
        _, missing = load_model(source, short, "auto")
    require_all_weights(source, missing)


def _teach(
    source: str, config: Any, tokenizer: Any, folder: Path, training: TrainingSection, objective: ObjectiveSection
) -> None:
    from reasoning.student.checkpoint import (
        Student,
        StudentError,
        add_missing_pad_token,
        load_student,
        save_student,
    )
    from reasoning.student.loading import new_model

    kind = config.model_type
    cure = "Take a student of another family (docs/students.md lists those that were tried)"
    try:
        made = Student(new_model(config), tokenizer)
        add_missing_pad_token(made.model, made.tokenizer)  # as loading does
        save_student(made.model, made.tokenizer, folder / "new")
    except _FAILURES as error:
        raise TrialFailed(f"{source}: a {kind} cannot be made and saved here: {_said(error)}", cure) from error
    _copy_decoding(source, folder / "new")
    try:
        student = load_student(str(folder / "new"))
    except StudentError as error:
        raise StudentError(str(error).replace(str(folder / "new"), source)) from error
    _one_step(source, student, training, objective)
    try:
        save_student(student.model, student.tokenizer, folder / "taught")
        again = load_student(str(folder / "taught"))
    except _FAILURES as error:
        raise TrialFailed(
            f"{source}: a taught {kind} cannot be saved and loaded again: {_said(error)}", cure
        ) from error
    _sample(source, again, folder / "taught")
    lost = _changed(student, again)
    if lost:
        what = f"{source}: of a taught {kind}, {len(lost)} weights ({', '.join(lost[:3])}) are not saved as they are"
        raise TrialFailed(what, cure)


def _copy_decoding(source: str, folder: Path) -> None:
    """The student's own generation_config.json, whatever it holds."""
    from transformers.utils.hub import cached_file

    found = cached_file(source, "generation_config.json", _raise_exceptions_for_missing_entries=False)
    if found is not None:
        shutil.copy(found, folder / "generation_config.json")


def _one_step(source: str, student: Student, training: TrainingSection, objective: ObjectiveSection) -> None:
    """Two steps of the training, on one question with two rationales and a mistake."""
    from reasoning.training.fine_tuning import TrainingError, fine_tune

    once = training.model_copy(update={"batch_size": 1, "epochs": 1, "warmup_steps": 0, "learning_rate": 1e-4})
    try:
        fine_tune(student.model, student.tokenizer, [EXAMPLE], once, objective, 0, dtype="float32")
    except TrainingError as error:
        what, _, cure = str(error).rpartition(": ")
        raise TrialFailed(f"{source}: {what or cure}", cure[:1].upper() + cure[1:]) from error
    except _FAILURES as error:
        kind = student.model.config.model_type
        cure = "Take a student of another family (docs/students.md lists those that were tried)"
        raise TrialFailed(f"{source}: a {kind} cannot be taught here: {_said(error)}", cure) from error


def _sample(source: str, student: Student, folder: Path) -> None:
    """The proof that a sampler gives of its weights, given by the small copy."""
    from reasoning.student.generation import Generator
    from reasoning.student.probe import make_probe

    kind, cure = student.model.config.model_type, "Take a student of another family (docs/students.md)"
    try:
        report = Generator(student).prove(make_probe(str(folder), "trial", [QUESTION, QUESTION * 2], new_tokens=4))
    except _FAILURES as error:
        raise TrialFailed(f"{source}: a {kind} cannot be sampled here: {_said(error)}", cure) from error
    if not report.ok:
        raise TrialFailed(f"{source}: a {kind} does not answer in a batch as it does alone: {report.reason}", cure)


def _changed(student: Student, again: Student) -> list[str]:
    """Names of weights that are not in `again` as they are in `student`."""
    import torch

    after = again.model.state_dict()
    return [
        name
        for name, weight in student.model.state_dict().items()
        if name not in after or not torch.equal(weight, after[name])
    ]


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200].rstrip('.')}" if text else type(error).__name__


if __name__ == "__main__":
    print("\n" + json.dumps(tried_here(*sys.argv[1:])))
