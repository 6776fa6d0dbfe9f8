"""The options that several commands share, each written once: which recipe, and what replaces its keys.

Invariant: nothing heavy is imported here.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def _absolute(folder: str) -> Path:
    """Processes work in folders of their own, so that a relative path would be another folder in each."""
    return Path(folder).expanduser().resolve()


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
