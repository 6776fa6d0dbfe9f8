"""A run that is submitted to a real head: left, rejoined, refused twice, stopped, submitted again; and what it costs to
have the wrong token, address or version. Its key is searched for in every place where Ray shows or keeps anything."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reasoning.rounds.directory import RunDirectory
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import Provider
from tests.pipelines.run.jobs.ray_head import Head, command, command_lines, ray_head, tailor

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]

SECRET = "tk-91c5d2e7ab40"
RECIPE = """
name: submitted
task:
  name: mine
  source: file
  path: data/questions.jsonl
  form: {question: question, answer: answer, kind: text, grader: "judges.strict:judge"}
student: {max_new_tokens: 24}
teacher:
  kind: openai
  model: faulty-teacher
  base_url: %s
  api_key_env: TEACHER_KEY
  price: {input: 1, output: 1}
  max_cost: 5
learning:
  rounds: 1
  first_questions: 16
  exam: {questions: 8, samples: 1}
  first_training: {epochs: 1, batch_size: 8}
  training: {epochs: 1, batch_size: 8}
cluster: {sampler: transformers, sampler_cpus: 0.5, trainer_cpus: 1.0}
"""
SHOWN = (
    "/api/jobs/",
    "/api/v0/actors?detail=true&limit=1000",
    "/api/v0/jobs?detail=true",
    "/api/v0/workers?detail=true&limit=1000",
    "/api/v0/tasks?detail=true&limit=1000",
    "/api/v0/runtime_envs?detail=true",
    "/logical/actors",
    "/nodes?view=summary",
)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with ray_head() as started:
        yield started


def project(folder: Path, base_url: str) -> Path:
    """A user's folder outside the repository, with much beside what a run needs."""
    (folder / "data").mkdir()
    names = [f"N{first}{second} B{second}{first}" for first in "abcdefgh" for second in "klmnopqr"]
    ask = 'Take the last letters of the words in "%s" and concatenate them.'
    rows = [{"question": ask % name, "answer": name.split()[0][-1] + name[-1]} for name in names]
    (folder / "data" / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "judges").mkdir()
    (folder / "judges" / "__init__.py").touch()
    (folder / "judges" / "reading.py").write_text(
        "def last(text):\n    return text.splitlines()[-1]\n", encoding="utf-8"
    )
    judge = (
        "from judges.reading import last\n\ndef judge(question, gold, completion): return gold in last(completion)\n"
    )
    (folder / "judges" / "strict.py").write_text(judge, encoding="utf-8")
    for name in (".git/config", ".venv/pyvenv.cfg", "private.txt", "data/.env", "other/big.bin"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not for the cluster", encoding="utf-8")
    recipe = folder / "mine.yaml"
    recipe.write_text(RECIPE % base_url, encoding="utf-8")
    return recipe


def test_a_run_is_submitted_left_rejoined_stopped_and_goes_on(head: Head, tmp_path: Path) -> None:
    """About two minutes: two submissions of a run that has every part."""
    storage = tmp_path / "runs"
    with Provider(ProviderArgs(latency=LatencyArgs(median_s=0.4), api_keys=(SECRET,))) as provider:
        folder = tmp_path / "project"
        folder.mkdir()
        project(folder, provider.base_url)
        submit = ["submit", "mine.yaml", "--address", head.address, "--storage", str(storage)]
        there = ["--address", head.address]

        told = leave_when("feedback", head, submit, folder)
        until = time.monotonic() + 60
        while not provider.stats().answered and time.monotonic() < until:  # its teacher's workers are starting
            time.sleep(0.1)
        assert "Left; submitted goes on" in told and "tailor logs submitted" in told
        assert "as submitted@1, with 5 files and the keys TEACHER_KEY" in told
        running = json.loads(tailor(head, ["status", "submitted", "--json", *there], folder).stdout)
        assert (running["state"], running["submission_id"], running["storage"]) == (
            "running",
            "submitted@1",
            str(storage),
        )
        again = tailor(head, submit, folder, TEACHER_KEY=SECRET)
        assert again.returncode == 2 and "is running on this cluster already, as submitted@1" in again.stderr
        assert "Rejoin it: tailor logs submitted" in again.stderr
        uploaded = next(head.folder.rglob("working_dir_files/_ray_pkg_*/mine.yaml")).parent
        files = [file.relative_to(uploaded) for file in uploaded.rglob("*") if file.is_file()]
        assert sorted(str(file) for file in files if "__pycache__" not in file.parts) == [
            "data/questions.jsonl",
            "judges/__init__.py",
            "judges/reading.py",
            "judges/strict.py",
            "mine.yaml",
            "start.sh",
        ]
        assert holding(SECRET, head, tmp_path, head.token) == []

        stopped = tailor(head, ["stop", "submitted", "--json", *there], folder)
        assert json.loads(stopped.stdout)["state"] == "stopped", stopped.stderr
        assert holding(SECRET, head, tmp_path) == []
        logs = tailor(head, ["logs", "submitted", *there], folder)
        assert logs.returncode == 0 and "the same tailor submit continues from there" in logs.stdout

        paid = provider.stats().answered
        ended = tailor(head, [*submit, "--no-probe"], folder, TEACHER_KEY=SECRET)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]
        assert "as submitted@2" in ended.stdout and "submitted has finished (submitted@2)" in ended.stdout
        assert "Run submitted goes on after" in ended.stdout
        assert paid > 0 and provider.stats().answered_more_than_once == 0
    assert not [line for line in ended.stdout.splitlines() if "job_manager.py" in line or "(raylet)" in line]
    assert len(RunDirectory(storage / "submitted").finished()) == 9
    assert holding(SECRET, head, tmp_path) == []
    assert stat.S_IMODE((storage / "submitted").stat().st_mode) == 0o700
    runs = json.loads(tailor(head, ["status", "--json", *there], folder).stdout)
    assert [(run["submission_id"], run["state"]) for run in runs] == [
        ("submitted@2", "succeeded"),
        ("submitted@1", "stopped"),
    ]


