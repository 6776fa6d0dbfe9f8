"""Addresses of storage that is no disk: `s3://bucket/prefix`, `gs://`, `abfs://`, `hdfs://`.

Owns: their parts, what makes one unfit for a recipe, and the place on a node's own disk that belongs to one. Nothing
is opened here.

Invariants
- An address has no credential in it: it is written into recipes, logs and errors. Credentials come from the
  environment or from the machine's role.
- The settings in its query (`region`, `endpoint_override`, ...) stay with every address below it.
- Two addresses that differ have two places on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
LOCAL_FOLDER = "TAILOR_LOCAL"  # the environment variable that names a node's own folder
_CREDENTIAL = re.compile(
    r"secret|password|token|credential(?!_kind)|access_?key|account_?key|^sig$|^sas$", re.IGNORECASE
)


def is_address(place: str) -> bool:
    """Whether `place` is an address rather than a path."""
    return "://" in place


def check_address(address: str) -> None:
    """Raises `ValueError`, which never repeats the address, when it cannot be the storage of runs."""
    scheme, rest = address.split("://", 1)
    if scheme == "file":
        raise ValueError("a folder is given by its path, without file://")
    if scheme not in SCHEMES:
        raise ValueError(f"must be a folder, or an address of one of these kinds: {', '.join(SCHEMES)}")
    parts = urlsplit(address)
    if not rest.strip("/") or (scheme not in ("hdfs", "viewfs") and not parts.netloc):
        raise ValueError(f"names no {'folder' if scheme in ('hdfs', 'viewfs') else 'bucket'}")
    user = parts.netloc.rpartition("@")[0]
    secret = ":" in user or (bool(user) and scheme == "s3")
    if secret or any(_CREDENTIAL.search(key) for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise ValueError(
            "has a credential in it, which would be written into the run's files. Take it out and set it in the "
            "environment of every node (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, "
            "AZURE_CLIENT_SECRET ...), or give the machines a role"
        )
    if parts.fragment or ".." in parts.path.split("/") or re.search(r"\s", address):
        raise ValueError("must be a plain address, without #, .. and spaces")


def below(address: str, *names: str) -> str:
    """The address of something in the folder at `address`, or its path where that is a path."""
    head, mark, query = address.partition("?") if is_address(address) else (address, "", "")
    return "/".join([head.rstrip("/"), *(name.strip("/") for name in names)]) + mark + query


def local_folder() -> Path:
    """The folder on this node's own disk for journals and copies of what is stored elsewhere."""
    named = os.environ.get(LOCAL_FOLDER)
    return Path(named).expanduser().absolute() if named else Path.home() / ".tailor"


def on_this_disk(address: str) -> Path:
    """Where this node keeps its copy of what is at `address`."""
    parts = urlsplit(address)
    host = re.sub(r"[^A-Za-z0-9._@-]", "_", parts.netloc) or "_"
    if parts.query or host != parts.netloc:
        host += f"-{hashlib.blake2b(f'{parts.netloc}?{parts.query}'.encode(), digest_size=4).hexdigest()}"
    names = [name for name in parts.path.split("/") if name]
    return local_folder().joinpath(parts.scheme, host, *names)
