"""The event loop of Ray's actors; the scripted server, a journal and what is logged, for tests that ask for them."""

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from actors.journal.actor import Journal
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
