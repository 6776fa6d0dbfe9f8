"""The scripted server and a journal of their own for every test that asks for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.journal import Journal
from tests.actors.scripted_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()
