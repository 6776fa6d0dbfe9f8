"""Which disks are not this machine's own: SQLite's write-ahead log needs memory that its processes share, which network
file systems do not have.

Owns: the types of file system, and where the journal of a run on such a disk lies.

Invariant: what is not known to be a network's counts as local, as it always did.
"""

from __future__ import annotations

from pathlib import Path

from reasoning.files.addresses import local_folder

_NETWORK = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "virtiofs", "vboxsf", "prl_fs"),
    *("lustre", "gpfs", "mmfs", "beegfs", "ceph", "glusterfs", "orangefs", "pvfs2", "panfs", "wekafs", "gfs2", "ocfs2"),
    *("davfs", "sshfs", "quobyte", "efs", "alluxio"),
}
# In user space, and of this machine: layers of containers, disks of other systems.
_LOCAL_FUSE = {
    "fuse-overlayfs",
    "overlayfs",
    "mergerfs",
    "unionfs",
    "ntfs-3g",
    "ntfs",
    "exfat",
    "ext4",
    "lxcfs",
    "bindfs",
}
MOUNTS = Path("/proc/self/mountinfo")


def is_network(type_name: str) -> bool:
    """Whether a file system of this type, as the kernel names it, is reached over a network or from another system."""
    kind = type_name.lower()
    if kind == "fuse":
        return True
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.") not in _LOCAL_FUSE
    return kind in _NETWORK


def type_of_disk(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that `path` is on, or would be; "" where that is not known. `mounts` is the content
    of `/proc/self/mountinfo`."""
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    place = path.expanduser().resolve()
    best, found = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) < 5 or not kinds[0]:
            continue
        point = Path(fields[4].encode("ascii", "surrogateescape").decode("unicode_escape"))
        if place.is_relative_to(point) and len(point.parts) >= best:  # of two at one place the later covers the other
            best, found = len(point.parts), kinds[0]
    return found


def on_network_disk(path: Path) -> bool:
    """Whether `path` is on a disk that is not this machine's own."""
    return is_network(type_of_disk(path))


def journal_on_this_disk(folder: Path) -> Path:
    """Where this node keeps the journal of the run in `folder`, which is on a network's disk."""
    return local_folder().joinpath("disk", *folder.resolve().parts[1:], "journal.sqlite")
