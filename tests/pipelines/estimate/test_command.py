"""`tailor estimate` against what a run then asks and pays, by the provider's own account."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actors.journal.sums import JournalSums
from actors.ray_api.machines.capacity import Capacity
from actors.starting import close_journal, start_journal, start_pool
from pipelines.cli import app
from pipelines.estimate.asking import TeacherSampler
from pipelines.run.preflight import check
from reasoning.files.tables import write_table
from reasoning.recipe.tailored import Recipe, load_recipe
from reasoning.records import Attempt, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phase_order import Metrics, Phase, PhaseRecord
from reasoning.rounds.progress import Progress
from serve.provider.args import ProviderArgs
from serve.provider.server import Provider
from tests.pipelines.whole_runs.micro_run import start_run, write_recipe

RUNNER = CliRunner()
PRICED = ProviderArgs(error_rate=0.2, input_price=1.0, output_price=2.0)
RECIPE = """
name: micro
seed: 3
task: {name: coin_flip, source: generated, train: 60, validation: 10, test: 10}
student: {max_new_tokens: 96}
teacher: {kind: openai, model: faulty-teacher, base_url: "%(url)s", %(teacher)s}
"""
PRICE = "price: {input: 1.0, output: 2.0}"
ROUND_0 = "learning: {rounds: 0, first_questions: 24}\n"
TWO_ROUNDS = "learning: {rounds: 2, first_questions: 24, exam: {questions: 12, samples: 2}}\n"


def recipe_at(folder: Path, url: str, learning: str, teacher: str = PRICE) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE % {"url": url, "teacher": teacher} + learning, encoding="utf-8")
    return path


def estimate(recipe: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    storage = str(recipe.parent / "runs")
    result = RUNNER.invoke(
        app, ["estimate", str(recipe), "--storage", storage, *arguments], env={"COLUMNS": "160"}, catch_exceptions=False
    )
    return result.exit_code, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def estimated(recipe: Path, *arguments: str) -> dict[str, Any]:
    code, output, errors = estimate(recipe, "--json", *arguments)
    assert code == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


def round_zero(path: Path) -> tuple[Metrics, JournalSums]:
    """Round 0's feedback as a run performs it, in the directory and with the journal of the run. Its metrics, and the
    journal's account."""
    recipe: Recipe = load_recipe(path).replace(storage_path=str(path.parent / "runs"))
    directory = RunDirectory(path.parent / "runs" / recipe.name)
    assert directory.claim(recipe)  # the estimate has claimed it for this very recipe
    checked = check(recipe, "test", Capacity.of_one({"CPU": 4.0}))
    session = TeacherSampler(recipe, directory, checked.data, checked.prompts, Progress())
    session.files(0).folder.mkdir()

    async def ask() -> tuple[Metrics, JournalSums]:
        journal = start_journal(directory.journal)
        session.teacher = session.first_teacher = start_pool(recipe.teacher.settings(run=recipe.name), journal)
        try:
            return await feedback(session, 0), await journal.sums.remote(recipe.name)
        finally:
            await session.teacher.close()
            await close_journal(journal)

    return asyncio.run(ask())


