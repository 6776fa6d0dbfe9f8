"""What Tailor uses of vLLM's insides is still there; a name that an upgrade moved is named here.

About 10 s: vLLM is imported."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
from typing import Any

import pytest

from reasoning.student import vllm_internals
from tests.conftest import ROOT

pytestmark = pytest.mark.engine

# vLLM's own public face: what its documentation shows, and the modules of its exported types.
PUBLIC = {"vllm", "vllm.sampling_params", "vllm.exceptions"}
OWNER = "reasoning/student/vllm_internals.py"


def names_of_vllm(path: str) -> list[tuple[str, str]]:
    """Module and name of everything that the file imports from vLLM, anywhere in it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vllm"
        for alias in node.names
    ]


@pytest.mark.parametrize(("module", "name"), sorted(set(names_of_vllm(OWNER))))
def test_a_name_inside_vllm_is_where_it_was(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name), f"vLLM has moved {module}.{name}, which {OWNER} needs"


@pytest.mark.parametrize(
    ("module", "owner", "method", "parameters"),
    [
        ("vllm", "AsyncLLMEngine", "from_engine_args", {"engine_args"}),
        ("vllm", "AsyncLLMEngine", "collective_rpc", {"method", "args", "kwargs"}),
        ("vllm", "AsyncLLMEngine", "reset_prefix_cache", set()),
        ("vllm", "AsyncLLMEngine", "get_supported_tasks", set()),
        ("vllm", "AsyncLLMEngine", "check_health", set()),
        ("vllm", "AsyncLLMEngine", "generate", {"lora_request"}),
        ("vllm.entrypoints.openai.models.serving", "OpenAIServingModels", "load_lora_adapter", {"request"}),
        ("vllm.entrypoints.openai.models.serving", "OpenAIServingModels", "show_available_models", set()),
        ("vllm", "AsyncLLMEngine", "shutdown", set()),
        ("vllm", "AsyncLLMEngine", "sleep", {"level", "mode"}),
        ("vllm", "AsyncLLMEngine", "wake_up", {"tags"}),
        ("vllm.v1.worker.gpu_worker", "Worker", "sleep", {"level"}),
        ("vllm.v1.worker.gpu_worker", "Worker", "wake_up", {"tags"}),
        ("vllm.platforms.interface", "Platform", "is_sleep_mode_available", set()),
        ("vllm.platforms.interface", "Platform", "is_cumem_allocator_available", set()),
        ("torch", "accelerator", "get_memory_info", set()),
        ("vllm.v1.worker.gpu_worker", "Worker", "reload_weights", set()),
        ("vllm.v1.worker.gpu_model_runner", "GPUModelRunner", "reload_weights", {"weights_path"}),
        ("vllm.v1.worker.gpu_model_runner", "GPUModelRunner", "get_model", set()),
    ],
)
def test_a_method_of_vllm_takes_what_it_took(module: str, owner: str, method: str, parameters: set[str]) -> None:
    found = getattr(getattr(importlib.import_module(module), owner), method, None)
    assert found is not None, f"vLLM has moved {module}.{owner}.{method}"
    missing = parameters - set(inspect.signature(found).parameters)
    assert not missing, f"{module}.{owner}.{method} no longer takes {sorted(missing)}"


def test_the_servers_arguments_are_those_of_the_engine() -> None:
    options = {"model": "org/name", "max_model_len": 64, "enforce_eager": False}
    arguments = vllm_internals.server_arguments(options, "mine")
    assert options.items() <= vars(arguments).items()
    assert arguments.served_model_name == ["mine"]
    assert hasattr(arguments, "chat_template"), "vLLM's server has another name for its chat template"


def test_a_dead_engine_is_told_from_other_errors() -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    assert vllm_internals.is_engine_death(EngineDeadError())
    assert not vllm_internals.is_engine_death(ValueError("too long a prompt"))


