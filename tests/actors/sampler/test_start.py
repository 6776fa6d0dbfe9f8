"""Which back end a recipe's student is sampled with, how its engine is set up, and where samplers are put."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.sampler.start import back_end, engine_settings, take_turns_asleep
from reasoning.recipe.tailored import parse_recipe
from reasoning.student.engine import engine_options
from tests.conftest import ROOT

KEYS = """
seed: 5
student: {dtype: bfloat16, max_model_len: 384}
cluster: {kv_cache_gib: 0.5, gpu_memory_utilization: 0.3, enforce_eager: %s, sampler_gpus: %d}
"""


def student(folder: Path, **config: object) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def test_the_back_end_follows_the_recipe_and_the_student(tmp_path: Path) -> None:
    def name(model: str, sampler: str) -> str:
        text = f"student: {{model: '{model}'}}\ncluster: {{sampler: {sampler}}}"
        return back_end(parse_recipe(text, "mine.yaml")).__name__

    apart = student(tmp_path / "t5", model_type="t5", is_encoder_decoder=True)
    decoder = student(tmp_path / "llama", model_type="llama")
    assert name(apart, "auto") == name(apart, "transformers") == "TransformersSampler"
    assert name(decoder, "auto") == name(decoder, "vllm") == "VllmSampler"
    assert name(decoder, "transformers") == "TransformersSampler"


def test_a_recipes_engine_keys_reach_the_samplers_engine() -> None:
    on_cpu = engine_options(engine_settings(parse_recipe(KEYS % ("false", 0), "r")))
    shared = {"dtype": "bfloat16", "max_model_len": 384, "enforce_eager": False, "seed": 5}
    assert shared.items() <= on_cpu.items()
    assert on_cpu["kv_cache_memory_bytes"] == 2**29 and "gpu_memory_utilization" not in on_cpu
    on_gpus = engine_options(engine_settings(parse_recipe(KEYS % ("true", 2), "r")))
    wanted = {"enforce_eager": True, "gpu_memory_utilization": 0.3, "tensor_parallel_size": 2}
    assert wanted.items() <= on_gpus.items() and "kv_cache_memory_bytes" not in on_gpus


ASLEEP = "placement: shared, sampler_gpus: 1, trainer_gpus: 1"


@pytest.mark.parametrize(
    ("cluster", "asleep"),
    [
        (ASLEEP, True),
        (f"{ASLEEP}, samplers: 4, trainers: 4, sampler_labels: {{a: b}}, trainer_labels: {{a: b}}", True),
        (f"{ASLEEP}, turns: restart", False),
        (ASLEEP.replace("shared", "dedicated"), False),
        ("placement: shared", False),  # on CPUs
        (ASLEEP.replace("sampler_gpus: 1", "sampler_gpus: 2"), False),
        (ASLEEP.replace("sampler_gpus: 1", "sampler_gpus: 0.5"), False),
        (ASLEEP.replace("trainer_gpus: 1", "trainer_gpus: 0.5"), False),
        (f"{ASLEEP}, samplers: 2", False),
        (f"{ASLEEP}, trainers: 2", False),
        (f"{ASLEEP}, samplers: 2, trainers: 2", True),
        (f"{ASLEEP}, samplers: 2, trainers: 2, fewest_trainers: 1", False),  # in places that are held as a whole
        (f"{ASLEEP}, trainer_labels: {{a: b}}", False),
        (f"{ASLEEP}, sampler: transformers", False),
    ],
)
def test_samplers_sleep_where_each_shares_a_gpu_with_one_trainer(cluster: str, asleep: bool) -> None:
    recipe = parse_recipe(f"cluster: {{{cluster}}}", "r.yaml")
    assert take_turns_asleep(recipe) is asleep


def test_only_engines_that_sleep_are_set_up_for_it() -> None:
    def options(cluster: str, sleeps: bool) -> dict[str, object]:
        return engine_options(engine_settings(parse_recipe(f"cluster: {{{cluster}}}", "r.yaml"), sleeps))

    assert options(ASLEEP, True)["enable_sleep_mode"] is True
    assert "enable_sleep_mode" not in options(ASLEEP, False)
    assert "enable_sleep_mode" not in options("placement: shared", True), "vLLM refuses it on a CPU"


PACKED = """
import time, ray
from ray.cluster_utils import Cluster
from actors.ray_api.internals import preferring

labels = {"part": "sampler"}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1, labels=one) for one in ({"part": "other"}, labels, labels)]
names = {node.node_id: name for node, name in zip(nodes, ("other", "first", "second"))}
ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)

class Sampler:
    def where(self):
        return ray.get_runtime_context().get_node_id()

def placed():
    where = {"scheduling_strategy": preferring(nodes[1].node_id), "label_selector": labels}
    return ray.remote(Sampler).options(num_cpus=1, max_restarts=-1, **where).remote()

def where(sampler, wait_s):
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        try:
            return names[ray.get(sampler.where.remote(), timeout=2)]
        except (ray.exceptions.ActorUnavailableError, ray.exceptions.GetTimeoutError):
            time.sleep(0.5)
    return "waits"

samplers = [placed(), placed()]
told = [where(sampler, 60) for sampler in samplers]
cluster.remove_node(nodes[1], allow_graceful=False)
time.sleep(5)
told.append(where(samplers[0], 6))
node = cluster.add_node(num_cpus=1, labels=labels)
names[node.node_id] = "third"
print(*told, where(samplers[0], 60))
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_a_packed_sampler_goes_elsewhere_and_waits_where_no_other_node_will_do() -> None:
    """Half a minute, five starts of nodes: its own node is full, is lost while no other has room, and one comes."""
    done = subprocess.run([sys.executable, "-c", PACKED], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1:] == ["first second waits third"], done.stdout + done.stderr
