"""How vLLM is set up for a student, on CPU or GPU: the one place that knows, for the sampler and for serving.

Owns: the process environment and the engine options for a student. The keys are `reasoning.recipe.engine`'s.

Invariants
- `prepare_process` runs before the first import of vLLM in a process; a variable that the user has set is kept.
- No remote code, no usage statistics, no chatter below ERROR.
- This module needs neither vLLM nor torch to be imported.

`AsyncLLM` runs its engine in a process of its own and, on CPU, the worker in a third. There, with
VLLM_ENABLE_V1_MULTIPROCESSING=0, the worker stays in the engine's process: measured on two cores with a float32 Llama
of 0.4M parameters (300 prompts, n = 4, 64 tokens each, one OpenMP thread), up in 26 s instead of 42 s with imports,
and 11,000 tokens/s instead of 10,000.
"""

from __future__ import annotations

import os
from typing import Any

from reasoning.recipe.base import NotNegative
from reasoning.recipe.engine import EngineSection
from reasoning.student.config import folder_of, weights_of
from reasoning.student.loading import load_config
from reasoning.student.vllm_internals import WorkerExtension
from reasoning.training.weights.half_precision import bfloat16_pays


class EngineSettings(EngineSection):
    """One engine. `model` is a folder or hub id; `gpus` is how many GPUs this engine has (0 = CPU). `sleeps`: it may be
    asked to give its GPUs' memory up for a while."""

    model: str
    gpus: NotNegative = 0.0
    seed: int = 0
    sleeps: bool = False

    @property
    def eager(self) -> bool:
        """Whether it runs without CUDA graphs: as told, otherwise on a CPU only. They make a small student fast."""
        return not self.gpus if self.enforce_eager is None else self.enforce_eager


def prepare_process(settings: EngineSettings) -> None:
    """Sets the environment that vLLM reads at import and hands to its own processes."""
    environment = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    if not settings.gpus:
        # Without nobind each engine takes the same first cores. One engine process instead of two: see the head.
        environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    for name, value in environment.items():
        os.environ.setdefault(name, value)


def checkpoint_dtype(checkpoint: str) -> str:
    """The dtype a checkpoint says it is in ("float32", ...), "auto" when it does not say. vLLM's own "auto" runs a
    float32 checkpoint in half precision, which then is not the student that was trained."""
    config = load_config(checkpoint)
    dtype = config.get_text_config().dtype or config.dtype
    return "auto" if dtype is None else str(dtype).removeprefix("torch.")


def _auto_dtype(settings: EngineSettings) -> str:
    """The checkpoint's own, but for a float32 one that a CPU computes faster in bfloat16, as it was trained there."""
    own = checkpoint_dtype(settings.model)
    folder = folder_of(settings.model)
    if own == "float32" and not settings.gpus and folder is not None and bfloat16_pays(weights_of(folder)):
        return "bfloat16"
    return own


def engine_options(settings: EngineSettings) -> dict[str, Any]:
    """Keyword arguments of vLLM's `AsyncEngineArgs`, which are also attributes of its server's arguments."""
    options: dict[str, Any] = {
        "model": settings.model,
        "dtype": _auto_dtype(settings) if settings.dtype == "auto" else settings.dtype,
        # -1: the model's own limit or, where the cache does not hold one answer as long, what it does hold. Without it
        # the engine of a student with 131,072 positions does not start on a laptop.
        "max_model_len": -1 if settings.max_model_len is None else settings.max_model_len,
        "enforce_eager": settings.eager,
        "seed": settings.seed,
        "trust_remote_code": False,
        "enable_prefix_caching": True,
        "use_tqdm_on_load": False,
        "worker_extension_cls": f"{WorkerExtension.__module__}.{WorkerExtension.__qualname__}",
    }
    if settings.gpus:
        options["gpu_memory_utilization"] = settings.gpu_memory_utilization
        options["tensor_parallel_size"] = max(1, int(settings.gpus))
        if settings.sleeps:
            options["enable_sleep_mode"] = True
    else:
        options["kv_cache_memory_bytes"] = int(settings.kv_cache_gib * 2**30)
        options["block_size"] = 32  # the CPU default of 128 is longer than most prompts, which then never hit the cache
        # A seeded request whose prompt is prefilled in pieces kills the engine on CPU ("CPU Generator does not use
        # offset", vLLM 0.29), so prompts are prefilled whole.
        options["enable_chunked_prefill"] = False
    return options
