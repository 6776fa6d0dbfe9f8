"""The options that several commands share, each written once: which recipe, and what replaces its keys.

Invariant: nothing heavy is imported here.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from reasoning.files.addresses import is_address


def _absolute(folder: str) -> Path:
    """Processes work in folders of their own, so that a relative path would be another folder in each."""
    return Path(folder).expanduser().resolve()


class GraderName(StrEnum):
    PAPER = "paper"
    ROBUST = "robust"


class HarnessRoute(StrEnum):
    """How lm-eval asks a student: by chats, in which the student's server finds the question, or by completions, which
    are continued as they are."""

    CHAT = "chat"
    COMPLETIONS = "completions"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


RecipeArgument = Annotated[Path, typer.Argument(help="The recipe, a YAML file.")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="TAILOR_DATA",
        metavar="DIR",
        parser=_absolute,
        help="Folder that ${DATA} stands for in a recipe.",
    ),
]


def run_folder(text: str) -> Path:
    """The folder of the run that an argument names; one that is stored at an address is brought here."""
    return _from_storage("run_folder", text)


def journal_file(text: str) -> Path:
    """The file or folder that an argument names; of a run at an address, the last copy of its journal."""
    return _from_storage("journal_file", text)


def journal_to_change(text: str) -> Path:
    """The file or folder that an argument names, which is not an address."""
    return _from_storage("journal_to_change", text)


def _from_storage(way: str, text: str) -> Path:
    if not is_address(text):
        return Path(text)
    from pipelines.errors import told_plainly

    with told_plainly():
        from pipelines.run import storage

        found: Path = getattr(storage, way)(text)
        return found


def runs_here(incomplete: str) -> list[str]:
    """What a shell offers for a run: the folders of runs that begin so, below this folder and in `runs`."""
    begun = Path(incomplete)
    folder = begun if incomplete.endswith("/") else begun.parent
    found = [recipe.parent for place in (folder, Path("runs")) for recipe in place.glob("*/recipe.yaml")]
    return sorted({str(run) for run in found if str(run).startswith(incomplete)})


def run_argument(help: str, metavar: str = "RUN") -> Any:
    """A run by its folder or address, completed with the runs that are here."""
    return typer.Argument(parser=run_folder, metavar=metavar, help=help, autocompletion=runs_here)


RunArgument = Annotated[
    Path,
    run_argument("A run's folder or address."),
]
NameOption = Annotated[str | None, typer.Option(help="Name of the run, instead of the recipe's.")]
StorageOption = Annotated[str | None, typer.Option(help="Where runs are kept, instead of the recipe's.")]
ProbeOption = Annotated[
    bool,
    typer.Option(
        "--probe/--no-probe",
        help="Ask the teacher's API for its models first, and for one token where their list does not name the model.",
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Seed, instead of the recipe's.")]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        envvar="TAILOR_LOG_FORMAT",
        help="json: what is printed, and what every actor logs, as one JSON object a line. Default: text.",
    ),
]
LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(envvar="TAILOR_LOG_LEVEL", help="From which level on the run's actors log. Default: info."),
]
