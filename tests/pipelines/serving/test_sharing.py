"""What a candidate beside a served student needs, and what a user is told of both."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import Refused
from pipelines.serving.deployed import Live
from pipelines.serving.graduate import graduate_of
from pipelines.serving.sharing import Shared, _check_room, replicas_for, show_live
from reasoning.records import Verdict
from serve.share.tally import Count, live_accuracy
from tests.pipelines.serving.test_graduate import finished_run


@pytest.mark.parametrize(
    ("share", "replicas", "needed"), [(0.1, 1, 1), (0.1, 10, 1), (0.5, 4, 2), (0.3, 4, 2), (0.9, 1, 1), (0.5, 0, 1)]
)
def test_a_share_needs_its_part_of_the_replicas(share: float, replicas: int, needed: int) -> None:
    assert replicas_for(share, replicas) == needed


def test_a_candidate_that_would_wait_for_a_node_is_refused(tmp_path: Path) -> None:
    graduate = graduate_of(finished_run(tmp_path), 1)
    _check_room(2, 1.0, 0.0, {"CPU": 2.0}, graduate)
    with pytest.raises(Refused, match=r"takes 2 CPUs beside what runs, and 1 are free .*put round 1 in the place"):
        _check_room(2, 1.0, 0.0, {"CPU": 1.0}, graduate)
    with pytest.raises(Refused, match=r"takes 0.5 GPUs beside what runs, and 0 are free"):
        _check_room(1, 1.0, 0.5, {"CPU": 1.0}, graduate)


@pytest.mark.parametrize("share", ["0", "1.5", "-0.1", "nan"])
def test_a_share_is_a_part(share: str) -> None:
    found = CliRunner().invoke(app, ["promote", "runs/none", "--share", share])
    assert found.exit_code == 2 and "above 0 and at most 1" in " ".join(found.output.replace("│", " ").split())


def told(live: Live, candidate: str | None) -> list[str]:
    out = io.StringIO()
    show_live(Console(file=out, width=200), live, candidate)
    return out.getvalue().splitlines()


def test_both_accuracies_are_told_with_their_intervals() -> None:
    counts = [Count("mine/1", Verdict.CORRECT, 8), Count("mine/1", Verdict.WRONG, 2)]
    live = Live(live_accuracy(counts, ["mine/1", "mine/2"]), passed=9, returned=0)
    assert told(live, "mine/2") == [
        "  mine/1: 80.0% right [49.0%, 94.3%], 8 of 10 whose gold is known",
        "  mine/2 (candidate): no answer whose gold is known",
    ]


def test_requests_that_a_candidate_did_not_answer_are_told() -> None:
    (line,) = told(Live([], passed=9, returned=3), None)
    assert line.startswith("  3 of the 12 requests of the candidate's share were answered by the served student")


def test_a_share_is_told_with_what_to_do_next() -> None:
    out = io.StringIO()
    Shared("mine", "mine/2", "mine/1", 0.125, Live([], 0, 0)).answer().show(Console(file=out, width=300))  # type: ignore[misc]
    assert "mine/2 answers 12.5% of the requests now, mine/1 the others" in out.getvalue()
    assert "tailor served mine" in out.getvalue() and "tailor rollback mine" in out.getvalue()
