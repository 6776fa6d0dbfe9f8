"""What a cluster can ever hold: nothing is refused that could be placed, and what could not be is named."""

import pytest

from actors.ray_api.machines.capacity import Capacity, Machine, Need, NodeType, impossible, missing, table

HEAD = Machine({"CPU": 8.0})
GPU_NODE = Machine({"CPU": 4.0, "GPU": 1.0}, kind="gpu")
TWO_GPUS = Machine({"CPU": 8.0, "GPU": 2.0})
OWN = Machine({"CPU": 4.0}, kind="own")
UNLABELLED = NodeType("told by a platform", {"CPU": 4.0, "GPU": 1.0}, 1, None)
ANY_NUMBER = NodeType("gpu", {"CPU": 4.0, "GPU": 1.0}, 2**31 - 1)
GPU_TYPE = NodeType("gpu", {"CPU": 4.0, "GPU": 1.0}, most=4)
SPOT = NodeType("spot", {"CPU": 4.0, "GPU": 1.0}, most=2, labels={"market": "spot"})
SAMPLER = Need("sampler", 1, {"CPU": 1.0, "GPU": 1.0})
TRAINER = Need("trainer", 1, {"CPU": 1.0, "GPU": 1.0})


def of(count: int, need: Need = SAMPLER, **labels: str) -> Need:
    return Need(need.what, count, need.resources, labels)


def of_cpus(count: int) -> Need:
    return Need("sampler", count, {"CPU": 4.0})


CASES = [
    ("a head alone, GPUs wanted", (HEAD,), (), None, [SAMPLER], False, True),
    ("the shipped shape: none there, four could come", (HEAD,), (GPU_TYPE,), 4, [SAMPLER, TRAINER], True, True),
    ("as many as could come", (HEAD,), (GPU_TYPE,), 4, [of(3), TRAINER], True, True),
    ("one more than could come", (HEAD,), (GPU_TYPE,), 4, [of(4), TRAINER], False, True),
    ("fewer in all than of the type", (HEAD,), (GPU_TYPE,), 2, [of(3)], False, True),
    ("as many as KubeRay takes unless told", (HEAD,), (ANY_NUMBER,), 2**31 - 1, [of(9), TRAINER], True, True),
    ("none of which is large enough", (HEAD,), (ANY_NUMBER,), None, [Need("trainer", 1, {"GPU": 2.0})], False, True),
    ("what is there counts against the most", (HEAD, *[GPU_NODE] * 4), (GPU_TYPE,), 4, [of(5)], False, True),
    ("what is there is enough", (HEAD, *[GPU_NODE] * 2), (GPU_TYPE,), 4, [SAMPLER, TRAINER], True, False),
    ("some there, some to come", (HEAD, GPU_NODE), (GPU_TYPE,), 4, [SAMPLER, TRAINER], True, True),
    ("no machine is large enough", (HEAD,), (GPU_TYPE,), 4, [Need("trainer", 1, {"GPU": 2.0})], False, True),
    ("enough in sum, none large enough", (HEAD,), (GPU_TYPE,), 4, [Need("sampler", 1, {"CPU": 9.0})], False, True),
    ("parts of a GPU", (GPU_NODE,), (), None, [Need("sampler", 2, {"GPU": 0.5})], True, False),
    ("two GPUs have two parts of 0.6", (TWO_GPUS,), (), None, [Need("sampler", 2, {"GPU": 0.6})], True, False),
    ("and no third", (TWO_GPUS,), (), None, [Need("sampler", 3, {"GPU": 0.6})], False, True),
    ("four halves of two GPUs", (TWO_GPUS,), (), None, [Need("sampler", 4, {"GPU": 0.5})], True, False),
    ("thirds, rounded", (GPU_NODE,), (), None, [Need("sampler", 3, {"GPU": 0.33})], True, False),
    ("thirds that are more", (GPU_NODE,), (), None, [Need("sampler", 3, {"GPU": 0.34})], False, True),
    ("a head of the workers' type", (OWN,), (NodeType("own", {"CPU": 4.0}, 3),), 3, [of_cpus(3)], True, True),
    ("its workers are one fewer", (OWN,), (NodeType("own", {"CPU": 4.0}, 3),), 3, [of_cpus(4)], False, True),
    ("computers that Ray has not seen", (OWN,), (NodeType("own", {}, 3),), 3, [of(9)], True, True),
    ("of which all are there", (OWN,) * 3, (NodeType("own", {}, 3),), 3, [SAMPLER], False, True),
    ("labels that are not told", (HEAD,), (UNLABELLED,), 1, [of(1, zone="a")], True, True),
    ("a label, and no resources", (HEAD,), (SPOT,), None, [Need("asker", 9, {}, {"market": "spot"})], True, True),
    ("a label that nobody has", (HEAD,), (SPOT,), None, [Need("asker", 1, {}, {"zone": "b"})], False, True),
    ("tenths add up", (GPU_NODE,), (), None, [Need("sampler", 10, {"GPU": 0.1})], True, False),
    ("a label that could come", (HEAD,), (GPU_TYPE, SPOT), None, [of(2, market="spot")], True, True),
    ("a label that too few have", (HEAD,), (GPU_TYPE, SPOT), None, [of(3, market="spot")], False, True),
    ("a label that none may have", (HEAD,), (SPOT,), None, [of(1, market="!spot")], False, True),
    ("one label of several", (HEAD,), (SPOT,), None, [of(1, market="in(on-demand, spot)")], True, True),
    ("a type that is switched off", (HEAD,), (NodeType("gpu", {"GPU": 1.0}, 0),), None, [SAMPLER], False, True),
    ("no needs", (), (), None, [], True, False),
]


@pytest.mark.parametrize(("machines", "types", "most", "needs", "possible", "waits"), [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_what_can_be_held(
    machines: tuple[Machine, ...],
    types: tuple[NodeType, ...],
    most: int | None,
    needs: list[Need],
    possible: bool,
    waits: bool,
) -> None:
    capacity = Capacity(machines, types, most)
    assert (not impossible(needs, capacity)) is possible
    assert bool(missing(needs, capacity)) is waits


def test_an_autoscaler_that_does_not_tell_is_trusted() -> None:
    capacity = Capacity((HEAD,), unknown=True)
    assert not impossible([of(99)], capacity) and missing([of(99)], capacity)


def test_the_table_says_what_is_needed_there_and_could_come() -> None:
    lines = table([of(6), TRAINER], Capacity((HEAD, GPU_NODE), (GPU_TYPE, SPOT), 5))
    assert lines == [
        "needed         each          places there  could come",
        "6 samplers     1 CPU, 1 GPU  1             4",
        "1 trainer      1 CPU, 1 GPU  1             4",
        "7 CPUs in all                12            16",
        "7 GPUs in all                1             4",
        "there: 1 x 8 CPUs; 1 x 4 CPUs, 1 GPU",
        "could come: up to 4 x gpu (4 CPUs, 1 GPU); up to 2 x spot (4 CPUs, 1 GPU, market=spot), 5 in all",
    ]
