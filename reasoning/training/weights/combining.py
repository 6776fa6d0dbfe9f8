"""Adapters of consecutive rounds as one.

Owns: the files of an adapter (PEFT's format), and how several become one.

Invariant: adapters that were each trained on the student before, with its own merged in, add up. What is written has
their ranks' sum, and does to the first student what they did to one after another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from reasoning.files.durable import new_folder

WEIGHTS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."  # what PEFT puts before the names of a model's layers


class AdapterError(ValueError):
    """An adapter that is missing, or cannot be put together with others. The message names its folder."""


def adapter_rank(folder: Path) -> int:
    """The rank of the adapter in `folder`. Raises `AdapterError`."""
    try:
        return int(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError) as error:
        raise AdapterError(f"{folder}: no adapter can be read there ({error})") from error


def combine(folders: Sequence[Path], base: str, out: Path) -> int:
    """Writes to `out` the one adapter that does to the student `base` what those in `folders` did one after another,
    and returns its rank. Raises `AdapterError` where one is missing or reads otherwise, `OSError`."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    parts = []
    for folder in folders:
        try:
            config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
            parts.append((config["lora_alpha"] / config["r"], config, load_file(folder / WEIGHTS_FILE)))
        except (OSError, ValueError, KeyError) as error:
            raise AdapterError(f"{folder}: no adapter can be read there ({error})") from error
    if len({frozenset(weights) for *_, weights in parts}) != 1:
        raise AdapterError(f"{folders[0].parent}: its rounds have adapters of different layers (lora.targets)")
    rank = sum(int(config["r"]) for _, config, _ in parts)
    together = {}
    for name in parts[0][2]:
        inward = ".lora_A." in name
        sides = [weights[name] if inward else weights[name] * np.float32(scale) for scale, _, weights in parts]
        together[name] = np.ascontiguousarray(np.concatenate(sides, axis=0 if inward else 1))
    last = parts[-1][1]
    targets = sorted({name.removeprefix(PREFIX).rsplit(".lora_", 1)[0].rsplit(".", 1)[-1] for name in together})
    last |= {"r": rank, "lora_alpha": rank, "base_model_name_or_path": base, "target_modules": targets}
    with new_folder(out) as part:
        save_file(together, part / WEIGHTS_FILE, metadata={"format": "pt"})
        (part / CONFIG_FILE).write_text(json.dumps(last, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return rank
