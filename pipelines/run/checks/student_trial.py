"""Whether a student can be loaded, taught, saved and loaded again, tried before a teacher is asked.

Owns: the trial. It goes through the code that the trainer uses, with the student's own configuration, tokenizer and
opinion on decoding, at its first layers and with random weights: seconds, whatever the student's size. Its own weights
are read too where they are on this machine, all of them or, of a large student, those of the first layers: so one that
is missing, or no number, is known.

Invariants
- Nothing is started or fetched but a hub student's small files, and nothing is left behind.
- A process that holds no torch is left without it: the trial then has a process of its own.
- A student that cannot be tried (too wide for this machine at two layers) is not refused for that, and it is said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.config import folder_of, weights_files

if TYPE_CHECKING:
    from reasoning.student.checkpoint import Student

QUESTION = "Question: What is 1 + 1?\n"
WHOLE_PARAMETERS = 1_200_000_000  # of a student whose weights are all read: seconds, and five gigabytes in float32
EXAMPLE = Example("trial", QUESTION, ("1 + 1 = 2. Answer: 2", "It is 2.\nAnswer: 2"), ("1 + 1 = 3. Answer: 3",))
_MARK = re.compile(r"<.*>|\[.*\]|")
# Weights that compute, and not the masks that old files of the GPT family keep (`attn.bias`); heads of other trainings,
# on which vLLM does not start.
_COMPUTES = re.compile(
    r"(?:v_head|score)\.|"
    r"(?:model|transformer|gpt_neox)\.(?:layers|h|blocks)\.(\d+)\..*(?<!attn)(?<!attention)\.(?:weight|bias)$"
)
EXAMPLE_TOKENS = 64  # more than it has by any tokenizer
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


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: what is `wrong` and its `cure`, or a `note` of what could not be tried or looks odd."""

    wrong: str = ""
    cure: str = ""
    note: str = ""


def try_student(source: str, training: TrainingSection, objective: ObjectiveSection, *, grow: bool = False) -> str:
    """Loads, teaches, saves and reloads a small copy of the student at `source`; `grow` as in `load_student`. Returns
    a note of what could not be tried or looks odd, "" for nothing. Raises `TrialFailed`."""
    folder = folder_of(source)
    files = sorted(file for file in folder.iterdir() if file.exists()) if folder is not None else []
    written = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    outcome = _tried(source, written, training.model_dump_json(), objective.model_dump_json(), "grow" if grow else "")
    if outcome.wrong:
        raise TrialFailed(outcome.wrong, outcome.cure)
    return outcome.note


