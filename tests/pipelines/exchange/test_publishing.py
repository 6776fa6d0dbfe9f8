"""A student and its rationales as folders for the hub: what is in them, what their cards say, and the push."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import DatasetCard, ModelCard, constants
from safetensors.numpy import load_file, save_file

from pipelines.exchange.publishing import PublishedRationale, hub_id_of, licence_of
from reasoning.files.tables import read_table, write_table
from reasoning.recipe.student import EMBEDDED_STUDENT, StudentSection
from reasoning.records import Rationale, RationaleSource
from reasoning.rounds.directory import RunDirectory
from reasoning.training.weights.combining import CONFIG_FILE, WEIGHTS_FILE
from tests.pipelines.exchange.commands import said, write_student
from tests.pipelines.exchange.imitated_hub import TOKEN, ImitatedHub, imitated_hub
from tests.pipelines.report.test_transcripts import two_rounds


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three rounds with the checkpoint of the best one."""
    directory, _ = two_rounds(tmp_path)
    student = directory.round(0).student
    write_student(student)
    (student / "model.safetensors").write_bytes(b"weights")
    (student / "fine_tuning.json").write_text("{}")
    return directory.path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImitatedHub]:
    with imitated_hub() as one:
        monkeypatch.setattr(constants, "ENDPOINT", one.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield one


def test_a_models_folder_has_the_checkpoint_and_a_card_that_says_where_it_comes_from(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    code, told = said("export", run, "--format", "model", "--out", out)
    assert code == 0, told
    copied = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {file.name for file in out.iterdir()} == {"README.md", "chat_template.jinja", *copied}
    card = ModelCard.load(out / "README.md")
    assert card.data.license == "apache-2.0" and card.data.base_model is None
    (result,) = card.data.eval_results or []
    assert (result.metric_value, result.dataset_name) == (50.0, "coin_flip")
    for part in (
        "50.0 % of 100 test questions (95 % interval 40.0 to 60.0)",
        "| 0 (this model) | 50.0 % | 50.0 % | 40.0 – 60.0 |",
        "Student before teaching: embedded",
        "Teacher: offline-teacher",
        "chosen by its accuracy on 100 validation questions",
        "Question: QUESTION     Reasoning:",
        "Its chat template asks in this form",
        "The template that it had before it was taught asks otherwise",
        "terms of some providers",
    ):
        assert part in card.content.replace("\n", " "), part
    assert str(tmp_path) not in card.content


def test_a_folder_below_the_home_directory_is_meant(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert said("export", run, "--format", "model", "--out=~/mine")[0] == 0
    assert (tmp_path / "mine" / "README.md").is_file() and not (tmp_path / "~").exists()


def test_a_datasets_folder_has_every_rationale_with_the_mistake_it_answers(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    code, told = said("export", run, "--format", "dataset", "--out", out)
    assert code == 0 and "4 rationales of 3 questions" in told
    rows = read_table(out / "data" / "train.parquet", PublishedRationale)
    assert len(rows) == 4 and all(row.question and row.gold and row.mistake for row in rows)
    assert {row.kept for row in rows} == {True, False} and {row.source for row in rows} == {"tailored"}
    card = DatasetCard.load(out / "README.md")
    assert card.data.to_dict()["configs"][0]["data_files"][0]["path"] == "data/train.parquet"
    assert "4 answer a mistake" in card.content.replace("\n", " ")


def test_own_words_to_a_shown_answer_are_published_as_such(run: Path, tmp_path: Path) -> None:
    files = RunDirectory(run).round(1)
    told = read_table(files.rationales, Rationale)
    own = [
        replace(told[0], source=RationaleSource.STUDENT, prompt=prompt, text=prompt)
        for prompt in ("reasoning", "reasoning, answer shown")
    ]
    write_table(files.rationales, [*told, *own], Rationale)
    assert said("export", run, "--format", "dataset", "--out", tmp_path / "dataset")[0] == 0
    rows = read_table(tmp_path / "dataset" / "data" / "train.parquet", PublishedRationale)
    sources = {row.rationale: row.source for row in rows if row.source != "tailored"}
    assert sources == {"reasoning": "student", "reasoning, answer shown": "rationalized"}


def test_both_are_pushed_to_the_hub(run: Path, tmp_path: Path, hub: ImitatedHub) -> None:
    code, told = said("export", run, "--format", "model", "--out", tmp_path / "m", "--push", "me/student")
    assert code == 0 and f"Pushed to {hub.endpoint}/me/student" in told, told
    assert hub.private["models/me/student"] is True
    assert hub.files["models/me/student"]["model.safetensors"] == b"weights"
    assert b"license: apache-2.0" in hub.files["models/me/student"]["README.md"]
    arguments = ("--format", "dataset", "--out", tmp_path / "d", "--push", "me/words", "--public")
    code, told = said("export", run, *arguments)
    assert code == 0 and f"{hub.endpoint}/datasets/me/words" in told
    assert hub.private["datasets/me/words"] is False and "data/train.parquet" in hub.files["datasets/me/words"]
    code, told = said("export", run, "--format", "model", "--out", tmp_path / "again", "--push", "me/student", "--json")
    assert code == 0  # into the repository that is there


@pytest.mark.parametrize(
    ("token", "name", "status", "part"),
    [
        ("hf_wrong", "me/student", 0, "the hub answered 401"),
        (TOKEN, "me/student", 400, "the hub answered 400"),
        (TOKEN, "me/student", 403, "HF_TOKEN"),
        (TOKEN, "not a name", 0, "give OWNER/NAME"),
    ],
)
def test_what_the_hub_refuses_is_one_message_without_the_token(
    token: str,
    name: str,
    status: int,
    part: str,
    run: Path,
    tmp_path: Path,
    hub: ImitatedHub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    hub.refuses = status
    code, told = said("export", run, "--format", "model", "--out", tmp_path / "m", "--push", name)
    assert code == 2 and part in told and "Traceback" not in told and token not in told
    assert (tmp_path / "m" / "README.md").is_file()


def test_a_hub_that_is_not_there_is_one_message(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    code, told = said("export", run, "--format", "model", "--out", tmp_path / "m", "--push", "me/student")
    assert code == 2 and "http://127.0.0.1:9 was not reached" in told


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--format", "recorded", "--out", "x.jsonl", "--push", "a/b"), "--push is for --format model"),
        (("--format", "model", "--out", "."), "not an empty folder"),
        (("--format", "model", "--out", "m", "--round", "7"), "round 7 is not finished"),
    ],
)
def test_what_cannot_be_published_is_refused(
    arguments: tuple[str, ...], part: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, told = said("export", run, *arguments)
    assert code == 2 and part in told


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n# A student", "mit"),
        ("---\nlicense: [a, b]\n---\n", None),
        ("---\n: [\n---\n", None),
        ("# No head", None),
        (None, None),
    ],
)
def test_a_licence_is_what_the_students_card_states(card: str | None, licence: str | None, tmp_path: Path) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert licence_of(str(tmp_path)) == licence


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("/root/.cache/huggingface/hub/models--me--tiny-1B/snapshots/0a1b2c", "me/tiny-1B"),
        ("hub/models--gpt2/snapshots/0a1b2c/", "gpt2"),
        ("models/smollm2-Q8_0.gguf", None),
        ("./models/mine", None),
        ("mine", None),
        ("/data/models/mine", None),
        ("embedded", None),
    ],
)
def test_a_student_is_called_by_its_hub_id_where_it_has_one(model: str, name: str | None) -> None:
    assert hub_id_of(StudentSection(model=model)) == name


def test_a_licence_of_its_own_keeps_its_name(run: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--me--tiny" / "snapshots" / "0a1b2c"
    snapshot.mkdir(parents=True)
    head = "license: other\nlicense_name: tiny-research\nlicense_link: LICENSE\n"
    (snapshot / "README.md").write_text(f"---\n{head}---\n")
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace("model: embedded", f"model: {snapshot}"))
    assert said("export", run, "--format", "model", "--out", tmp_path / "out")[0] == 0
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert (card.data.license, card.data.license_name, card.data.base_model) == ("other", "tiny-research", "me/tiny")
    assert "license_link" not in card.data.to_dict()  # a file that is not here
    assert "before teaching: other (tiny-research)" in card.content and "0a1b2c" not in card.content


def test_a_student_that_is_gone_is_told_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    code, told = said("export", run, "--format", "model", "--out", tmp_path / "out", "--round", "1")
    assert code == 2 and "round-001/student: the student of round 1 is no longer there" in told
    assert not (tmp_path / "out").exists()


def test_the_embedded_student_has_this_projects_licence_and_an_unknown_one_none() -> None:
    assert licence_of(str(EMBEDDED_STUDENT)) == "apache-2.0"
    assert licence_of("nobody/has-this-here") is None and licence_of("not a name at all //") is None


def test_the_adapters_of_all_rounds_are_written_as_one(run: Path, tmp_path: Path) -> None:
    directory = RunDirectory(run)
    name, draw = "base_model.model.model.layers.0.mlp.up_proj", np.random.default_rng(0)
    moved = np.zeros((5, 4), np.float32)
    for number in range(2):
        inward, outward = (draw.standard_normal(shape).astype(np.float32) for shape in ((2, 4), (5, 2)))
        folder = directory.round(number).student / "adapter"
        folder.mkdir(parents=True)
        save_file({f"{name}.lora_A.weight": inward, f"{name}.lora_B.weight": outward}, folder / WEIGHTS_FILE)
        (folder / CONFIG_FILE).write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 8.0}')
        moved += 4.0 * outward @ inward
    code, told = said("export", run, "--format", "adapter", "--out", tmp_path / "a", "--round", "1")
    assert code == 0 and "of rank 4" in told
    both = load_file(tmp_path / "a" / WEIGHTS_FILE)
    assert np.allclose(both[f"{name}.lora_B.weight"] @ both[f"{name}.lora_A.weight"], moved, atol=1e-5)
    config = json.loads((tmp_path / "a" / CONFIG_FILE).read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (4, 4, ["up_proj"])
    code, told = said("export", run, "--format", "adapter", "--out", tmp_path / "b", "--round", "2")
    assert code == 2 and "round-002/student/adapter: no adapter can be read there" in told
    assert "Only rounds that were trained with `lora` have one" in told and not (tmp_path / "b").exists()
