"""What one node is like, told by a process on it: its software, its processor, its limits, its disks, its clock.

Owns: the looking. What is good enough is `judging`'s.

Invariants
- Nothing is left behind: the file that tries the storage is removed, and so is the folder where it was not there.
- Nothing that cannot be looked at raises an error: it is said in the facts.
- No torch in this process: on a GPU node it would claim memory. Whether torch sees the GPUs is asked of another one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from actors.storage.remote import TRIAL_S, RemoteFolder, StorageError
from reasoning.files.addresses import is_address, local_folder

OUR_PACKAGES = ("reasoning", "actors", "serve", "pipelines")
TRIED_BYTES = 1024 * 1024
REACH_S = 5.0  # for a connection to the driver's node
TORCH_S = 120.0  # torch's import, on a node whose disk is cold
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
_NAME_AND_VERSION = re.compile(r"^(Name|Version): *(\S+)", re.MULTILINE)  # of a distribution's metadata
_GPUS = ("--query-gpu=name,memory.total,memory.used,driver_version", "--format=csv,noheader,nounits")
_SLICE = re.compile(r"\s+MIG (?P<name>\S+\.(?P<gib>\d+)gb\S*)\s")  # of what `nvidia-smi -L` lists below a GPU
_TORCH = "import torch; torch.cuda.init(); print(torch.cuda.device_count())"


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be looked at on a node: `storage` (a folder or an address), the driver's `mark` that must be seen in
    it, files that are `needed`, the `listener` of the driver's node (address, port) if that is another one, and whether
    `torch` is asked about the GPUs."""

    storage: str | None = None
    mark: str | None = None
    needed: tuple[str, ...] = ()
    listener: tuple[str, int] | None = None
    torch: bool = True


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; memory in MiB."""

    name: str
    memory: int
    used: int
    driver: str


@dataclass(frozen=True, slots=True)
class Disk:
    """`error`: why a file could not be written; `seen`: whether the driver's mark is there; bytes."""

    path: str
    error: str = ""
    seen: bool = True
    free: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node. `offset_s` is how far its clock is ahead of the driver's, `unreached` why that could not be asked;
    `code` a hash of this project's modules there; `error` why nothing else is known."""

    name: str
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    machine: str = ""
    flags: tuple[str, ...] = ()
    shared_memory: int | None = None
    open_files: int = 0
    gpus: tuple[Gpu, ...] = ()
    torch_error: str = ""
    storage: Disk | None = None
    temporary: Disk | None = None
    absent: tuple[str, ...] = ()
    offset_s: float | None = None
    unreached: str = ""
    error: str = ""


def look_around(name: str, look: Look) -> NodeFacts:
    """The facts of the node that this process runs on, which the cluster knows as `name`."""
    gpus = _gpus()
    offset, unreached = _offset(*look.listener) if look.listener else (0.0, "")
    return NodeFacts(
        name=name,
        python=platform.python_version(),
        packages=_packages(),
        code=_code(),
        machine=platform.machine(),
        flags=_flags(),
        shared_memory=_shared_memory(),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        gpus=gpus,
        torch_error=_torch_error() if gpus and look.torch else "",
        storage=_try(look.storage, look.mark) if look.storage else None,
        temporary=_disk(Path(tempfile.gettempdir())),
        absent=tuple(path for path in look.needed if not Path(path).exists()),
        offset_s=offset,
        unreached=unreached,
    )


def _try(storage: str, mark: str | None) -> Disk:
    return try_address(storage) if is_address(storage) else try_storage(Path(storage), mark)


def try_address(address: str) -> Disk:
    """Whether this node can write, read, list and delete at `address`, and the disk that it keeps copies on."""
    own = local_folder()
    disk = _disk(next(folder for folder in (own, *own.parents) if folder.is_dir()))
    disk = dataclasses.replace(disk, path=f"{address} (copies in {own})")
    try:
        RemoteFolder(address, TRIAL_S).try_out()
        return disk
    except StorageError as error:
        return dataclasses.replace(disk, error=str(error))


