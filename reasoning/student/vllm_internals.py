"""What Tailor uses of vLLM that vLLM does not promise to keep: everything such is here, and nowhere else.

Owns: the names under which vLLM's insides are reached, and why each is needed.

Invariants
- An engine never outlives the process that started it, however that one died.
- After a swap of weights no part of the engine computes with the old ones.
- Importing this module imports neither vLLM nor torch; each function imports what it needs.

An upgrade of vLLM that moves one of them fails `tests/reasoning/student/test_vllm_internals.py`, which names it.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vllm import AsyncLLMEngine


def is_engine_death(error: BaseException) -> bool:
    """Whether `error` says that the engine's process is gone. vLLM exports its other errors, not this one."""
    from vllm.v1.engine.exceptions import EngineDeadError

    return isinstance(error, EngineDeadError)


async def end_with_this_process(engine: AsyncLLMEngine) -> None:
    """Has the engine's processes end when this one does: vLLM leaves them behind after a SIGKILL."""
    await engine.collective_rpc("exit_with", args=(os.getpid(),))


async def take_weights(engine: AsyncLLMEngine, checkpoint: str) -> None:
    """Swaps the engine's weights for those in `checkpoint`, of the same shapes. vLLM's public way needs the weights in
    this process, or an engine that was put to sleep; `reload_weights` is its worker's own."""
    await engine.collective_rpc("reload_weights", kwargs={"weights_path": checkpoint})
    await engine.collective_rpc("refresh_heads")


def can_sleep() -> bool:
    """Whether engines of this process can sleep: vLLM refuses to start one that is to and cannot, as where its
    allocator was not built."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_sleep_mode_available() and current_platform.is_cumem_allocator_available())


async def gpu_memory(engine: AsyncLLMEngine) -> tuple[int, int]:
    """Free and total bytes of the engine's GPU, the fewest free where it has several. The engine's worker is asked,
    which has a context there: another process would take some of the memory to look at it."""
    looks = await engine.collective_rpc("gpu_memory")
    free, total = min((look[0], look[1]) for look in looks)
    return free, total


# Architectures that vLLM computes text with and yet reads with a library for images.
_READ_WITH_TORCHVISION = frozenset({"Qwen3_5ForCausalLM", "Qwen3_5MoeForCausalLM"})


def lacks_a_library(architecture: str) -> str:
    """The library that vLLM needs for a model of this architecture and that is not installed; "" for none."""
    needed = architecture in _READ_WITH_TORCHVISION and importlib.util.find_spec("torchvision") is None
    return "torchvision" if needed else ""


# The keys of a configuration in which vLLM looks for the length of its context, of which it takes the smallest.
CONTEXT_KEYS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_target_positions", "max_sequence_length", "max_seq_length", "seq_len"),
)
_ASSUMED_CONTEXT = 2048  # where none of them is there


def own_context(config: Any) -> int:
    """The context that vLLM gives a model of `config` (of `transformers`) where it is told none and has the memory:
    longer than its positions where those are scaled, shorter for Phi-3's kind of scaling (LongRoPE) (vLLM 0.29)."""
    text = config.get_text_config()
    found = {key: value for key in CONTEXT_KEYS if isinstance(value := getattr(text, key, None), int) and value > 0}
    context = found.get("model_max_length") or min(found.values(), default=_ASSUMED_CONTEXT)
    ropes = getattr(text, "rope_parameters", None) or {}
    each = [ropes] if "rope_type" in ropes else [rope for rope in ropes.values() if isinstance(rope, Mapping)]
    if any(rope.get("rope_type") == "longrope" for rope in each):
        return int(getattr(text, "original_max_position_embeddings", None) or context)
    if "gemma3" in text.model_type:
        return context
    factor = 1.0
    for rope in each:
        if rope.get("rope_type") not in ("su", "llama3"):
            factor = rope.get("factor") or factor
        if rope.get("rope_type") == "yarn":
            context = int(rope.get("original_max_position_embeddings") or context)
    return int(context * factor)


def has_experts(config: Any) -> bool:
    """Whether a model of `config` is a mixture of experts, whose weights `take_weights` does not swap on a CPU: vLLM's
    backend there packs experts when it first loads them, and after a reload computes with others, silently (Mixtral),
    or raises (Qwen3-MoE) (vLLM 0.29)."""
    counts = (getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))
    return any(isinstance(count, int) and count > 1 for count in counts)


