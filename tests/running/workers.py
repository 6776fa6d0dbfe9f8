"""`pytest --workers N`: the tests of one collection, run by N processes that are forked from it.

Importing torch, transformers and Ray and making thousands of tests takes eight seconds of a core. Here it is paid for
once, whatever the number of workers. A worker takes one module at a time and sends the reports of its tests
back when the module is done, so fixtures live as long as a module at most. A worker that dies ends the run, and the
tests that ran at that moment are named. Nothing that has threads may be started while tests are collected.
"""

from __future__ import annotations

import itertools
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray
from typing import Any

import pytest


@dataclass(frozen=True)
class Warned:
    """A warning of a test, in words that can be sent."""

    text: str
    category: type[Warning]
    filename: str
    lineno: int
    when: Any
    nodeid: str
    location: tuple[str, int, str] | None


@dataclass(frozen=True)
class Finished:
    """What became of the tests of one module: their reports as pytest serializes them, in order, and their warnings."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)


class Recorder:
    """The plugin that, in a worker, takes the place of whatever would print."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._finished = Finished()

    def take(self) -> Finished:
        finished, self._finished = self._finished, Finished()
        return finished

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._finished.reports.append(
            self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        )

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: Any, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        text, said = str(warning_message.message), warning_message
        warned = Warned(text, said.category, said.filename, said.lineno, when, nodeid, location)
        self._finished.warned.append(warned)


# Forked with the workers, since it cannot be sent.
_session: pytest.Session
_modules: list[list[pytest.Item]]
_places: dict[pytest.Item, int]  # each test's place in the array
_is_running: Any  # an array of flags that all processes share
_recorder: Recorder  # of a worker alone


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--workers", type=int, default=0, metavar="N", help="run the collected tests in N forked processes"
    )


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In place of pytest's own loop, where workers are asked for and there are tests to run."""
    global _session, _modules, _places, _is_running
    workers = session.config.option.workers
    if not workers or session.config.option.collectonly or session.testsfailed:
        return None
    _session = session
    _modules = [list(of_one) for _, of_one in itertools.groupby(session.items, lambda item: item.path)]
    _places = {item: place for place, item in enumerate(session.items)}
    _is_running = RawArray("b", len(session.items))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin) as pool:
        try:
            for finished in as_completed([pool.submit(_run, module) for module in range(len(_modules))]):
                _tell(session.config, finished.result())
                if session.shouldfail:
                    break
        except BrokenProcessPool:
            running = [item.nodeid for item, place in _places.items() if _is_running[place]]
            session.shouldfail = f"a worker died; what ran then: {', '.join(running)}"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    return True


def _tell(config: pytest.Config, finished: Finished) -> None:
    for each in finished.warned:
        message = warnings.WarningMessage(each.category(each.text), each.category, each.filename, each.lineno)
        config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "when": each.when, "nodeid": each.nodeid, "location": each.location}
        )
    for report in finished.reports:
        config.hook.pytest_runtest_logreport(
            report=config.hook.pytest_report_from_serializable(config=config, data=report)
        )


def _begin() -> None:
    """A worker's own captured output, and silence but for its reports."""
    global _recorder
    plugins = _session.config.pluginmanager
    capture = plugins.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()  # what was forked writes to the same files as every other worker
        capture.start_global_capturing()
    plugins.unregister(name="terminalreporter")
    _recorder = Recorder(_session.config)
    plugins.register(_recorder)


def _run(module: int) -> Finished:
    items = _modules[module]
    for item, following in itertools.zip_longest(items, items[1:]):
        _is_running[_places[item]] = True
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        _is_running[_places[item]] = False
    return _recorder.take()
