"""What a student's configuration says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasoning.student.config import WEIGHTS_INDEX, config_file, context_of, is_encoder_decoder, read_config, weights_of


def student(folder: Path, config: dict[str, Any]) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"n_positions": 1024}, 1024),  # GPT-2
        ({"is_encoder_decoder": True, "n_positions": 512}, None),  # T5's positions are relative
        ({"max_position_embeddings": "many"}, None),
        ({}, None),
    ],
)
def test_the_configuration_says_the_context(tmp_path: Path, config: dict[str, Any], context: int | None) -> None:
    assert context_of(student(tmp_path, config)) == context


def test_an_encoder_decoder_is_told_from_a_decoder(tmp_path: Path) -> None:
    assert is_encoder_decoder(student(tmp_path, {"is_encoder_decoder": True}))
    assert not is_encoder_decoder(student(tmp_path, {}))


def test_a_damaged_or_missing_configuration_says_nothing(tmp_path: Path) -> None:
    assert config_file(str(tmp_path)) == tmp_path / "config.json"
    assert read_config(tmp_path / "config.json") is None
    for text in ("{", "[1]"):
        (tmp_path / "config.json").write_text(text)
        assert read_config(tmp_path / "config.json") is None


def test_weights_are_counted_once(tmp_path: Path) -> None:
    """Mistral's folders have them a second time, as `consolidated.safetensors`."""
    import numpy as np
    from safetensors.numpy import save_file

    for name in ("model-00001-of-00001.safetensors", "consolidated.safetensors"):
        save_file({"a": np.zeros((3, 4))}, tmp_path / name)
    assert weights_of(tmp_path) == 0
    (tmp_path / WEIGHTS_INDEX).write_text(json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors"}}))
    assert weights_of(tmp_path) == 12