def leave_when(word: str, head: Head, arguments: list[str], folder: Path) -> str:
    """Follows a run until `word` is said of it, presses Ctrl-C, and returns what was shown."""
    following = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=head.environment(TEACHER_KEY=SECRET),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert following.stdout is not None
    killer = threading.Timer(150, following.kill)
    killer.start()
    shown = ""
    for line in following.stdout:
        shown += line
        if word in line:
            following.send_signal(signal.SIGINT)
            break
    shown += following.stdout.read()
    killer.cancel()
    assert following.wait(timeout=30) == 0, shown
    return shown


def holding(secret: str, head: Head, folder: Path, *known_elsewhere: str) -> list[str]:
    """Every place that shows or keeps `secret`: what the cluster's interfaces say, all files of its session and of the
    run, and every process's command line."""
    found = [path for path in SHOWN if secret in head.get(path)]
    listed = subprocess.run(
        [*command_of_ray(), "job", "list", "--address", head.address],
        env=head.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "submitted@1" in listed.stdout  # it lists something
    found += ["ray job list"] if secret in listed.stdout + listed.stderr else []
    found += ["a command line"] if any(secret in line for line in command_lines()) else []
    for parent in (head.folder, folder):
        for file in parent.rglob("*"):
            with suppress(FileNotFoundError):  # a run makes and removes files
                if file.is_file() and secret.encode() in file.read_bytes():
                    found.append(str(file))
    return found


def command_of_ray() -> list[str]:
    return [str(Path(sys.executable).parent / "ray")]


def test_a_wrong_token_is_told_at_once_and_nothing_is_sent(head: Head, tmp_path: Path) -> None:
    recipe = project(tmp_path, "http://127.0.0.1:1/v1")
    began = time.monotonic()
    refused = tailor(
        head, ["submit", recipe.name, "--address", head.address], tmp_path, RAY_AUTH_TOKEN="0" * 64, TEACHER_KEY=SECRET
    )
    assert refused.returncode == 2 and time.monotonic() - began < 10
    assert "does not take this machine's token. Set RAY_AUTH_MODE=token" in refused.stderr
    direct = tailor(head, ["run", recipe.name], tmp_path, RAY_AUTH_TOKEN="0" * 64, RAY_ADDRESS=head.cluster)
    assert direct.returncode == 2 and "it does not take this machine's token" in direct.stderr


def test_a_token_in_its_file_is_enough_without_the_mode(head: Head, tmp_path: Path) -> None:
    environment = {"RAY_AUTH_MODE": "", "RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": str(head.folder / "token")}
    listed = tailor(head, ["status", "--json", "--address", head.address], tmp_path, **environment)
    assert listed.returncode == 0 and isinstance(json.loads(listed.stdout), list), listed.stderr


def test_a_cluster_that_is_too_small_refuses_before_anything_is_spent(head: Head, tmp_path: Path) -> None:
    with Provider(ProviderArgs(teacher="echo", api_keys=(SECRET,))) as provider:
        recipe = project(tmp_path, provider.base_url)
        text = recipe.read_text(encoding="utf-8").replace("sampler_cpus: 0.5", "sampler_cpus: 64")
        recipe.write_text(text.replace("name: submitted", "name: large"), encoding="utf-8")
        submit = ["submit", recipe.name, "--address", head.address, "--storage", str(tmp_path / "runs")]
        refused = tailor(head, submit, tmp_path, TEACHER_KEY=SECRET)
        assert provider.stats().cost == 0
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "cluster.sampler_cpus: 65 CPUs are requested" in refused.stdout
    assert "large was refused (large@1): nothing was started" in refused.stdout
    assert not (tmp_path / "runs" / "large").exists()


SERVED = """
name: %s
task: {name: coin_flip, source: generated, train: 40, validation: 8, test: 8}
student: {max_new_tokens: 8}
teacher: {kind: offline}
learning: {rounds: 0, first_questions: 8, first_training: {epochs: 1, batch_size: 8}}
cluster: {sampler: transformers, sampler_cpus: 0.5, trainer_cpus: 1.0}
"""


def test_a_run_has_its_teacher_served_after_another_whose_keys_are_gone(head: Head, tmp_path: Path) -> None:
    """A minute: Ray Serve stays behind after a run, and later replicas inherit the environment of that run's job."""
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(SERVED % name, encoding="utf-8")
        submit = ["submit", f"{name}.yaml", "--address", head.address, "--storage", str(tmp_path / "runs")]
        ended = tailor(head, submit, tmp_path, HF_TOKEN=SECRET)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]
        assert "and the keys HF_TOKEN" in ended.stdout