def test_nobody_else_reaches_into_vllm() -> None:
    reached = [
        f"{path.relative_to(ROOT)} imports {module}.{name}"
        for package in ("reasoning", "actors", "serve", "pipelines", "bench")
        for path in sorted((ROOT / package).rglob("*.py"))
        if str(path.relative_to(ROOT)) != OWNER
        for module, name in names_of_vllm(str(path.relative_to(ROOT)))
        if module not in PUBLIC
    ]
    assert not reached, "\n".join(reached)


def test_a_server_s_arguments_hold_a_parser_of_thinking_and_the_template_s_arguments() -> None:
    plain = vllm_internals.server_arguments({"model": "m"}, "teacher")
    assert not plain.structured_outputs_config.reasoning_parser and plain.default_chat_template_kwargs is None
    thinking = vllm_internals.server_arguments({"model": "m"}, "teacher", "qwen3", {"enable_thinking": True})
    assert thinking.reasoning_parser == thinking.structured_outputs_config.reasoning_parser == "qwen3"
    assert thinking.default_chat_template_kwargs == {"enable_thinking": True}
    assert {"deepseek_r1", "mistral", "qwen3"} < set(vllm_internals.reasoning_parsers())


def test_adapters_get_the_next_rank_that_vllm_has() -> None:
    from typing import get_args

    from vllm.config.lora import MaxLoRARanks

    assert max(get_args(MaxLoRARanks)) == vllm_internals.MOST_RANK
    options = vllm_internals.adapter_options({"a": "/a", "b": "/b"}, 48)
    assert (options["max_lora_rank"], options["max_loras"]) == (64, 2)
    arguments = vllm_internals.server_arguments({"model": "m", **options}, "base")
    assert [(one.name, one.path) for one in arguments.lora_modules] == [("a", "/a"), ("b", "/b")]
    with pytest.raises(ValueError, match="rank 600: vLLM takes 512 at most"):
        vllm_internals.adapter_options({"a": "/a"}, 600)


def test_an_engine_on_a_cpu_cannot_sleep() -> None:
    from vllm import AsyncEngineArgs

    assert not vllm_internals.can_sleep()
    assert "enable_sleep_mode" in inspect.signature(AsyncEngineArgs).parameters


class Workers:
    """An engine's workers: what each says of its GPU's memory."""

    def __init__(self, *looks: tuple[int, int]) -> None:
        self.looks = looks

    async def collective_rpc(self, method: str) -> list[list[int]]:
        assert hasattr(vllm_internals.WorkerExtension, method)
        return [list(look) for look in self.looks]  # as msgpack brings them


def test_an_engines_memory_is_that_of_its_fullest_gpu() -> None:
    engine: Any = Workers((70, 80), (60, 80))
    assert asyncio.run(vllm_internals.gpu_memory(engine)) == (60, 80)


def test_the_context_of_its_own_is_what_positions_and_their_scaling_make() -> None:
    from transformers import GPT2Config, LlamaConfig, MambaConfig, Phi3Config

    def scaled(**keys: Any) -> int:
        config = LlamaConfig(max_position_embeddings=512, rope_parameters={"rope_theta": 10_000.0, **keys})
        return vllm_internals.own_context(config)

    assert scaled(rope_type="default") == 512
    assert scaled(rope_type="linear", factor=2.0) == 1024
    assert scaled(rope_type="yarn", factor=4.0, original_max_position_embeddings=200) == 800
    factors = {"short_factor": [1.0] * 16, "long_factor": [1.0] * 16, "rope_theta": 10_000.0}
    long = Phi3Config(
        hidden_size=64,
        num_attention_heads=2,
        max_position_embeddings=512,
        original_max_position_embeddings=256,
        rope_parameters={"rope_type": "longrope", **factors},
    )
    assert vllm_internals.own_context(long) == 256
    assert vllm_internals.own_context(GPT2Config(n_positions=96)) == 96
    assert vllm_internals.own_context(MambaConfig()) == 2048  # it names none
