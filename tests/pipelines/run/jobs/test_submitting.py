"""What is refused before anything is sent, which keys go along, and what is said at the end."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from rich.console import Console

from pipelines.errors import Refused
from pipelines.run.jobs import submitting
from pipelines.run.jobs.access import Access
from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.server import SubmittedRun
from pipelines.run.jobs.submitting import Wanted, exit_code, refuse_another_ray, shown, submit, tell_the_end
from pipelines.run.live import describe
from reasoning.rounds.progress import Snapshot

KEY = "tk-77aa"
RECIPE = """
name: mine
teacher:
  kind: openai
  model: m
  base_url: https://api.example/v1
  api_key_env: TAILOR_TEST_KEY
  headers: {X-Account: "${TAILOR_TEST_ACCOUNT}"}
  endpoints: [{base_url: "https://b.example/v1", api_key_env: TAILOR_TEST_SECOND}]
"""
NAMES = ("TAILOR_TEST_KEY", "TAILOR_TEST_ACCOUNT", "TAILOR_TEST_SECOND", "HF_TOKEN", "TAILOR_TEST_MORE")
RUN = SubmittedRun("mine", "mine@1", "running", "runs", 0.0, None, None, "", "place")


class Server:
    """A job server that takes what it is given."""

    runs_there: tuple[SubmittedRun, ...] = ()

    def __init__(self, access: Access) -> None:
        self.access, self.forgotten = access, ""

    def runs(self) -> list[SubmittedRun]:
        return list(self.runs_there)

    def submit(
        self, run: str, folder: Path, command: list[str], storage: str, keys: dict[str, str], *place: object
    ) -> SubmittedRun:
        self.recipe = (folder / command[5]).read_text(encoding="utf-8")
        self.files = {path.name for path in folder.rglob("*") if path.is_file()}
        self.command, self.keys, self.storage, self.place = command, keys, storage, place
        return RUN

    def forget_keys(self, place: str) -> None:
        self.forgotten = place


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(submitting, "access", lambda given: Access(given, {}, ray.__version__))
    monkeypatch.setattr(submitting, "JobServer", Server)
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE, encoding="utf-8")
    return Path("mine.yaml")


def submitted(recipe: Path, address: str = "http://127.0.0.1:8265", **wanted: object) -> tuple[Server, str]:
    shown = io.StringIO()
    server, run = submit(Wanted(recipe, **wanted), address, Console(file=shown, width=400, emoji=False))  # type: ignore[arg-type]
    assert run is RUN and isinstance(server, Server)
    return server, shown.getvalue()


def test_the_keys_that_a_recipe_names_go_along_and_those_that_are_not_here_are_told(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TAILOR_TEST_KEY", "TAILOR_TEST_ACCOUNT", "HF_TOKEN", "TAILOR_TEST_MORE"):
        monkeypatch.setenv(name, f"{KEY}-{name}")
    server, shown = submitted(recipe, env=("TAILOR_TEST_MORE",))
    assert set(server.keys) == {"TAILOR_TEST_KEY", "TAILOR_TEST_ACCOUNT", "HF_TOKEN", "TAILOR_TEST_MORE"}
    assert "TAILOR_TEST_SECOND is not set here: the nodes must have it" in shown
    assert KEY not in shown and server.files == {"mine.yaml", "start.sh"}


def test_a_key_of_this_machines_secrets_file_goes_along(recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / ".config" / "tailor" / "secrets.env"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    file.write_text(f"TAILOR_TEST_SECOND={KEY}\n", encoding="utf-8")
    server, _ = submitted(recipe)
    assert server.keys == {"TAILOR_TEST_SECOND": KEY}


@pytest.mark.parametrize(
    ("address", "send", "sent"),
    [
        ("http://127.0.0.1:8265", None, True),
        ("https://ray.example.com", None, True),
        ("http://10.0.0.5:8265", None, False),
        ("http://10.0.0.5:8265", True, True),
        ("http://127.0.0.1:8265", False, False),
    ],
)
def test_keys_are_not_sent_where_they_could_be_read_on_the_way(
    address: str, send: bool | None, sent: bool, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_TEST_KEY", KEY)
    server, shown = submitted(recipe, address, send_keys=send)
    assert bool(server.keys) is sent
    assert ("ssh -N -L" in shown) is (not sent and send is None) and KEY not in shown


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ((f"TAILOR_TEST_MORE={KEY}",), "--env takes the name of a variable"),
        (("TAILOR_TEST_MORE",), "--env TAILOR_TEST_MORE: this variable is not set here"),
    ],
)
def test_a_variable_is_given_by_its_name_and_must_be_here(env: tuple[str, ...], said: str, recipe: Path) -> None:
    with pytest.raises(Refused, match=said) as refused:
        submitted(recipe, env=env)
    assert KEY not in str(refused.value)


def test_the_command_says_what_the_user_chose(recipe: Path) -> None:
    server, _ = submitted(recipe, name="other", storage="/shared/runs", seed=3, probe=False, restarts=5, cpus=1.0)
    words = "sh start.sh --restarts 5 tailored mine.yaml --name other --storage /shared/runs --seed 3 --no-probe"
    assert server.command == words.split() and server.storage == "/shared/runs" and server.place == (1.0, {})
    recipe.write_text("fine_tuning: {degrees: [1]}", encoding="utf-8")
    assert submitted(recipe)[0].command == ["sh", "start.sh", "--restarts", "3", "fine_tune_cot", "mine.yaml"]


def test_a_recipe_from_a_pipe_is_read_once(recipe: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(RECIPE,), daemon=True)
    writing.start()
    server, _ = submitted(pipe)
    assert server.command[-2:] == ["tailored", "pipe"] and server.recipe == RECIPE


def test_nothing_in_an_address_or_a_name_is_taken_for_markup(recipe: Path) -> None:
    recipe.write_text("task: {name: gsm8k, source: file, path: '/nowhere/[red]/:key:.jsonl'}", encoding="utf-8")
    address = "http://[fd00:a:b::5]:8265"
    _, said = submitted(recipe, address)
    assert f"to {address} as" in said and "[red]/:key:.jsonl is not on this machine" in said


def test_a_run_that_goes_on_and_another_ray_are_refused_before_anything_is_sent(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "submit", lambda *_: pytest.fail("it was sent"))
    monkeypatch.setattr(Server, "runs_there", (RUN,))
    with pytest.raises(Refused, match="mine is running on this cluster already, as mine@1"):
        submitted(recipe)
    monkeypatch.setattr(submitting, "access", lambda given: Access(given, {}, "2.9.3"))
    with pytest.raises(ClusterError, match=rf"runs Ray 2\.9\.3, and this Tailor needs {ray.__version__}"):
        submitted(recipe)
    refuse_another_ray(Access("http://a", {}, ray.__version__))


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_stands_in_place_on_a_terminal_and_line_by_line_in_a_file(terminal: bool) -> None:
    told = io.StringIO()
    progress = [describe(Snapshot(round=0, phase="train", done=done, total=9)) for done in range(3)]
    with shown(Console(file=told, width=100, force_terminal=terminal)) as say:
        for line in (*progress, "  ✓ round 0 train  1.0 s  [red]9[/red] steps · all"):
            say(line)
    lines = told.getvalue().splitlines()
    assert any("✓ round 0 train  1.0 s  [red]9[/red] steps · all" in line for line in lines)
    assert [line for line in lines if line in progress] == ([] if terminal else progress)


@pytest.mark.parametrize(
    ("state", "exit", "code", "said"),
    [
        ("succeeded", 0, 0, "mine has finished (mine@1)."),
        ("failed", 2, 2, "mine was refused (mine@1): nothing was started."),
        ("failed", 1, 1, "mine stopped before its end (mine@1). What was finished is kept"),
        ("stopped", None, 1, "mine was stopped (mine@1). What was finished is kept; the same tailor submit continues"),
        ("failed", None, 1, "mine stopped before its end (mine@1). the node died What was finished"),
    ],
)
def test_the_end_of_a_run_is_told_with_its_exit_code(state: str, exit: int | None, code: int, said: str) -> None:
    shown, server = io.StringIO(), Server(Access("http://a", {}, "1"))
    run = replace(RUN, state=state, exit_code=exit, message="the node died")
    assert tell_the_end(server, run, Console(file=shown, width=400)) == exit_code(run) == code  # type: ignore[arg-type]
    assert said in shown.getvalue() and server.forgotten == "place"
