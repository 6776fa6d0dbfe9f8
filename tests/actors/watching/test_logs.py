"""What processes log, in either form, with the run and the actor beside it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from actors.watching import logs
from tests.conftest import ROOT

PROGRAM = """
import logging
from actors.watching.logs import at, begin
begin("mine", "limiter")
logging.getLogger("actors.limits").info("first")
at(2, "exam")
logging.getLogger("actors.limits").warning("second %s", "thing", extra={"round": 7})
logging.getLogger("some.library").info("not heard")
logging.getLogger("some.library").warning("heard")
"""


def logged_by(program: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_text_says_who_and_where() -> None:
    lines = logged_by(PROGRAM)
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO run=mine actor=limiter: first",
        "WARNING run=mine actor=limiter round=7 phase=exam: second thing",
        "WARNING run=mine actor=limiter round=2 phase=exam: heard",
    ]


@pytest.mark.parametrize(("level", "heard"), [("debug", 2), ("info", 2), ("warning", 1), ("error", 0), ("loud", 2)])
def test_the_level_is_of_this_project_s_loggers(level: str, heard: int) -> None:
    lines = logged_by(PROGRAM, TAILOR_LOG_LEVEL=level)
    assert len([line for line in lines if "heard" not in line]) == heard


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, and the context, as they were afterwards."""
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in ("", *logs.OUR_LOGGERS)}
    root.handlers[:] = []
    logs._context.clear()
    yield root
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logs._context.clear()


def test_ray_makes_json_of_it(root: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own formatter, as it sets it up in every process of a job."""
    monkeypatch.setenv("TAILOR_LOG_FORMAT", "json")
    config = logs.ray_logging()["logging_config"]
    config._apply()
    records: list[str] = []
    (handler,) = root.handlers
    monkeypatch.setattr(handler, "emit", lambda record: records.append(handler.format(record)))
    logs.begin("mine", "journal")
    logs.at(1, "train")
    logging.getLogger("actors.journal").info("all is well")
    (record,) = [json.loads(text) for text in records]
    assert {key: record[key] for key in ("message", "levelname", "run", "actor", "round", "phase")} == {
        **{"message": "all is well", "levelname": "INFO", "run": "mine", "actor": "journal"},
        **{"round": 1, "phase": "train"},
    }


def test_text_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILOR_LOG_FORMAT", raising=False)
    assert logs.ray_logging() == {}


class Counting:
    def __init__(self, start: int, *, step: int = 1) -> None:
        self.value = start + step

    async def more(self) -> int:
        return self.value


def test_an_actor_logs_as_what_it_is(root: logging.Logger) -> None:
    made = logs.logged(Counting, "counter", "mine")
    assert made.__name__ == "Counting" and issubclass(made, Counting)
    assert made(3, step=2).value == 5
    assert logs.context() == {"run": "mine", "actor": "counter"}


def test_an_actor_s_process_says_whose_it_is(ray_cluster: None) -> None:
    import ray

    actor = ray.remote(logs.logged(Context, "counter", "mine")).options(num_cpus=0).remote()
    assert ray.get(actor.context.remote()) == ({"run": "mine", "actor": "counter"}, logging.INFO)
    ray.kill(actor)


class Context:
    async def context(self) -> tuple[dict[str, str | int], int]:
        return logs.context(), logging.getLogger("actors").level