@pytest.mark.slow
def test_the_estimate_is_what_round_0_then_pays(ray_cluster: None, tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        recipe = recipe_at(tmp_path, provider.base_url, ROUND_0)
        report = estimated(recipe, "--sample", "8")
        sample = provider.stats()
        assert sample.billed == report["sample"]["replies"] == 8
        assert report["sample"]["cost"] == pytest.approx(sample.cost) == pytest.approx(report["spent"])
        assert report["total"]["calls"] == {"least": 24, "expected": 24.0, "most": 24}
        assert report["total"]["in_journal"] == 8
        assert report["total"]["to_pay"] == pytest.approx(report["total"]["expected"] - sample.cost)

        metrics, account = round_zero(recipe)
        paid = provider.stats()
        assert metrics["asked"] == paid.billed == paid.distinct == 24  # the sample is part of it
        assert paid.sent_more_than_once == account.requests.refused == 0
        assert report["total"]["expected"] == pytest.approx(paid.cost, rel=0.1) and paid.cost < report["total"]["most"]
        assert report["total"]["prompt_tokens"] == pytest.approx(paid.prompt_tokens, rel=0.1)
        (phase,) = report["phases"]
        for part, actual in (("prompt_tokens", paid.prompt_tokens), ("completion_tokens", paid.completion_tokens)):
            low, high = phase["tokens_a_call"][part]["interval"]
            assert low < actual / 24 < high  # of this seed; one in twenty lies outside

        whole = estimated(recipe, "--sample", "24")
        assert whole["total"]["expected"] == whole["total"]["most"] == pytest.approx(paid.cost)
        assert whole["total"]["prompt_tokens"] == paid.prompt_tokens
        assert whole["total"]["completion_tokens"] == paid.completion_tokens
        assert whole["total"]["to_pay"] == whole["sample"]["cost"] == 0.0
        assert provider.stats().billed == 24


@pytest.mark.slow
def test_feedback_is_sampled_on_stand_ins_and_bounded_by_every_question_missed(
    ray_cluster: None, tmp_path: Path
) -> None:
    limits = f"requests_per_minute: 6000, max_cost: 1.0, {PRICE}"
    with Provider(PRICED) as provider:
        recipe = recipe_at(tmp_path, provider.base_url, TWO_ROUNDS, limits)
        report = estimated(recipe, "--sample", "4", "--missed", "0.25")
        assert provider.stats().billed == 8 and report["sample"]["stand_ins"]
        assert report["sample"]["cost"] == pytest.approx(provider.stats().cost)
        first, later = report["phases"]
        assert later["calls"] == {"least": 0, "expected": 6.0, "most": 24}
        assert later["tokens_a_call"]["prompt_tokens"]["mean"] > first["tokens_a_call"]["prompt_tokens"]["mean"] + 50
        assert report["minutes_at_least"] == pytest.approx((24 - 4 + 6) / 6000)
        code, output, _ = estimate(recipe, "--sample", "4")
        assert code == 0 and provider.stats().billed == 8  # the very same requests
        for part in ("(0 – 24)", "50% missed", "(assumed)", "4 questions, 8 replies (8 from the journal)"):
            assert part in output, output
        for part in ("stand-ins", "teacher.max_cost $1 is above", "above the most", "mean of 4, 95 % interval"):
            assert part in output, output


@pytest.mark.slow
def test_fine_tune_cot_is_estimated_in_both_its_requests(ray_cluster: None, tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        recipe = recipe_at(tmp_path, provider.base_url, "fine_tuning: {degrees: [0, 2]}\n")
        report = estimated(recipe, "--sample", "5")
        assert [(phase["request"], phase["calls"]["most"]) for phase in report["phases"]] == [(1, 120), (2, 120)]
        assert [phase["in_journal"] for phase in report["phases"]] == [5, 5]
        assert provider.stats().billed == report["sample"]["replies"] == 10
        assert report["sample"]["cost"] == pytest.approx(provider.stats().cost)
        assert estimate(recipe, "--missed", "0.5")[0] == 2


def test_the_cap_on_spending_holds_for_the_sample(ray_cluster: None, tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        recipe = recipe_at(tmp_path, provider.base_url, ROUND_0, f"max_cost: 0.0001, {PRICE}")
        code, _, errors = estimate(recipe)
        assert code == 1 and "teacher.max_cost" in errors and "--sample 0" in errors
        assert provider.stats().billed == 0
        code, output, _ = estimate(recipe, "--sample", "0")
        assert code == 0 and "warning: teacher.max_cost $0.0001 is not above the expected" in output


def test_without_a_sample_nobody_is_asked_and_nothing_is_written(tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        recipe = recipe_at(tmp_path, provider.base_url, TWO_ROUNDS)
        report = estimated(recipe, "--sample", "0")
        assert provider.stats().arrived == 0
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    assert report["phases"][0]["completion_tokens"] == 24 * 512
    assert report["total"]["expected"] < report["total"]["most"]
    assert report["phases"][0]["tokens_a_call"]["measured"] == 0


def test_a_missing_price_names_the_key_that_would_say_it(tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        other = f"first: {{kind: openai, model: faulty-teacher, base_url: '{provider.base_url}'}}, {PRICE}"
        recipe = recipe_at(tmp_path, provider.base_url, TWO_ROUNDS, other)
        code, output, _ = estimate(recipe, "--sample", "0")
        assert code == 0 and "set teacher.first.price to {input: DOLLARS" in output
        report = estimated(recipe, "--sample", "0")
    assert report["unpriced"] == ["teacher.first.price"] and report["total"]["expected"] is None
    assert report["total"]["prompt_tokens"] > 0 and report["phases"][1]["expected"] > 0


def test_bad_input_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    recipe = recipe_at(tmp_path, "http://127.0.0.1:9/v1", ROUND_0)
    code, _, errors = estimate(recipe)
    assert code == 2 and "127.0.0.1:9" in errors and not (tmp_path / "runs").exists()
    recipe.write_text("learning: {round: 1}")
    assert "learning.round: unknown key" in estimate(recipe)[2]


def test_a_run_that_is_under_way_is_estimated_from_its_last_exam(tmp_path: Path) -> None:
    with Provider(PRICED) as provider:
        path = recipe_at(tmp_path, provider.base_url, TWO_ROUNDS)
        recipe = load_recipe(path)
        directory = RunDirectory(tmp_path / "runs" / "micro")
        directory.claim(recipe)
        problems = check(recipe, "test", Capacity.of_one({"CPU": 4.0})).data.train[:12]
        attempts = [
            Attempt(problem.id, 1, 0, f"So it is.\nAnswer: {number}", True, 4, "no", Verdict.WRONG)
            for number, problem in enumerate(problems[:3])
        ]
        directory.round(1).folder.mkdir()
        write_table(directory.round(1).exam, attempts, Attempt)
        for phase in (Phase.FEEDBACK, Phase.SELECT, Phase.TRAIN, Phase.EVALUATE):
            directory.append(PhaseRecord(0, phase, 1.0, {"validation_accuracy": 0.5}))
        directory.append(PhaseRecord(1, Phase.EXAM, 1.0, {"questions": 12, "mistakes": 3}))
        report = estimated(path, "--sample", "0")
        assert provider.stats().arrived == 0
        assert [(one["phase"], one["calls"]["expected"], one["calls"]["most"]) for one in report["phases"]] == [
            ("round 1: feedback", 3.0, 3),
            ("round 2: feedback", 3.0, 12),
        ]
        path.write_text(path.read_text().replace("seed: 3", "seed: 4"))
        code, _, errors = estimate(path, "--sample", "0")
        assert code == 2 and "belongs to another recipe" in errors


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(900)
def test_a_whole_run_goes_on_from_the_sample(ray_cluster: None, tmp_path: Path) -> None:
    """About a minute: a run of round 0 alone, in which every part meets every other."""
    recipe = write_recipe(tmp_path, epochs=1)
    recipe.write_text(recipe.read_text().replace("rounds: 1", "rounds: 0"))
    report = estimated(recipe, "--sample", "6")
    assert report["total"]["calls"]["most"] == 24 and report["total"]["in_journal"] == 6
    assert start_run(recipe, tmp_path / "runs", tmp_path / "run.log").wait(800) == 0
    said = " ".join((tmp_path / "run.log").read_text(encoding="utf-8").split())
    assert "Teacher: 24 answers" in said and "; 0 requests sent again" in said
    assert "nothing left to ask" in estimate(recipe, "--sample", "0")[1]