def try_storage(folder: Path, mark: str | None = None) -> Disk:
    """Whether a file of a mebibyte can be written to `folder`, made if need be, and whether the file `mark` is seen
    there."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    file = folder / f".tailor-check-{socket.gethostname()}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as written:
            written.write(b"\0" * TRIED_BYTES)
            written.flush()
            os.fsync(written.fileno())
        seen = mark is None or (folder / mark).exists()
        return _disk(folder, seen=seen)
    except OSError as error:
        return Disk(str(folder), error=f"{error.strerror or error}")
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
        for one in made:
            with contextlib.suppress(OSError):  # another node is trying it, or it was never made
                one.rmdir()


def _disk(folder: Path, seen: bool = True) -> Disk:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Disk(str(folder), error=f"{error.strerror or error}", seen=seen)
    return Disk(str(folder), seen=seen, free=usage.free, total=usage.total)


def _packages() -> dict[str, str]:
    """Every installed distribution by its normal name; the first found is the one that is imported."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        head = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        told = dict(_NAME_AND_VERSION.findall(head.partition("\n\n")[0]))  # a whole parser takes ten times as long
        if told.keys() == {"Name", "Version"}:
            found.setdefault(re.sub(r"[-_.]+", "-", told["Name"]).lower(), told["Version"])
    return found


def _code() -> str:
    """A hash of this project's modules, so that two nodes with different ones are found out."""
    digest, root = hashlib.blake2b(digest_size=8), Path(__file__).resolve().parents[3]
    for package in OUR_PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _flags() -> tuple[str, ...]:
    """What the processor has of that which the engines ask for; of x86 alone."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return tuple(flag for flag in _FLAGS if flag in line.split())


def _shared_memory() -> int | None:
    try:
        return shutil.disk_usage("/dev/shm").total
    except OSError:
        return None


def _gpus() -> tuple[Gpu, ...]:
    return read_gpus(_nvidia_smi(*_GPUS), _nvidia_smi("-L"))


def _nvidia_smi(*arguments: str) -> str:
    try:
        done = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def read_gpus(text: str, listed: str = "") -> tuple[Gpu, ...]:
    """The GPUs in what nvidia-smi prints; a line with an unknown figure ("[N/A]") is one of 0 MiB. A GPU that is cut
    into slices (MIG, told in `listed`) is as large as the largest of them, which is all that a process gets."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 3)]
        if len(parts) == 4 and parts[0]:
            memory, used = (int(part) if part.isdecimal() else 0 for part in parts[1:3])
            found.append(Gpu(parts[0], memory, used, parts[3]))
    cut = [_largest_slice(part) for part in re.split(r"(?m)^GPU \d+:", listed)[1:]]
    if len(cut) != len(found):
        return tuple(found)
    return tuple(
        gpu if one is None else dataclasses.replace(gpu, name=f"{gpu.name}, MIG {one[0]}", memory=one[1], used=0)
        for gpu, one in zip(found, cut, strict=True)
    )


def _largest_slice(listed: str) -> tuple[str, int] | None:
    """The name and the MiB of the largest slice of a GPU; None where it is whole."""
    slices = [(one["name"], 1024 * int(one["gib"])) for one in _SLICE.finditer(listed)]
    return max(slices, key=lambda one: one[1], default=None)


def _torch_error() -> str:
    """Why torch cannot use the GPUs that the driver shows; empty where it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=TORCH_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]


def _offset(host: str, port: int) -> tuple[float | None, str]:
    """How far this clock is ahead of the one behind the listener, to half a round trip; or why it was not reached."""
    try:
        with socket.create_connection((host, port), timeout=REACH_S) as connection:
            connection.settimeout(REACH_S)
            before = time.time()
            connection.sendall(b"?")
            theirs = float(connection.recv(64))
            return (before + time.time()) / 2 - theirs, ""
    except (OSError, ValueError) as error:
        return None, f"{host}:{port}: {error}"
