"""Names and routes of students that are served, and what is refused before anything is started."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import ray
import yaml
from ray.serve.schema import ServeDeploySchema
from rich.console import Console

from pipelines.errors import Refused
from pipelines.serving.command import ServeOptions, _check_names, serve_config, serve_run
from pipelines.serving.graduate import graduate_of, question_line, serving_of
from pipelines.serving.names import application_of_adapters
from reasoning.rounds.directory import RunDirectoryError
from serve.serving import StudentServing
from tests.pipelines.serving.test_graduate import finished_run


def refused(
    paths: list[Path], options: ServeOptions | None = None, name: str | None = None, route: str | None = None
) -> str:
    with pytest.raises((Refused, RunDirectoryError)) as error:
        serve_run(paths, None, options or ServeOptions(), name, route, Console(file=io.StringIO()))
    assert not ray.is_initialized()
    return str(error.value)


def test_what_cannot_be_served_is_refused_before_ray_is_started(tmp_path: Path) -> None:
    run = finished_run(tmp_path).path
    other = finished_run(tmp_path / "other").path
    assert "two of these runs would be served as mine, mine: serve them apart" in refused([run, other])
    assert "no finished round" in refused([tmp_path]) or "not a run directory" in refused([tmp_path])
    missing = ServeOptions(keys_file=tmp_path / "keys")
    assert "keys: the key file cannot be read" in refused([run], missing)
    (tmp_path / "keys").write_text("# later\n", encoding="utf-8")
    assert "there is no key in" in refused([run], missing)
    assert "the variable NO_SUCH_KEYS" in refused([run], ServeOptions(keys_variable="NO_SUCH_KEYS"))


def test_a_route_is_one_students(tmp_path: Path) -> None:
    runs = [finished_run(tmp_path / name).path for name in ("a", "b")]
    (runs[1] / "recipe.yaml").write_text(
        (runs[1] / "recipe.yaml").read_text(encoding="utf-8").replace("name: mine", "name: other"), encoding="utf-8"
    )
    assert "--route is for one run" in refused(runs, route="here")
    assert "leave /v1 out" in refused(runs[:1], route="/mine/v1/")
    for route in ("a b", "/a//b", "/ü", "/a?b"):
        assert f"--route {route}: an address has letters" in refused(runs[:1], route=route)
    for route, prefix in (("", "/"), ("/", "/"), ("mine", "/mine"), ("/a/b-1.c/", "/a/b-1.c")):
        config = serve_config(runs[:1], None, ServeOptions(), None, route)
        assert config["applications"][0]["route_prefix"] == prefix


def test_a_configuration_holds_what_can_stand_side_by_side(tmp_path: Path) -> None:
    run = finished_run(tmp_path).path
    with pytest.raises(Refused, match="serve them apart"):
        serve_config([run, run], None, ServeOptions(), None, None)


def test_the_printed_configuration_serves_the_same_student(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    options = ServeOptions(host="0.0.0.0", port=9000, replicas=0, most_replicas=3)
    config = ServeDeploySchema.model_validate(
        yaml.safe_load(yaml.safe_dump(serve_config([directory.path], 1, options, None, None)))
    )
    (application,) = config.applications
    assert (application.name, application.route_prefix) == ("student-mine", "/")
    assert (config.http_options.host, config.http_options.port) == ("0.0.0.0", 9000)
    read_back = StudentServing.model_validate(application.args)
    assert read_back == serving_of(directory, graduate_of(directory, 1), replicas=0, most_replicas=3)
    assert read_back.frame == directory.form().frame and read_back.answers is not None


def test_no_key_is_in_the_line_that_a_user_is_shown() -> None:
    assert "Authorization: Bearer $KEY" in question_line("http://127.0.0.1:8000/v1", keyed=True)
    assert "Authorization" not in question_line("http://127.0.0.1:8000/v1", keyed=False)


def test_a_name_by_which_a_student_is_served_already_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.internals.routes", lambda: {"/": application_of_adapters(["a", "b"])})
    _check_names(["c"])
    with pytest.raises(Refused, match=r"the name b is taken by the application adapters-a\+b .*another --name"):
        _check_names(["c", "b"])
