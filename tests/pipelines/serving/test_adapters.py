"""Which students may share an engine, and how they are then served. (That they answer as alone:
`tests/serve/deployments/test_adapters.py`.)"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema
from rich.console import Console
from safetensors.numpy import load_file, save_file

from pipelines.errors import Refused
from pipelines.serving.adapters import adapter_of
from pipelines.serving.command import ServeOptions, serve_config
from pipelines.serving.deployed import Served, SharedEngine
from pipelines.serving.graduate import graduate_of, version_of
from pipelines.serving.proof import check_place, checkpoint_for
from pipelines.serving.sharing import share
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.rounds.directory import RunDirectory
from reasoning.student.probe import Probe, save_probe
from reasoning.training.weights.combining import CONFIG_FILE, WEIGHTS_FILE
from serve.serving import StudentServing
from serve.weights import Checkpoint
from tests.pipelines.serving.lora_runs import claimed_run

LAYER = "base_model.model.model.layers.0.mlp.up_proj"
TOGETHER = ServeOptions(adapters=True)


def lora_run(folder: Path, name: str, rank: int = 2) -> RunDirectory:
    """A run whose students are a configuration, a probe, and the adapter of one small layer."""
    directory, draw = claimed_run(folder, name, rank), np.random.default_rng(0)
    for number in range(2):
        files = directory.round(number)
        adapter = files.student / "adapter"
        adapter.mkdir(parents=True)
        (files.student / "config.json").write_text('{"model_type": "llama", "dtype": "float32"}', encoding="utf-8")
        sides = {"lora_A": draw.standard_normal((rank, 4)), "lora_B": draw.standard_normal((5, rank))}
        weights = {f"{LAYER}.{side}.weight": tensor.astype(np.float32) for side, tensor in sides.items()}
        save_file(weights, adapter / WEIGHTS_FILE)
        (adapter / CONFIG_FILE).write_text(f'{{"r": {rank}, "lora_alpha": {2 * rank}}}', encoding="utf-8")
        exact = Probe("there", "float32", ((1,),), ((2,),), ((-0.1,),), ((-3.0,),))
        save_probe(Probe("there", "float32", ((1,),), ((2,),), ((-0.1,),), ((-3.0,),), 0.1, exact), files.probe)
    return directory


def changed(directory: RunDirectory, old: str, new: str) -> RunDirectory:
    text = directory.recipe_file.read_text(encoding="utf-8")
    assert old in text
    directory.recipe_file.write_text(text.replace(old, new), encoding="utf-8")
    return directory


def served(*runs: RunDirectory, round: int | None = None) -> StudentServing:
    config = serve_config([one.path for one in runs], round, TOGETHER, None, None)
    (application,) = ServeDeploySchema.model_validate(yaml.safe_load(yaml.safe_dump(config))).applications
    assert application.name == f"adapters-{'+'.join(one.path.name for one in runs)}"
    assert application.route_prefix == "/"
    return StudentServing.model_validate(application.args)


def refused(*runs: RunDirectory, round: int | None = None) -> str:
    with pytest.raises(Refused) as error:
        served(*runs, round=round)
    return str(error.value)


def test_runs_that_began_alike_share_an_engine_by_their_names(tmp_path: Path) -> None:
    runs = [lora_run(tmp_path, "a"), lora_run(tmp_path, "b", rank=8)]
    serving = served(*runs, round=0)
    assert serving.checkpoint == str(EMBEDDED_STUDENT) and serving.names == ("a", "b")
    assert serving.frame == runs[0].form().frame and serving.answers is None and serving.dtype == "auto"
    assert serving.adapter_rank == serving.most_rank == 16  # of both rounds, so that the later one may be promoted
    for directory, adapter in zip(runs, serving.adapters.values(), strict=True):
        graduate = graduate_of(directory, 0)
        assert adapter.version == version_of(graduate) and adapter.probe == str(directory.round(0).probe)
        assert adapter.checkpoint == str(adapter_of(directory, graduate)) and adapter.answers.task == "coin_flip"
    weights = serving.weights()
    assert {name: one.version for name, one in weights.by_name("none").items()} == {
        name: one.version for name, one in serving.adapters.items()
    }


def test_the_adapter_of_a_round_is_that_of_all_before_it_and_is_written_once(tmp_path: Path) -> None:
    directory = lora_run(tmp_path, "a")
    folder = adapter_of(directory, graduate_of(directory, 1))
    parts = [load_file(directory.round(number).student / "adapter" / WEIGHTS_FILE) for number in range(2)]
    moved = sum(2.0 * one[f"{LAYER}.lora_B.weight"] @ one[f"{LAYER}.lora_A.weight"] for one in parts)
    both = load_file(folder / WEIGHTS_FILE)
    assert np.allclose(both[f"{LAYER}.lora_B.weight"] @ both[f"{LAYER}.lora_A.weight"], moved, atol=1e-5)
    before = (folder / WEIGHTS_FILE).stat().st_mtime_ns
    assert adapter_of(directory, graduate_of(directory, 1)) == folder
    assert (folder / WEIGHTS_FILE).stat().st_mtime_ns == before
    (directory.round(0).student / "adapter" / CONFIG_FILE).write_text('{"r": 2, "lora_alpha": 16}', encoding="utf-8")
    assert adapter_of(directory, graduate_of(directory, 1)) != folder  # the round was made again


def test_what_would_need_two_engines_is_refused_and_says_why(tmp_path: Path) -> None:
    first = lora_run(tmp_path, "a")
    assert "two of these runs would be served as a, a" in refused(first, lora_run(tmp_path / "again", "a"))
    other = changed(lora_run(tmp_path, "b"), "model: embedded", f"model: {tmp_path}")
    assert "did not begin with the same student" in refused(first, other)
    for number, (dtype, said) in enumerate((("bfloat16", "(auto, bfloat16)"), ("float16", "(auto, float16)"))):
        other = changed(lora_run(tmp_path, f"c{number}"), "dtype: auto", f"dtype: {dtype}")
        assert f"different dtypes {said}: serve them apart, without --adapters" in refused(first, other)
    other = changed(lora_run(tmp_path, "d"), "max_model_len: null", "max_model_len: 128")
    assert "have different student.max_model_len (None, 128)" in refused(first, other)


def test_a_round_that_lora_did_not_teach_is_no_adapter(tmp_path: Path) -> None:
    directory = lora_run(tmp_path, "a")
    (directory.round(0).student / "adapter" / CONFIG_FILE).unlink()
    assert "round-000/student/adapter: no adapter can be read there" in refused(directory, round=1)
    assert "where `lora` taught every round; serve this one without --adapters" in refused(directory)


def test_more_rank_than_vllm_takes_is_refused(tmp_path: Path) -> None:
    assert "together rank 600, and vLLM takes 512 at most" in refused(lora_run(tmp_path, "a", rank=300), round=1)


def test_students_of_another_dtype_than_their_first_one_are_computed_in_their_own(tmp_path: Path) -> None:
    directory = lora_run(tmp_path, "a")
    config = directory.round(0).student / "config.json"
    config.write_text('{"model_type": "llama", "dtype": "bfloat16"}', encoding="utf-8")
    assert served(directory).dtype == "bfloat16"


def as_served(*runs: RunDirectory) -> Served:
    """The first of these students, as it is found on the cluster."""
    serving = served(*runs)
    name, adapter = next(iter(serving.adapters.items()))
    engine = SharedEngine(serving, serving.weights())
    alone = serving.model_copy(update={"model_name": name, "answers": adapter.answers, "adapters": {}})
    return Served("adapters-a+b", alone, engine.weights.adapters[name], {}, engine)


def test_a_promotion_changes_one_of_the_adapters(tmp_path: Path) -> None:
    runs = [lora_run(tmp_path, "a"), lora_run(tmp_path, "b")]
    there, graduate = as_served(*runs), graduate_of(runs[0], 1)
    check_place(there, runs[0], graduate)
    assert checkpoint_for(there, runs[0], graduate) == adapter_of(runs[0], graduate)
    new = there.weights.followed_by(Checkpoint(version="new", checkpoint="/there"))
    serving, weights = there.deployed(new)
    assert serving.names == ("a", "b") and weights.adapters["a"].version == "new"
    assert weights.adapters["b"] == serving.weights().adapters["b"]
    assert there.deployed(new.before() or new)[1].adapters["a"].version == there.weights.version


def test_another_adapter_needs_the_engines_model_and_room(tmp_path: Path) -> None:
    runs = [lora_run(tmp_path, "a"), lora_run(tmp_path, "b")]
    there, large = as_served(*runs), lora_run(tmp_path, "c", rank=16)
    with pytest.raises(Refused, match=r"round 1 of .* has rank 32, and its engine was started with room for 4"):
        check_place(there, large, graduate_of(large, 1))
    with pytest.raises(Refused, match="and the engine has adapters of"):
        check_place(there, changed(large, "model: embedded", f"model: {tmp_path}"), graduate_of(large, 0))


def test_a_candidate_needs_an_engine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [lora_run(tmp_path, "a"), lora_run(tmp_path, "b")]
    found = (runs[0], graduate_of(runs[0], 1), as_served(*runs))
    monkeypatch.setattr("pipelines.serving.sharing.successor", lambda *_: found)
    with pytest.raises(Refused, match=r"a is an adapter on an engine that students share.*without --share"):
        share(runs[0].path, 1, None, None, 0.5, Console(file=io.StringIO()))
