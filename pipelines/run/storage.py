"""Where a run is kept, for the programs that a person starts: which home, brought here and made the run's.

Owns: what `storage.path` comes to; claiming a directory that may be the copy of what is stored elsewhere; a run's
folder or journal named by an address on the command line.

Invariants
- What a run is going on with on this node is not touched: its copy is as new as what is stored.
- Messages name the address, not the copy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.storage.keeping import Home
from actors.storage.remote import TRIAL_S, RemoteFolder, StorageError
from actors.storage.run_lock import RunInProgress, RunLock
from actors.storage.working_copy import JOURNAL, WorkingCopy, address_of
from pipelines.errors import Refused, RunFailed
from pipelines.run.checks.student_files import PreflightFault
from reasoning.files.addresses import below, check_address, is_address, on_this_disk
from reasoning.recipe.tailored import RunRecipe
from reasoning.rounds.directory import ClaimedDirectory, RunDirectoryError

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray


def storage_folder(recipe: RunRecipe) -> Path:
    """Where runs are kept, as an absolute path. Inside a Ray job the working directory is a copy that goes with the
    cluster, so there a relative `storage.path` counts from the home directory, where the next job finds it again."""
    if is_address(recipe.storage.path):
        return on_this_disk(recipe.storage.path)
    path = Path(recipe.storage.path).expanduser()
    if path.is_absolute():
        return path
    return (Path.home() if IN_A_JOB in os.environ else Path.cwd()) / path


def home_of(recipe: RunRecipe) -> Home:
    """Where the run of `recipe` is kept."""
    storage = recipe.storage
    address = below(storage.path, recipe.name) if is_address(storage.path) else None
    return Home(storage_folder(recipe) / recipe.name, address, storage.journal, recipe.name, 60.0 * storage.patience)


def storage_faults(recipe: RunRecipe) -> Iterator[PreflightFault]:
    """Storage at an address that a run could not be kept at."""
    path = recipe.storage.path
    if not is_address(path):
        return
    try:
        RemoteFolder(path, TRIAL_S).try_out()
    except StorageError as error:
        yield PreflightFault("storage.path", str(error), "Correct that, or take other storage")


def claim(directory: ClaimedDirectory[Any], recipe: RunRecipe, home: Home) -> bool:
    """Makes the run's directory that of `recipe`, wherever it is kept: whether it was already. Raises
    `RunDirectoryError`, `StorageError`."""
    if home.address is None:
        return directory.claim(recipe)
    with _named_by_address(home), _alone(home.folder):
        copy = WorkingCopy(home.folder, home.stored)
        copy.bring()
        resumed = directory.claim(recipe)
        copy.store_claim()
    return resumed


def bring_run(home: Home) -> Path:
    """The run's directory, with what is stored of it, where none goes on with it on this node. Raises `StorageError`,
    `RunDirectoryError`."""
    if home.address is not None:
        with contextlib.suppress(RunInProgress), _alone(home.folder):
            WorkingCopy(home.folder, home.stored).bring()
    return home.folder


def store_report(report: Path, home: Home) -> str:
    """Stores the report of a finished run. Returns where it is. Raises `RunFailed`."""
    if home.address is None:
        return str(report)
    try:
        WorkingCopy(home.folder, home.stored).put(report)
    except StorageError as error:
        raise RunFailed(
            f"The run is finished, and its report is {report}, but it could not be stored: {error}"
        ) from error
    return below(home.address, report.name)


# On the command line --------------------------------------------------------------------------------------------------


def run_folder(address: str) -> Path:
    """The folder that the run at `address` is brought to."""
    return bring_run(_home_at(address))


def journal_file(address: str) -> Path:
    """The journal of the run at `address`: the run's own where it goes on on this node, elsewhere its last copy."""
    home = _home_at(address)
    live = home.folder / JOURNAL
    if live.is_file():
        try:
            RunLock(home.folder, wait_s=0.0).release()
        except RunInProgress:
            return live
    copy = home.folder / ".journal.copy.sqlite"
    if not home.stored.download(JOURNAL, copy):
        raise Refused(f"{address}: no {JOURNAL} there. Give the address of a run")
    return copy


def journal_to_change(address: str) -> Path:
    """Refused: what is stored is a copy, which the run's own journal replaces."""
    raise Refused(
        f"{address}: what is stored there is a copy of the journal, and the run's own replaces it. Give the folder of "
        "the run on the node that runs it"
    )


def store_again(file: Path) -> None:
    """Stores a file that was made anew in the copy of a run; nothing for any other folder. Raises `StorageError`."""
    address = address_of(file.parent)
    if address is not None:
        home = _home_at(address)
        WorkingCopy(file.parent, home.stored).put(file)


def _home_at(address: str) -> Home:
    try:
        check_address(address)
    except ValueError as error:
        raise Refused(f"the address {error}") from None
    return Home(on_this_disk(address), address, patience_s=60.0)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No run goes on in `folder` meanwhile. Raises `RunInProgress`."""
    lock = RunLock(folder, wait_s=0.5) if (folder / "recipe.yaml").is_file() else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def _named_by_address(home: Home) -> Iterator[None]:
    try:
        yield
    except (RunDirectoryError, RunInProgress) as error:
        raise RunDirectoryError(str(error).replace(str(home.folder), home.shown)) from error
