"""A run as Python objects: its rounds with their figures, and their files as data frames.

Owns: reading a run's directory. Nothing is started, and nothing is written. Needs neither Ray nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.document import PhaseDocument, RunDocument, StudentDocument, cot_document, run_document
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.recipe.tailored import RunRecipe
from reasoning.rounds.directory import RoundFiles, RunDirectory

if TYPE_CHECKING:
    from pipelines.report.document import TeacherDocument


@dataclass(frozen=True)
class Round:
    """An evaluated round of a run; of Fine-tune-CoT a degree. Accuracies are shares, with their 95 % intervals.

    Its tables are `pandas.DataFrame`s, with the columns of `reasoning.records`; None where there is no such file."""

    figures: StudentDocument
    files: RoundFiles = field(repr=False)

    @property
    def number(self) -> int:
        """The round's number, or the degree: rationales a question."""
        return self.figures.number

    @property
    def test_accuracy(self) -> float:
        """The share of test questions that the student answers right."""
        return self.figures.test_accuracy

    @property
    def validation_accuracy(self) -> float:
        """The share of validation questions that the student answers right."""
        return self.figures.validation_accuracy

    @property
    def phases(self) -> Mapping[str, PhaseDocument]:
        """What each phase took and counted."""
        return self.figures.phases

    @property
    def student(self) -> Path:
        """The folder of the student's checkpoint, in Hugging Face format."""
        return self.files.student

    @property
    def exam(self) -> Any:
        """A row an attempt of the exam."""
        return _table(self.files.exam)

    @property
    def rationalized(self) -> Any:
        """A row an attempt at a question whose answer was shown."""
        return _table(self.files.rationalized)

    @property
    def rationales(self) -> Any:
        """A row a reply of the teacher, kept or not."""
        return _table(self.files.rationales)

    @property
    def examples(self) -> Any:
        """A row a question that was learnt from; one more where it was learnt with its answer shown."""
        return _table(self.files.examples)

    @property
    def evaluation(self) -> Any:
        """A row a held-out question, with what the student said."""
        return _table(self.files.evaluation)

    @property
    def losses(self) -> Any:
        """A row a training step that was logged."""
        import pyarrow.json

        file = self.files.losses
        return pyarrow.json.read_json(file).to_pandas() if file.exists() and file.stat().st_size else None


class Run:
    """A run as its directory stands: every property reads it anew."""

    def __init__(self, directory: str | Path) -> None:
        """`directory` is a folder, or an address of one. Raises `UserError` where there is no run."""
        from pipelines.run.options import run_folder

        self.path = run_folder(str(directory)).expanduser().resolve()
        self._directory = CotDirectory(self.path) if is_cot_directory(self.path) else RunDirectory(self.path)
        self._directory.recipe()

    @property
    def recipe(self) -> RunRecipe:
        """The recipe that the run belongs to."""
        return self._directory.recipe()

    @property
    def name(self) -> str:
        """The run's name."""
        return self.recipe.name

    @property
    def document(self) -> RunDocument:
        """What `tailor report --json` prints of it."""
        from pipelines.journal.view import spent_by

        report, journal = str(self._directory.report), spent_by(self.path)
        if isinstance(self._directory, CotDirectory):
            return cot_document(self._directory, report, journal=journal)
        return run_document(self._directory, report, journal=journal)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The evaluated rounds; of Fine-tune-CoT the degrees."""
        return tuple(Round(one, self._files(one.number)) for one in self.document.students)

    @property
    def best(self) -> Round | None:
        """The round that validation chose, None before any was evaluated."""
        return next((one for one in self.rounds if one.figures.best), None)

    @property
    def teacher(self) -> TeacherDocument | None:
        """What the teacher answered and cost; None where the run's journal is not at hand."""
        return self.document.teacher

    def frame(self) -> Any:
        """A `pandas.DataFrame` with a row a round: accuracies, intervals, seconds, and each phase's counts as
        `PHASE_NAME`."""
        import pyarrow

        rows = []
        for one in self.rounds:
            row: dict[str, Any] = {
                name: getattr(one.figures, name)
                for name in (
                    "number",
                    "best",
                    "test_accuracy",
                    "test_low",
                    "test_high",
                    "validation_accuracy",
                    "seconds",
                )
            }
            for phase, document in one.phases.items():
                row |= {f"{phase}_{name}": value for name, value in document.metrics.items()}
            rows.append(row)
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pyarrow.Table.from_pydict({name: [row.get(name) for row in rows] for name in names}).to_pandas()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the rounds as a table."""
        html: str = self.frame()._repr_html_()
        return html

    def _files(self, number: int) -> RoundFiles:
        if isinstance(self._directory, CotDirectory):
            return self._directory.degree(number).round(0)
        return self._directory.round(number)


def _table(file: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(file).to_pandas() if file.exists() else None
