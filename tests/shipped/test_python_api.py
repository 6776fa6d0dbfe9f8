"""`import tailor`: a run as objects and data frames, and the commands by their names, in scripts and notebooks."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tailor
from tailor.loops import outside_any_loop
from tests.conftest import ROOT
from tests.pipelines.report.finished_cot_run import finished_run as finished_cot_run
from tests.pipelines.report.test_tailored import finished_run


def test_a_run_is_its_rounds_and_their_tables(tmp_path: Path) -> None:
    run = tailor.Run(finished_run(tmp_path).path)
    (first,) = run.rounds
    assert run.name == "a-run" and run.best == first and (first.number, first.test_accuracy) == (0, 0.5)
    assert (
        first.phases["feedback"].metrics["kept"] == 90
        and first.exam is None
        and first.rationalized is None
        and run.teacher is None
    )
    assert list(first.losses["step"]) == [1, 2, 3, 4]
    frame = run.frame()
    assert len(frame) == 1 and frame["feedback_kept"][0] == 90 and frame["best"][0]
    assert "<table" in run._repr_html_() and str(run.path) in repr(run)


def test_the_tables_of_a_round_have_the_records_columns(tmp_path: Path) -> None:
    run = tailor.Run(finished_cot_run(tmp_path).path)
    assert [one.number for one in run.rounds] == [0, 4] and run.best is not None and run.best.number == 4
    examples = run.rounds[1].examples
    assert {"problem_id", "prompt", "positives"} <= set(examples.columns) and len(examples) == 1
    assert run.document.kind == "fine-tune-cot"


def test_a_report_and_a_comparison_are_files(tmp_path: Path) -> None:
    run = tailor.Run(finished_cot_run(tmp_path).path)
    assert tailor.report(run).is_file()
    out = tailor.compare(run, run.path, out=tmp_path / "both.html")
    assert "two-degrees" in out.read_text(encoding="utf-8")


def test_what_a_command_would_say_is_raised(tmp_path: Path) -> None:
    for call in (
        lambda: tailor.Run(tmp_path),
        lambda: tailor.run(tmp_path / "gone.yaml"),
        lambda: tailor.estimate(tmp_path / "gone.yaml"),
        lambda: tailor.grade("coin_flip", tmp_path / "gone.jsonl"),
    ):
        with pytest.raises(tailor.UserError):
            call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tailor.estimate("mine.yaml", sample=-1), "sample: -1 is less than 0"),
        (lambda: tailor.estimate("mine.yaml", missed=1.5), "missed: 1.5 is not a share"),
        (lambda: tailor.evaluate("runs/mine", limit=0), "limit: 0 is less than 1"),
        (lambda: tailor.evaluate("runs/mine", samples=0), "samples: 0 is less than 1"),
        (lambda: tailor.evaluate("runs/mine", split="dev"), "split: 'dev' is none of train, validation, test"),
        (lambda: tailor.evaluate("nosuch://bucket/mine"), "of one of these kinds"),
        (lambda: tailor.harness("runs/mine"), "tasks: 0 is less than 1"),
        (lambda: tailor.harness("runs/mine", "gsm8k", route="chats"), "route: 'chats' is none of chat, completions"),
        (lambda: tailor.compare("runs/mine"), "runs: 1 is less than 2"),
    ],
)
def test_an_argument_out_of_bounds_is_refused_as_the_commands_option_is(call: Callable[[], object], said: str) -> None:
    with pytest.raises(tailor.UserError, match=said):
        call()


def test_it_says_which_version_it_is() -> None:
    assert tailor.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'versions'"):
        tailor.versions  # noqa: B018 - it is there to fail


def test_a_call_with_a_loop_of_its_own_works_inside_a_running_one() -> None:
    async def value() -> int:
        return 7

    async def notebook() -> tuple[int, str]:
        found = outside_any_loop(lambda: asyncio.run(value()))
        with pytest.raises(ZeroDivisionError):
            outside_any_loop(lambda: 1 // 0)
        return found, outside_any_loop(lambda: threading.current_thread().name)

    assert asyncio.run(notebook()) == (7, "tailor")
    assert outside_any_loop(lambda: threading.current_thread().name) == threading.current_thread().name


def test_a_notebooks_stop_button_ends_the_call_in_order() -> None:
    said: list[str] = []

    def call() -> None:
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        try:
            while True:
                time.sleep(0.005)
        except KeyboardInterrupt:
            said.append("ended in order")
            raise

    async def notebook() -> None:
        outside_any_loop(call)

    loop = asyncio.new_event_loop()  # asyncio.run would take the interrupt for itself; a notebook does not
    # Python ignores interrupts where it was started in the background of a shell.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(notebook())
    finally:
        signal.signal(signal.SIGINT, before)
        loop.close()
    assert said == ["ended in order"]


def test_reading_a_run_loads_neither_ray_nor_torch() -> None:
    heavy = {"ray", "torch", "transformers", "vllm", "matplotlib", "openai"}
    program = f"import sys, tailor; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
