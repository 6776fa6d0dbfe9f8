"""A run's student, its adapter and its rationales as folders, for the Hugging Face Hub or for PEFT.

Owns: what lies in the folders, and the facts on the cards. The words are in `cards/`; the pushing is `hub`.

Invariants
- A card states what the run's directory shows, with intervals, and says what is not known: a licence that nobody stated
  is not made up.
- No address of a teacher or of storage, and no path of this machine, is on a card.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from pipelines.errors import Refused
from pipelines.exchange.asking import ask_as_learnt, asking_of
from pipelines.exchange.run_records import RunRecords
from pipelines.serving.adapters import adapters_of_rounds
from pipelines.serving.graduate import graduate_of
from reasoning.files.durable import new_file
from reasoning.files.resources import resource
from reasoning.files.tables import write_table
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.recipe.student import EMBEDDED_STUDENT, StudentSection
from reasoning.recipe.tailored import Recipe
from reasoning.records import Problem
from reasoning.rounds.ladder.rationalization import was_shown_answer
from reasoning.rounds.phase_order import best_round, evaluations
from reasoning.student.config import folder_of
from reasoning.training.weights.combining import AdapterError, combine
from reasoning.training.weights.merging import ADAPTER_FOLDER

_OURS = ("fine_tuning.json", ADAPTER_FOLDER)  # of a checkpoint, what only a run needs
EMBEDDED_LICENCE = "apache-2.0"
_LICENCE = ("license", "license_name", "license_link")  # of a model card
_CACHED = re.compile(r"/models--([^/]+)/snapshots/[^/]+/?$")  # a student's folder in the hub's cache
ANSWER_SHOWN = "rationalized"  # where a run has the student's own words, the right answer shown


@dataclass(frozen=True, slots=True)
class PublishedRationale:
    """A row of the dataset. `mistake` is the student's own wrong text that the teacher was shown ("" for none); `kept`:
    the rationale's answer is the gold one, and it was learnt from."""

    question: str
    gold: str
    rationale: str
    answer: str
    kept: bool
    source: str
    teacher: str
    round: int
    mistake: str
    mistake_answer: str


def write_model(folder: Path, out: Path, round: int | None, notes: list[str]) -> dict[str, int]:
    """Writes the student of `round` (None: the best one) with its card to `out`, a new or empty folder. Raises
    `RunDirectoryError`, `Refused`."""
    directory = student_directory(folder)
    graduate = graduate_of(directory, round)
    recipe = directory.recipe()
    if not graduate.checkpoint.is_dir():
        raise Refused(f"{graduate.checkpoint}: the student of round {graduate.round} is no longer there")
    form, finished = directory.form(), evaluations(directory.finished())
    _refuse_full(out)
    asking = asking_of(graduate.checkpoint, form)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(graduate.checkpoint, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_OURS))
    ask_as_learnt(out, asking)
    if not asking.exact:
        notes.append("A chat elsewhere becomes other tokens than were learnt, of the same text: ask by completions.")
    told = _card_of(recipe.student.source)
    licence, base = told.get("license"), hub_id_of(recipe.student)
    if licence is None:
        notes.append("The student's licence is stated nowhere here: add `license` to README.md before you publish it.")
    chosen = next(record for record in finished if record.round == graduate.round)
    metadata: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["reasoning", "distillation", "tailor"],
        **told,
        **({"base_model": base} if base else {}),
        "model-index": [_model_index(recipe, float(chosen.metrics["test_accuracy"]))],
    }
    _write_card(
        out,
        "model.md.jinja",
        metadata,
        recipe=recipe,
        student=_student_name(recipe),
        teachers=_teachers(recipe),
        round=graduate.round,
        best=graduate.round == best_round(directory.finished()),
        rounds=[{"round": record.round, **record.metrics} for record in finished],
        chosen=chosen.metrics,
        licence=licence,
        licence_name=told.get("license_name"),
        prompt=form.prompt("QUESTION"),
        asking=asking,
    )
    return {"files": sum(file.is_file() for file in out.rglob("*"))}


def write_adapter(folder: Path, out: Path, round: int | None, notes: list[str]) -> dict[str, int]:
    """Writes to `out`, a new or empty folder, the adapter that makes the student of `round` (None: the best one) of the
    run's first student. Raises `RunDirectoryError`, `Refused`."""
    directory = student_directory(folder)
    graduate = graduate_of(directory, round)
    recipe = directory.recipe()
    _refuse_full(out)
    base = recipe.student.model if recipe.student.model != "embedded" else recipe.student.source
    try:
        rank = combine(adapters_of_rounds(directory, graduate), base, out)
    except AdapterError as error:
        cure = "Only rounds that were trained with `lora` have one; --format model writes the whole student"
        raise Refused(f"{error}. {cure}") from error
    notes.append(f"It belongs to {base} as the run began with it: its rounds' adapters in one, of rank {rank}.")
    return {"files": sum(file.is_file() for file in out.rglob("*"))}


