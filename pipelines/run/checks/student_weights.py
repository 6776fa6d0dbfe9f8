"""What the files of a student's weights say in their heads: that they can be read, are of its model, and can be taught.

Owns: the checks of the heads of safetensors files, and of what a hub has where nothing is on this machine yet.

Invariant: no weights are loaded, nothing but a list of file names is fetched, and torch is not imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.run.checks.student_files import APART, PreflightFault, folder_faults, other_form
from reasoning.student.config import folder_of, weights_files
from reasoning.student.small_copy import LAYERS

_TAUGHT = {"F64", "F32", "F16", "BF16"}
_LAYER = re.compile(r"\.(\d+)\.")
_OF_TEXT = re.compile(r"(?:model|transformer|gpt_neox)\.(?:layers|h|blocks)\.(\d+)\.")  # and no eye's or ear's
# What training programs put before a weight's name when they save what they wrapped.
_WRAPPED = {
    "base_model.model.": "peft, around an adapter that was not merged (`merge_and_unload()` first)",
    "_orig_mod.": "torch.compile (save `model._orig_mod`)",
    "module.": "data parallel training (save `model.module`)",
    "_fsdp_wrapped_module.": "FSDP (gather the state first)",
}


def weights_faults(folder: Path, config: Mapping[str, Any]) -> Iterator[PreflightFault]:
    """What is wrong with the weights in `folder`, whose files are all there. `config` is the text part's."""
    kinds: dict[str, str] = {}
    for name in weights_files(folder):
        found = _heads(folder / name)
        if isinstance(found, PreflightFault):
            yield found
            return
        kinds |= found
    odd = sorted({kind for name, kind in kinds.items() if name.endswith("weight") and kind not in _TAUGHT})
    if odd:
        what = f"{folder} holds weights in {', '.join(odd)}, which are quantized and cannot be taught"
        yield PreflightFault("student.model", what, "Give the unquantized model that they were made from")
        return
    for prefix, by in _WRAPPED.items():
        if kinds and all(name.startswith(prefix) for name in kinds):
            what = f"{folder} names its weights {prefix}..., as they were saved by {by}"
            yield PreflightFault("student.model", what, "Save the model itself again")
            return
    if "lm_head.weight" in kinds and not any(re.search("emb|wte|shared", name) for name in kinds):
        what = f"{folder} has its one table of embeddings as lm_head.weight, which vLLM does not take"
        yield PreflightFault("student.model", what, "Load the model, and save it again with `save_pretrained`")
        return
    depth = next((config[name] for name in LAYERS if isinstance(config.get(name), int)), None)
    there = {int(found[1]) for found in map(_LAYER.search, kinds) if found}
    absent = [layer for layer in range(depth or 0) if layer not in there]
    beyond = sorted({int(found[1]) for found in map(_OF_TEXT.match, kinds) if found and int(found[1]) >= (depth or 0)})
    if depth is not None and beyond and not any("nextn" in name or "mtp" in name for name in config):
        what = f"{folder} has weights of layer {beyond[-1]}, which would be left out: config.json has {depth} layers"
        yield PreflightFault("student.model", what, "Take the config.json that belongs to these weights")
        return
    if there and absent:
        what = f"{folder} has no weights of layer {absent[0]}, and config.json has {depth} layers"
        yield PreflightFault("student.model", what, "Fetch the whole model again, config.json included")


def _heads(file: Path) -> dict[str, str] | PreflightFault:
    """The names of the weights in `file`, each with the kind of its numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as weights:
            return {name: str(weights.get_slice(name).get_dtype()) for name in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        cure = "Fetch it again; a file of a few lines is a Git LFS pointer (`git lfs pull`)"
        return PreflightFault("student.model", f"{file} ({file.stat().st_size} bytes) cannot be read: {error}", cure)


def hub_faults(source: str, config: Mapping[str, Any]) -> Iterator[PreflightFault]:
    """What is wrong with the weights of the hub student `source`, of which `config.json` is in the cache: those that
    lie beside it, and where they do not, what the hub has."""
    folder = folder_of(source)
    names = weights_files(folder) if folder is not None else []
    if folder is not None and names and all((folder / name).is_file() for name in names):
        faults = list(folder_faults(folder))
        yield from faults or weights_faults(folder, config)
        return
    listed = _listed(source)
    if listed is None:
        from huggingface_hub.constants import HF_HUB_OFFLINE

        if HF_HUB_OFFLINE:
            what = f"the weights of {source} are not in the cache, and HF_HUB_OFFLINE forbids fetching them"
            yield PreflightFault("student.model", what, f"Fetch them first (`hf download {source}`), or unset it")
        return
    whole = any(name == "model.safetensors" or name.startswith("model.safetensors.index") for name in listed)
    if not whole or not {*APART}.isdisjoint(listed):
        form = other_form(listed)
        what = f"{source} {form[0]}" if form else f"{source} has no model.safetensors on the hub"
        yield PreflightFault("student.model", what, form[1] if form else "Take a model that has its weights there")


def _listed(source: str) -> list[str] | None:
    """The names of the files that the hub has of `source`; None where it cannot be asked."""
    from huggingface_hub import list_repo_files
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return [name for name in list_repo_files(source) if "/" not in name]
    except (HfHubHTTPError, OSError, ValueError):
        return None
