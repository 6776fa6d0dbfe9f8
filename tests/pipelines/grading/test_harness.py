"""`tailor eval --harness`: what is refused, how figures are read, and that it finds what `tailor eval` finds.

Slow: lm-eval is fetched, and an engine is started three times (about two minutes on two cores)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import Refused
from pipelines.grading.exam import evaluate
from pipelines.grading.harness import Metric, evaluate_by_harness, load_tasks, metrics_of
from pipelines.run.options import HarnessRoute
from reasoning.files.tables import read_table
from reasoning.prompts.student_forms import student_prompt
from reasoning.recipe.tailored import load_recipe
from reasoning.records import Attempt, Split, Verdict
from reasoning.tasks.loading import load_problems

RECIPE = """
name: untaught
task: {name: coin_flip, source: generated, train: 300, validation: 10, test: 60}
student: {max_new_tokens: 128}
cluster: {kv_cache_gib: 0.25}
"""
QUESTIONS = 40

# What lm-eval needs beside the project's own packages; --no-deps keeps the versions of those.
LM_EVAL = """
lm-eval==0.4.13 evaluate==0.4.6 more-itertools==11.2.1 sacrebleu==2.6.0 portalocker==4.4.2 tabulate==0.10.0
colorama==0.4.6 lxml==6.1.3 rouge-score==0.1.2 absl-py==2.5.1 nltk==3.10.4 joblib==1.6.0 scikit-learn==1.9.1
scipy==1.17.1 narwhals==2.29.0 threadpoolctl==3.8.0 sqlitedict==2.1.0 word2number==1.1 tenacity==9.2.1
pytablewriter==1.2.1 dataproperty==1.1.1 mbstrdecoder==1.1.5 chardet==6.0.0.post1 pathvalidate==3.3.1
tabledata==1.3.5 tcolorpy==0.1.7 typepy==1.3.5 pytz==2026.6
"""


def test_without_the_harness_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(Refused, match=r"not all installed \(lm_eval\): pip install 'lm-eval\[api\]"):
        load_tasks(["gsm8k"], HarnessRoute.CHAT)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--route", "chat"], "add --harness TASK"),
        (["--shots", "2"], "add --harness TASK"),
        (["--harness", "gsm8k", "--samples", "4"], "says itself what is asked"),
        (["--harness", "gsm8k", "--split", "train"], "says itself what is asked"),
        (["--harness", "gsm8k", "--shots", "2"], "add --route completions"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, arguments: list[str], told: str) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    result = CliRunner().invoke(app, ["eval", str(recipe), *arguments])
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())


def test_figures_are_read_by_task_metric_and_filter() -> None:
    found = {
        "results": {
            "gsm8k": {
                "alias": "gsm8k",
                "sample_len": 9,
                "exact_match,strict-match": 0.25,
                "exact_match_stderr,strict-match": 0.1,
                "exact_match,flexible-extract": 0.5,
                "exact_match_stderr,flexible-extract": "N/A",
            },
            "mmlu": {"acc,none": 1, "acc_stderr,none": 0.0, "alias": "mmlu"},
        },
        "n-samples": {"gsm8k": {"original": 1319, "effective": 9}},
        "n-shot": {"gsm8k": 5},
    }
    assert list(metrics_of(found)) == [
        Metric("gsm8k", "exact_match", "strict-match", 0.25, 0.1, 9, 5),
        Metric("gsm8k", "exact_match", "flexible-extract", 0.5, None, 9, 5),
        Metric("mmlu", "acc", "none", 1.0, 0.0, None, None),
    ]


@pytest.fixture(scope="module")
def lm_eval(tmp_path_factory: pytest.TempPathFactory) -> None:
    """lm-eval for this process, beside the project's packages."""
    folder = tmp_path_factory.mktemp("lm-eval")
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps"]
    done = subprocess.run([*uv, "--target", str(folder), "--python", sys.executable, *LM_EVAL.split()])
    if done.returncode:
        pytest.skip("lm-eval could not be fetched")
    sys.path.append(str(folder))


def task_file(folder: Path, name: str, **keys: object) -> Path:
    """A task of lm-eval with the questions of the recipe's test split."""
    file = folder / f"{name}.yaml"
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "questions.jsonl")}},
        "test_split": "test",
        **keys,
    }
    file.write_text(yaml.safe_dump(task), encoding="utf-8")
    return file


@pytest.mark.slow
@pytest.mark.engine
def test_the_harness_finds_what_eval_finds_by_both_routes(ray_cluster: None, lm_eval: None, tmp_path: Path) -> None:
    recipe, console = tmp_path / "untaught.yaml", Console(quiet=True)
    recipe.write_text(RECIPE, encoding="utf-8")
    loaded = load_recipe(recipe)
    problems = load_problems(loaded.task, loaded.seed).test[:QUESTIONS]
    rows = [{"q": one.question, "asked": student_prompt(one.question), "a": one.answer} for one in problems]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    reading = {
        "output_type": "generate_until",
        "generation_kwargs": {"until": ["\n\nQuestion:"], "do_sample": False},
        "doc_to_target": "{{a}}",
        "filter_list": [
            {
                "name": "answer-line",
                "filter": [{"function": "regex", "regex_pattern": r"Answer: (\w+)"}, {"function": "take_first"}],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    chat = task_file(tmp_path, "flips_chat", doc_to_text="Question: {{q}}\nAnswer:", **reading)
    plain = task_file(tmp_path, "flips_plain", doc_to_text="{{asked}}", **reading)
    likely = task_file(
        tmp_path,
        "flips_likely",
        output_type="multiple_choice",
        doc_to_text="{{asked}}",
        doc_to_choice=["yes", "no"],
        doc_to_target="{{['yes', 'no'].index(a)}}",
    )
    with pytest.raises(Refused, match=r"lm-eval has no task gsm8kk, and there is no such file; near are .*gsm8k"):
        load_tasks(["gsm8kk"], HarnessRoute.CHAT)
    with pytest.raises(Refused, match=r"flips_likely compares the likelihoods .* add --route completions"):
        load_tasks([str(likely)], HarnessRoute.CHAT)

    exam = evaluate(recipe, None, Split.TEST, QUESTIONS, None, 1, tmp_path / "exam.parquet", None, console)
    attempts = read_table(tmp_path / "exam.parquet", Attempt)
    expected = {one.problem_id: one for one in attempts}
    right = sum(one.verdict is Verdict.CORRECT for one in exam.attempts)
    assert 0 < right < QUESTIONS

    by_chat = evaluate_by_harness(
        recipe, [str(chat)], HarnessRoute.CHAT, console, limit=QUESTIONS, out=tmp_path / "chat.json"
    )
    by_text = evaluate_by_harness(
        recipe,
        [str(plain), str(likely)],
        HarnessRoute.COMPLETIONS,
        console,
        limit=QUESTIONS,
        out=tmp_path / "text.json",
    )
    for found in (by_chat, by_text):
        (accuracy,) = [one for one in found.metrics if one.metric == "exact_match"]
        assert (accuracy.filter, accuracy.n, accuracy.shots) == ("answer-line", QUESTIONS, 0)
        assert accuracy.value == pytest.approx(right / QUESTIONS)
    assert {one.metric for one in by_text.metrics if one.task == "flips_likely"} >= {"acc"}
    said = [expected[one.id].text for one in problems]
    for file, task in (("chat.json", "flips_chat"), ("text.json", "flips_plain")):
        samples = json.loads((tmp_path / file).read_text(encoding="utf-8"))["samples"][task]
        assert [one["resps"][0][0] for one in sorted(samples, key=lambda one: one["doc_id"])] == said