def server_arguments(
    options: dict[str, Any],
    model_name: str,
    reasoning_parser: str | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> Namespace:
    """The arguments of vLLM's OpenAI-compatible server for an engine of these options. Their defaults are to be had
    from the command line's parser only."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    arguments: Namespace = make_arg_parser(FlexibleArgumentParser()).parse_args([])
    for name, value in options.items():
        setattr(arguments, name, value)
    arguments.served_model_name = [model_name]
    arguments.default_chat_template_kwargs = dict(chat_template_kwargs or {}) or None
    if reasoning_parser is not None:
        arguments.reasoning_parser = reasoning_parser
        arguments.structured_outputs_config.reasoning_parser = reasoning_parser  # the server's own copy
    validate_parsed_serve_args(arguments)
    return arguments


MOST_RANK = 512  # of an adapter


def adapter_options(folders: Mapping[str, str], rank: int) -> dict[str, Any]:
    """The engine's options, and its server's, for adapters by the names of their requests, up to `rank`, all of them at
    once in memory. vLLM takes some ranks only: the next larger one. Raises `ValueError` above `MOST_RANK`."""
    from typing import get_args

    from vllm.config.lora import MaxLoRARanks
    from vllm.entrypoints.openai.models.protocol import LoRAModulePath

    fitting = [one for one in sorted(get_args(MaxLoRARanks)) if one >= rank]
    if not fitting:
        raise ValueError(f"an adapter of rank {rank}: vLLM takes {MOST_RANK} at most")
    modules = [LoRAModulePath(name, folder) for name, folder in folders.items()]
    return {"enable_lora": True, "max_loras": len(modules), "max_lora_rank": fitting[0], "lora_modules": modules}


class ServedAdapter:
    """The adapter that the application of `server_application` answers with under `name`."""

    def __init__(self, app: Any, name: str) -> None:
        self._models, self._name = app.state.openai_serving_models, name

    @property
    def request(self) -> Any:
        """What makes a request to the engine one to the adapter."""
        return self._models.lora_requests[self._name]

    async def load(self, folder: str) -> None:
        """Takes the adapter in `folder` in the place of the one that is there, which stays where it cannot be loaded.
        Raises `ValueError`."""
        from vllm.entrypoints.serve.engine.protocol import ErrorResponse
        from vllm.entrypoints.serve.lora.protocol import LoadLoRAAdapterRequest

        wanted = LoadLoRAAdapterRequest(lora_name=self._name, lora_path=folder, load_inplace=True)
        said = await self._models.load_lora_adapter(wanted)
        if isinstance(said, ErrorResponse):
            raise ValueError(said.error.message)
        self.request.load_inplace = False  # with it each request would load it again


def read_prompts_by(engine: AsyncLLMEngine, read: Callable[[str], list[int] | None]) -> None:
    """Has the engine's server take the token ids of a text from `read`, where that gives any: its requests can say
    whether special tokens are added, not whether those that a text spells are read as such."""
    tokenizer: Any = engine.renderer.tokenizer
    own = type(tokenizer)

    def encode(self: Any, text: Any, *args: Any, **options: Any) -> Any:
        asked_otherwise = options.get("return_offsets_mapping") or "split_special_tokens" in options
        ids = read(text) if isinstance(text, str) and not asked_otherwise else None
        if ids is None:
            return own.__call__(self, text, *args, **options)
        return {
            "input_ids": ids[: options.get("max_length")]
        }  # the server cuts one token above its limit, then refuses

    tokenizer.__class__ = type(f"Framed{own.__name__}", (own,), {"__call__": encode})


def reasoning_parsers() -> tuple[str, ...]:
    """The names of vLLM's parsers of thinking. Its own server checks them in a start that Serve's replicas pass by."""
    from vllm.reasoning import ReasoningParserManager

    return tuple(sorted(ReasoningParserManager.list_registered()))


async def server_application(engine: AsyncLLMEngine, arguments: Namespace) -> Any:
    """vLLM's OpenAI-compatible server over `engine`, as an ASGI application. The public way, `vllm serve`, listens on a
    port of its own, which Ray Serve's replicas must not."""
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.launchers.app import build_app

    tasks = await engine.get_supported_tasks()
    app = build_app(arguments, tasks, engine.model_config)
    await init_app_state(engine, app.state, arguments, tasks)
    models = app.state.openai_serving_models
    for served in models.base_model_paths:
        served.model_path = served.name  # what clients are told of it is a folder of this machine
    if arguments.lora_modules:
        models.show_available_models = _adapters_alone(models.show_available_models)
    return app


def _adapters_alone(available: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """A list of models without the one that the adapters are of, which is not served, and without their folders."""

    async def listed() -> Any:
        found = await available()
        base, found.data = found.data[0], found.data[1:]
        for card in found.data:
            card.root, card.max_model_len = card.id, base.max_model_len
        return found

    return listed


def served_model(app: Any) -> Callable[[str], Awaitable[Any]]:
    """What answers with one model of `server_application`, by its name, as its list describes it: the list has a route
    there, and a model of its own none."""

    async def described(name: str) -> Any:
        models = (await app.state.openai_serving_models.show_available_models()).data
        return next(model for model in models if model.id == name).model_dump()

    return described


async def run_bare_server(arguments: Namespace) -> None:
    """vLLM's own server, as its command starts it: the peer of measurements. The command itself asks for a distribution
    named vllm, which the builds for CPUs are not."""
    from vllm.entrypoints.launchers.api_server.entry import run_server

    await run_server(arguments)


def metrics_of_ray() -> list[Any]:
    """What has an engine's own metrics (requests, tokens, times to the first token) exported by Ray with its others,
    and not by a route of the server."""
    from vllm.v1.metrics.ray_wrappers import RayPrometheusStatLogger

    return [RayPrometheusStatLogger]


def known_architectures() -> frozenset[str]:
    """The architectures that the installed vLLM generates text with; empty where it is not installed."""
    tables = frozenset({"_TEXT_GENERATION_MODELS", "_MULTIMODAL_MODELS", "_TRANSFORMERS_SUPPORTED_MODELS"})
    return _keys("model_executor/models/registry.py", tables)


def refused_in_float16() -> frozenset[str]:
    """The model types that the installed vLLM does not compute in float16, whose range is too small for them."""
    return _keys("config/model.py", frozenset({"_FLOAT16_NOT_SUPPORTED_MODELS"}))


@functools.cache
def _keys(file: str, tables: frozenset[str]) -> frozenset[str]:
    """The keys of `tables` of vLLM's module `file`. To import that is to import vLLM, which takes seconds and much
    memory: its source is read, as data."""
    package = importlib.util.find_spec("vllm")
    folders = list(package.submodule_search_locations or ()) if package else []
    source = Path(folders[0]) / file if folders else None
    if source is None or not source.is_file():
        return frozenset()
    return frozenset(
        key.value
        for statement in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict)
        if any(isinstance(target, ast.Name) and target.id in tables for target in statement.targets)
        for key in statement.value.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    )


class WorkerExtension:
    """Methods that vLLM mixes into its worker (`worker_extension_cls`), called through `collective_rpc`."""

    def exit_with(self, owner: int) -> None:
        """Ends this process soon after process `owner`, which started the engine, is gone: a SIGKILL there cleans
        nothing up, and an engine left behind keeps its memory. (An engine with several workers ends with them.)"""
        import threading
        import time

        def watch() -> None:
            try:
                while True:
                    os.kill(owner, 0)
                    time.sleep(1.0)
            except ProcessLookupError:
                os._exit(1)

        threading.Thread(target=watch, name="exit-with-owner", daemon=True).start()

    def gpu_memory(self) -> tuple[int, int]:
        """Free and total bytes of this worker's GPU, whoever uses it."""
        import torch

        free, total = torch.accelerator.get_memory_info()
        return free, total

    def refresh_heads(self) -> None:
        """Rebuilds what the CPU backend derived from output embeddings when it first loaded them.

        After `reload_weights` an output embedding that is tied to the input one keeps computing with the old weights
        there (vLLM 0.29), silently. Harmless elsewhere."""
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead
        from vllm.platforms import current_platform

        if not current_platform.is_cpu():
            return
        for module in self.model_runner.get_model().modules():  # type: ignore[attr-defined]
            if isinstance(module, ParallelLMHead):
                module.quant_method.process_weights_after_loading(module)
