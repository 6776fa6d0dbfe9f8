"""Whether AdamW's moments in 8 bits can be had here. Light: no torch.

Owns: what is said where they cannot."""

from __future__ import annotations

import importlib.util


def eight_bit_problem(*, gpu: bool) -> str:
    """Why `adamw_8bit` cannot be had, and the cure in a sentence of its own; "" where it can. `gpu`: whether the
    trainers have one."""
    if not gpu:
        return "it runs on a GPU, and the trainer has none. Set cluster.trainer_gpus, or take adamw"
    if importlib.util.find_spec("bitsandbytes") is None:
        return "bitsandbytes is not installed. Install it (pip install 'tailor[eight_bit]'), or take adamw"
    return ""