def write_rationales(run: RunRecords, out: Path) -> dict[str, int]:
    """Writes every rationale of the run, with its question and the mistake it answers, and a card. Raises `Refused`."""
    recipe = run.directory.recipe()
    mistakes = {mistake.id: mistake for mistake in run.mistakes()}
    rows = []
    for one in run.rationales():
        problem: Problem | None = run.problems.get(one.problem_id)
        mistake = mistakes.get(one.mistake_id)
        rows.append(
            PublishedRationale(
                question=problem.question if problem else "",
                gold=problem.answer if problem else "",
                rationale=one.text,
                answer=one.answer,
                kept=one.kept,
                source=ANSWER_SHOWN if was_shown_answer(one) else str(one.source),
                teacher=one.model,
                round=one.round,
                mistake=mistake.text if mistake else "",
                mistake_answer=mistake.prediction if mistake else "",
            )
        )
    if not rows:
        raise Refused(f"{run.directory.path}: this run has no rationales to publish")
    _claim(out)
    (out / "data").mkdir()
    write_table(out / "data" / "train.parquet", rows, PublishedRationale)
    metadata = {
        "task_categories": ["question-answering"],
        "tags": ["reasoning", "rationales", "tailor"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]}],
    }
    kept = sum(row.kept for row in rows)
    counts = {"rationales": len(rows), "kept": kept, "questions": len({row.question for row in rows})}
    _write_card(
        out,
        "dataset.md.jinja",
        metadata,
        recipe=recipe,
        student=_student_name(recipe),
        teachers=sorted({row.teacher for row in rows}),
        counts=counts,
        with_mistake=sum(bool(row.mistake) for row in rows),
        columns=list(asdict(rows[0])),
    )
    return {"rationales": len(rows), "questions": counts["questions"]}


def hub_id_of(student: StudentSection) -> str | None:
    """The hub id of a recipe's student, also where its folder in the hub's cache is named; None of any other folder or
    file."""
    cached = _CACHED.search(student.source)
    if cached is not None:
        return cached[1].replace("--", "/")
    if Path(student.source).exists() or student.model.startswith((".", "~")) or student.model.endswith(".gguf"):
        return None
    return student.model if student.model.count("/") == 1 or folder_of(student.model) is not None else None


def licence_of(student: str) -> str | None:
    """The licence that the student's own model card states, of the embedded student ours; None where none is found
    without a download."""
    return _card_of(student).get("license")


def _card_of(student: str) -> dict[str, str]:
    """What the student's own model card states of its licence."""
    if student == str(EMBEDDED_STUDENT):
        return {"license": EMBEDDED_LICENCE}
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    card: Path | None = Path(student) / "README.md"
    if not Path(student).is_dir():
        try:
            found = try_to_load_from_cache(student, "README.md")
        except HFValidationError:
            return {}
        card = Path(found) if isinstance(found, str) else None
    if card is None or not card.is_file():
        return {}
    head = card.read_text(encoding="utf-8", errors="replace").split("---", 2)
    try:
        content = yaml.safe_load(head[1]) if len(head) == 3 and not head[0].strip() else None
    except yaml.YAMLError:
        return {}
    stated = {key: content.get(key) for key in _LICENCE} if isinstance(content, dict) else {}
    if not isinstance(stated.get("license"), str):
        return {}
    link = str(stated.get("license_link"))
    return {
        key: value
        for key, value in stated.items()
        if isinstance(value, str) and (key != "license_link" or link.startswith("http"))
    }


def _claim(out: Path) -> None:
    _refuse_full(out)
    out.mkdir(parents=True, exist_ok=True)


def _refuse_full(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused(f"--out {out}: this exists and is not an empty folder; name another")


def _write_card(out: Path, template: str, metadata: dict[str, Any], **values: object) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("pipelines.exchange", "cards")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown
    )
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    with new_file(out / "README.md") as part:
        part.write_text(f"---\n{head}---\n\n{environment.get_template(template).render(**values)}\n", encoding="utf-8")


def _model_index(recipe: Recipe, accuracy: float) -> dict[str, Any]:
    metric = {"type": "accuracy", "value": round(100 * accuracy, 2), "name": "test accuracy, greedy"}
    dataset = {"name": recipe.task.name, "type": recipe.task.hub_id or recipe.task.name, "split": "test"}
    return {
        "name": recipe.name,
        "results": [{"task": {"type": "text-generation"}, "dataset": dataset, "metrics": [metric]}],
    }


def _student_name(recipe: Recipe) -> str:
    """The student's name without the folders of this machine."""
    return hub_id_of(recipe.student) or Path(recipe.student.model).name


def _teachers(recipe: Recipe) -> list[str]:
    """The models that wrote what the student learnt."""
    sections = [recipe.teacher, *([recipe.teacher.first] if recipe.teacher.first is not None else [])]
    names = [place.model or section.model for section in sections for place in (section, *section.endpoints)]
    return list(dict.fromkeys(Path(name).name if Path(name).exists() else name for name in names))
