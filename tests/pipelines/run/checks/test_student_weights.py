"""Weights that are no student's are told from the heads of their files, of a local folder and of a hub's cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipelines.run.checks.student_weights import hub_faults
from tests.pipelines.run.checking import SMALL, checked, only

Weights = dict[str, Tensor]

# What became of a whole student's weights, what is said of it, and a word of the cure.
CASES: list[tuple[str, Callable[[Weights], Weights], str, str]] = [
    ("int8", lambda w: {n: t.to(torch.int8) for n, t in w.items()}, "I8", "unquantized"),
    ("fp8", lambda w: {n: t.to(torch.float8_e4m3fn) for n, t in w.items()}, "F8_E4M3", "unquantized"),
    ("peft", lambda w: {f"base_model.model.{n}": t for n, t in w.items()}, "peft", "again"),
    ("compiled", lambda w: {f"_orig_mod.{n}": t for n, t in w.items()}, "torch.compile", "again"),
    ("wrapped", lambda w: {f"module.{n}": t for n, t in w.items()}, "data parallel", "again"),
    (
        "more",
        lambda w: w | {n.replace(".1.", ".2."): t.clone() for n, t in w.items() if ".layers.1." in n},
        "left out",
        "belongs",
    ),
    (
        "tied to the output",
        lambda w: {n: t for n, t in w.items() if "embed_tokens" not in n},
        "lm_head.weight",
        "again",
    ),
    ("cut", lambda w: {n: t for n, t in w.items() if ".layers.1." not in n}, "no weights of layer 1", "again"),
]


def rewritten(student: Path, folder: Path, change: Callable[[Weights], Weights]) -> Path:
    shutil.copytree(student, folder)
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(("kind", "change", "what", "cure"), CASES, ids=[kind for kind, *_ in CASES])
def test_weights_that_cannot_be_taught(
    tmp_path: Path, student: Path, kind: str, change: Callable[[Weights], Weights], what: str, cure: str
) -> None:
    fault = only(SMALL, rewritten(student, tmp_path / "student", change))
    assert fault.place == "student.model" and what in fault.what and cure in fault.cure


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_every_precision_are_taken(tmp_path: Path, student: Path, dtype: torch.dtype) -> None:
    folder = rewritten(student, tmp_path / "student", lambda w: {n: t.to(dtype) for n, t in w.items()})
    assert checked(SMALL, folder)


def cached(student: Path, cache: Path, *names: str) -> str:
    """A hub's cache with the files of these names of a student: links to blobs, as the hub's library lays it out."""
    store = cache / "models--org--name"
    for part in ("blobs", "refs", "snapshots/4f2a"):
        (store / part).mkdir(parents=True)
    (store / "refs" / "main").write_text("4f2a")
    for name in names or [file.name for file in student.iterdir()]:
        shutil.copy(student / name, store / "blobs" / name)
        (store / "snapshots" / "4f2a" / name).symlink_to(store / "blobs" / name)
    return "org/name"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_hub_student_in_the_cache_is_looked_at_as_a_folder_is(cache: Path, student: Path) -> None:
    source = cached(rewritten(student, cache / "made", CASES[0][1]), cache)
    (fault,) = hub_faults(source, {})
    assert "I8" in fault.what and "models--org--name" in fault.what


def test_a_hub_student_whose_weights_cannot_be_had(cache: Path, student: Path) -> None:
    """Offline, as the whole test session is."""
    source = cached(student, cache, "config.json", "tokenizer.json", "tokenizer_config.json")
    (fault,) = hub_faults(source, {})
    assert "not in the cache" in fault.what and "hf download org/name" in fault.cure


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (["config.json", "model.safetensors"], None),
        (["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"], None),
        (["config.json", "pytorch_model.bin"], "pickled"),
        (["config.json", "model-Q4_K_M.gguf"], "GGUF"),
        (["adapter_config.json", "adapter_model.safetensors"], "adapter"),
        (["config.json", "model.safetensors", "modules.json"], "embeddings"),
        (["README.md"], "no model.safetensors on the hub"),
    ],
)
def test_what_the_hub_has_is_known_before_it_is_fetched(
    cache: Path, student: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], what: str | None
) -> None:
    source = cached(student, cache, "config.json")
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda _: [*files, "original/consolidated.00.pth"])
    faults = list(hub_faults(source, {}))
    assert len(faults) == (what is not None)
    assert all(what is not None and what in fault.what for fault in faults)


def test_a_hub_that_does_not_answer_is_no_fault(cache: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> list[str]:
        raise OSError("no route to host")

    source = cached(student, cache, "config.json")
    monkeypatch.setattr(huggingface_hub, "list_repo_files", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    assert not list(hub_faults(source, {}))