@lru_cache(maxsize=16)
def _tried(source: str, written: object, training: str, objective: str, grow: str) -> Outcome:
    """Remembered as long as the files are the same (`written`)."""
    if "torch" in sys.modules:
        return tried_here(source, training, objective, grow)
    done = subprocess.run(
        [sys.executable, "-m", __name__, source, training, objective, grow],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
        cure = "Try a smaller student, or one of another family (docs/students.md lists those that were tried)"
        return Outcome(f"{source}: the process that tried to teach it ended: {last.rstrip('.')}", cure)
    return Outcome(**json.loads(done.stdout.strip().splitlines()[-1]))


def tried_here(source: str, training: str, objective: str, grow: str = "") -> Outcome:
    """As `try_student`, in this process; sections as JSON, `grow` as any text."""
    from transformers.utils import logging

    from reasoning.student.requirements import StudentError

    shown, told = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what is wrong is told once, in a sentence
    sections = TrainingSection.model_validate_json(training), ObjectiveSection.model_validate_json(objective)
    try:
        with TemporaryDirectory() as folder:
            return Outcome(note=_try(source, Path(folder), *sections, grow=bool(grow)))
    except TrialFailed as error:
        return Outcome(error.what, error.cure)
    except StudentError as error:
        what, _, cure = str(error).rpartition(". ")
        return Outcome(what, cure) if what else Outcome(cure, "Correct that in its folder")
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()


def _try(source: str, folder: Path, training: TrainingSection, objective: ObjectiveSection, *, grow: bool) -> str:
    from reasoning.student.loading import load_config, load_tokenizer
    from reasoning.student.requirements import readable, reading_fault, require_decoder, require_rows, require_tokens
    from reasoning.student.small_copy import MOST_PARAMETERS, small_copies

    with readable(source):
        config, tokenizer = load_config(source), load_tokenizer(source)
    notes = [reading_fault(source, tokenizer)]
    require_tokens(source, config, tokenizer)
    require_decoder(source, tokenizer)
    rows = getattr(config.get_text_config(decoder=True), "vocab_size", None)
    if isinstance(rows, int) and not grow:
        require_rows(source, rows, tokenizer)
    size = _size(source, config)
    _look_for_targets(source, config, training)
    _read_weights(source, config, size)
    failure: TrialFailed | None = None
    for copy in small_copies(config):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            ends = _teach(source, copy, tokenizer, folder, training, objective)
            return ". ".join(filter(None, [*notes, _odd_ends(source, ends, tokenizer)]))
        except TrialFailed as error:
            failure = error
    if failure is not None:
        raise failure
    notes.insert(
        0,
        f"{source} ({size / 1e9:.2g} billion parameters) was not taught in small beforehand: two layers of it have "
        f"more than {MOST_PARAMETERS / 1e6:.0f} million, at every width that they can be cut to",
    )
    return ". ".join(filter(None, notes))


def _odd_ends(source: str, ends: set[int], tokenizer: Any) -> str:
    """What is said of `ends` that are words or parts of them; "" where all are marks."""
    from reasoning.prompts.encoding import special_tokens

    known = {*special_tokens(tokenizer), *getattr(tokenizer, "added_tokens_decoder", {})}
    inside = [end for end in sorted(ends - known) if 0 <= end < len(tokenizer)]
    odd = [text for end in inside if not _MARK.fullmatch(text := tokenizer.decode([end]).strip())]
    if not odd:
        return ""
    return (
        f"{source}: its generation_config.json, or without one its config.json, ends an answer at {odd[0]!r} "
        f"(eos_token_id), which is a token of plain text: answers would be cut there. Its tokenizer's end is "
        f"{tokenizer.eos_token}"
    )


def _size(source: str, config: Any) -> int:
    """How many parameters the student has. Raises `TrialFailed` when no model can be made of its configuration."""
    from reasoning.student.small_copy import parameters

    try:
        return parameters(config)
    except Exception as error:  # whatever a model's class makes of odd values
        what = f"{source}: a {config.model_type} cannot be made as its config.json says: {_said(error)}"
        raise TrialFailed(what, "Correct that value there, or fetch the file again") from error


def _look_for_targets(source: str, config: Any, training: TrainingSection) -> None:
    """Layers that are to get an adapter, in the whole student. Raises `TrialFailed`."""
    from reasoning.student.small_copy import bare_model
    from reasoning.training.weights.adding import AdapterRefused, require_targets

    if training.lora is None or training.lora.targets is None:
        return
    try:
        require_targets(bare_model(config), training.lora)
    except AdapterRefused as error:
        what, _, cure = str(error).partition(". ")
        raise TrialFailed(f"{source}: {what}", cure) from error


def _targets_of(student: Student, training: TrainingSection) -> TrainingSection:
    """`training` of those layers alone that a small copy has, too; of all, where it has none of them."""
    from reasoning.training.weights.adding import unknown_targets

    if training.lora is None or training.lora.targets is None:
        return training
    names = [name for name, _ in student.model.named_modules()]
    left = {*training.lora.targets} - {*unknown_targets(training.lora.targets, names)}
    return training.model_copy(update={"lora": training.lora.model_copy(update={"targets": tuple(left) or None})})


def _read_weights(source: str, config: Any, size: int) -> None:
    """The student's own weights, where they are on this machine: all, or as far as its first layers go."""
    from reasoning.student.loading import load_model
    from reasoning.student.requirements import (
        readable,
        require_a_place,
        require_all_weights,
        require_numbers,
        require_tied_as_told,
    )
    from reasoning.student.small_copy import WIDE_PARAMETERS, first_layers, parameters

    folder = folder_of(source)
    names = weights_files(folder) if folder is not None else []
    if folder is None or not names or not all((folder / name).is_file() for name in names):
        return
    try:
        part = config if size <= WHOLE_PARAMETERS else first_layers(config)
        if part is not config and parameters(part) > 4 * WIDE_PARAMETERS:
            return
    except _FAILURES:
        return
    with readable(source):
        model, missing, unused = load_model(source, part, "auto")
    require_all_weights(source, missing)
    require_a_place(source, _left_out(folder, unused, model))
    require_tied_as_told(source, model)
    require_numbers(source, model)


def _left_out(folder: Path, unused: list[str], model: Any) -> list[str]:
    """Those of the `unused` weights that are heads or of the layers of `model`, and not biases of zero."""
    from safetensors import safe_open

    there = {None, *(found[1] for found in map(_COMPUTES.match, model.state_dict()) if found)}
    names = {name for name in unused if (found := _COMPUTES.match(name)) and found[1] in there}
    counted = set()
    for file in weights_files(folder) if names else ():
        with safe_open(folder / file, framework="pt") as weights:
            counted |= {name for name in names & {*weights.keys()} if bool(weights.get_tensor(name).any())}
    return sorted(counted)


def _teach(
    source: str, config: Any, tokenizer: Any, folder: Path, training: TrainingSection, objective: ObjectiveSection
) -> set[int]:
    """Returns the tokens that end an answer."""
    from reasoning.student.checkpoint import (
        Student,
        add_missing_pad_token,
        load_student,
        save_student,
    )
    from reasoning.student.loading import new_model
    from reasoning.student.probe import end_tokens
    from reasoning.student.requirements import StudentError

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
    try:
        ahead = not student.is_encoder_decoder and _looks_ahead(student)
    except _FAILURES as error:
        raise TrialFailed(f"{source}: a {kind} cannot be asked here: {_said(error)}", cure) from error
    if ahead:
        what = f"{source}: by its config.json this {kind} is an encoder: what it says of a token depends on later ones"
        raise TrialFailed(what, "Take a decoder, which is trained to continue a text")
    _one_step(source, student, training, objective)
    try:
        save_student(student.model, student.tokenizer, folder / "taught")
        again = load_student(str(folder / "taught"), student.model.dtype)
    except _FAILURES as error:
        raise TrialFailed(
            f"{source}: a taught {kind} cannot be saved and loaded again: {_said(error)}", cure
        ) from error
    _sample(source, again, folder / "taught")
    lost = _changed(student, again)
    if lost:
        what = f"{source}: saving a taught {kind} changes {len(lost)} of its weights ({', '.join(lost[:3])})"
        raise TrialFailed(what, cure)
    return end_tokens(student.model)


def _looks_ahead(student: Student) -> bool:
    """Whether a later token changes what is said of an earlier one: the mark of an encoder (BERT), whose loss falls to
    nothing and which can write nothing."""
    import torch

    model = student.model.eval()
    ids_2T = torch.arange(1, 17).repeat(2, 1) % model.get_input_embeddings().weight.shape[0]
    ids_2T[1, -1] = 0
    with torch.inference_mode():
        logits_2TV = model(input_ids=ids_2T, use_cache=False).logits[:, :-1].float()
    spread = float(logits_2TV.std())
    return float((logits_2TV[0] - logits_2TV[1]).abs().max()) > 1e-4 * spread


def _copy_decoding(source: str, folder: Path) -> None:
    """The student's own generation_config.json, whatever it holds."""
    from transformers.utils.hub import cached_file

    found = cached_file(source, "generation_config.json", _raise_exceptions_for_missing_entries=False)
    if found is not None:
        shutil.copy(found, folder / "generation_config.json")


def _one_step(source: str, student: Student, training: TrainingSection, objective: ObjectiveSection) -> None:
    """Two steps of the training, on one question with two rationales and a mistake."""
    from reasoning.training.fine_tuning import fine_tune
    from reasoning.training.report import TrainingError

    changed = {"batch_size": 1, "epochs": 1, "warmup_steps": 0, "learning_rate": 1e-4, "optimizer": "adamw"}  # a CPU's
    once = _targets_of(student, training).model_copy(
        update=changed | {"max_tokens": max(training.max_tokens, EXAMPLE_TOKENS)}
    )
    try:
        fine_tune(student.model, student.tokenizer, [EXAMPLE], once, objective, 0, dtype="float32")
    except TrainingError as error:
        if "not a number" in str(error):  # at random weights and a small rate, so of its own doing
            what = f"{source}: with random weights its outputs are not finite numbers"
            raise TrialFailed(what, "Look in its config.json for a value that is NaN, zero or far too large") from error
        what, _, cure = str(error).rpartition(": ")
        raise TrialFailed(f"{source}: {what or cure}", cure[:1].upper() + cure[1:]) from error
    except _FAILURES as error:
        kind = student.model.config.model_type
        cure = "Take a student of another family (docs/students.md lists those that were tried)"
        raise TrialFailed(f"{source}: a {kind} cannot be taught here: {_said(error)}", cure) from error


def _sample(source: str, student: Student, folder: Path) -> None:
    """The proof that a sampler gives of its weights, given by the small copy, and answers after it."""
    from reasoning.student.generation import Generator
    from reasoning.student.probe import make_probe
    from reasoning.student.sampling import Sampling

    kind, cure = student.model.config.model_type, "Take a student of another family (docs/students.md)"
    try:
        generator, prompts = Generator(student), [QUESTION, QUESTION * 2]
        report = generator.prove(make_probe(str(folder), "trial", prompts, new_tokens=4))
        for samples in (2, 3):
            generator.answer(prompts, Sampling(samples=samples, temperature=1.0, max_new_tokens=4, seed=0))
    except _FAILURES as error:
        raise TrialFailed(f"{source}: a {kind} cannot be sampled here: {_said(error)}", cure) from error
    if not report.ok:
        raise TrialFailed(f"{source}: a {kind} does not answer in a batch as it does alone: {report.reason}", cure)


def _changed(student: Student, again: Student) -> list[str]:
    """Names of weights that are not in `again` as they are in `student`."""
    import torch

    from reasoning.training.weights.merging import merged_weights

    after = again.model.state_dict()
    return [
        name
        for name, weight in merged_weights(student.model).items()
        if name not in after or not torch.equal(weight, after[name])
    ]


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200].rstrip('.')}" if text else type(error).__name__


if __name__ == "__main__":
    print("\n" + json.dumps(asdict(tried_here(*sys.argv[1:]))))
