"""Which disks SQLite's log may lie on, by the types that mount tables name."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.storage import network_disks
from actors.storage.keeping import Home
from actors.storage.network_disks import is_network, journal_on_this_disk, type_of_disk

MOUNTS = r"""
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:25 / /proc rw - proc proc rw
41 22 0:40 / /mnt/efs rw,relatime shared:9 master:2 - nfs4 127.0.0.1:/ rw,vers=4.1
42 41 259:2 / /mnt/efs/scratch rw - xfs /dev/nvme1n1 rw
43 22 0:50 / /mnt/two\040words rw - fuse.s3fs s3fs rw
44 22 0:51 / /data rw - ext4 /dev/sdb rw
45 22 0:52 / /data rw - lustre 10.0.0.1@tcp:/fs rw
46 22 0:53 /home/x /home/x rw - btrfs /dev/sdc rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/root/runs", "ext4"),
        ("/mnt/efs/runs/new", "nfs4"),
        ("/mnt/efs2/runs", "ext4"),
        ("/mnt/efs/scratch/runs", "xfs"),
        ("/mnt/two words/runs", "fuse.s3fs"),
        ("/data/runs", "lustre"),
        ("/home/x/runs", "btrfs"),
    ],
)
def test_a_path_is_on_the_disk_that_is_mounted_last_and_nearest(path: str, kind: str) -> None:
    assert type_of_disk(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "NFS4", "cifs", "smb3", "lustre", "ceph", "gpfs", "beegfs", "9p"])
def test_file_systems_of_a_network(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["fuse.sshfs", "fuse.gcsfuse", "fuse.s3fs", "fuse.juicefs", "fuse.glusterfs", "fuse"])
def test_file_systems_in_user_space_are_mostly_a_network_s(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "apfs", "fuseblk", "fuse.fuse-overlayfs", "f2fs", ""]
)
def test_disks_of_this_machine(kind: str) -> None:
    assert not is_network(kind)


def test_this_machine_s_own_table_is_read(tmp_path: Path) -> None:
    assert type_of_disk(tmp_path)
    assert type_of_disk(tmp_path, "not a mount table\n\n1 2 3 - \n") == ""


def test_a_run_on_a_network_disk_has_its_journal_on_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "local"))
    run = tmp_path / "runs" / "mine"
    assert Home(run).journal == run / "journal.sqlite"
    monkeypatch.setattr(network_disks, "type_of_disk", lambda path: "nfs4")
    assert Home(run).journal == journal_on_this_disk(run)
    assert Home(run).journal.is_relative_to(tmp_path / "local")
    assert Home(run, shared_journal=tmp_path / "j.sqlite").journal == tmp_path / "j.sqlite"
