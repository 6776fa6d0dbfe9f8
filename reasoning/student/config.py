"""What a student's configuration says, read without loading anything: no torch here.

Owns: finding `config.json` of a folder or hub id, and what follows from it for the rest of the house.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

WEIGHTS_INDEX = "model.safetensors.index.json"  # which file has which weight, where there are several


def config_file(source: str) -> Path:
    """The `config.json` of a local folder, or of a hub student (which it may fetch). Raises `OSError`, `ValueError`."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder / "config.json"
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(source, "config.json"))


def folder_of(source: str) -> Path | None:
    """The folder with the student's files, as far as they are on this machine: the local folder, or the snapshot of a
    hub student in the cache. Nothing is fetched; None where there is none."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(source, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def weights_files(folder: Path) -> list[str]:
    """The names of the files in `folder` that `transformers` reads weights from, there or not: the one, or those of the
    index; [] where neither is there. vLLM reads those of the index first, and without one all that are there."""
    return ["model.safetensors"] if (folder / "model.safetensors").is_file() else indexed_files(folder)


def indexed_files(folder: Path) -> list[str]:
    """The names of the files that the index in `folder` names; [] where there is none."""
    shards = (read_config(folder / WEIGHTS_INDEX) or {}).get("weight_map")
    return sorted({str(name) for name in shards.values()}) if isinstance(shards, dict) else []


def read_config(file: Path) -> dict[str, Any] | None:
    """The configuration in `file`; None when it is not there or no JSON object."""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The keys of the part of a model that reads and writes text: of a model with eyes or ears, one part of several
    (`text_config`), over those of the whole."""
    parts = [config[name] for name in ("text_config", "llm_config", "language_config") if name in config]
    return config | next((part for part in parts if isinstance(part, dict)), {})


def is_encoder_decoder(source: str) -> bool:
    """Whether the student at `source` reads its prompt with an encoder (T5), which vLLM does not sample or serve."""
    return bool((read_config(config_file(source)) or {}).get("is_encoder_decoder"))


def context_of(source: str) -> int | None:
    """How many positions the student at `source` has; None when they do not end (relative ones, as T5's) or nothing is
    said. Raises `OSError`, `ValueError` as `config_file` does."""
    config = text_config(read_config(config_file(source)) or {})
    positions = config.get("max_position_embeddings")
    if positions is None and not config.get("is_encoder_decoder"):
        positions = config.get("n_positions")
    return positions if isinstance(positions, int) and positions > 0 else None


def weights_of(folder: Path) -> int:
    """How many numbers the weights in `folder` have, told from the heads of the files that are read; 0 where there are
    none that can be."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for name in weights_files(folder):
        try:
            with safe_open(folder / name, framework="np") as weights:
                count += sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118
        except (SafetensorError, OSError):
            continue
    return count
