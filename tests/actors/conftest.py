"""The event loop of Ray's actors; the scripted server, a journal and what is logged, for tests that ask for them."""

import asyncio
import io
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors.journal.actor import Journal
from actors.journal.database import JournalFile
from tests.actors.scripted_server import Server


@pytest.fixture(autouse=True)
def loop_of_actors() -> Iterator[None]:
    """Ray runs asynchronous actors on uvloop, whose timers and callbacks come in another order than asyncio's."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    yield
    asyncio.set_event_loop_policy(before)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def journals_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes what a test leaves open of journals: nothing collects the descriptor of a writer's mark, and connections,
    which hold themselves, wait for a collection that the tests put off."""
    opened: list[JournalFile | sqlite3.Connection] = []
    make, connect = JournalFile.__init__, sqlite3.connect

    def making(file: JournalFile, *args: Any, **options: Any) -> None:
        opened.append(file)
        make(file, *args, **options)

    def connecting(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        opened.append(connection)
        return connection

    monkeypatch.setattr(JournalFile, "__init__", making)
    monkeypatch.setattr(sqlite3, "connect", connecting)
    yield
    for one in reversed(opened):
        with suppress(sqlite3.ProgrammingError):  # of another thread, which closes its own
            one.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal is to be made, in a folder that is not there yet."""
    return tmp_path / "run" / "journal.sqlite"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged by anybody at any level, as text."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)
