"""The file system that a directory lies on, as Linux tells it: on a networked one the locks do not hold."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORKED = frozenset(
    str.split(
        "9p afs beegfs ceph cifs coda davfs glusterfs gpfs lustre ncpfs nfs nfs4 orangefs pvfs2 smb3 smbfs virtiofs"
    )
)
_NETWORKED_FUSE = frozenset(("sshfs", "glusterfs", "ceph", "davfs2", "s3fs", "rclone", "gcsfuse", "mfs", "juicefs"))


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that `path` lies on; None for a local one, and where the system does not say."""
    try:
        device = path.stat().st_dev
        text = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    return find_network(text, f"{os.major(device)}:{os.minor(device)}")


def find_network(mounts: str, device: str) -> str | None:
    """The kind of the file system with this device number (`major:minor`), if it is a networked one. Pure."""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        numbers, kind = left.split()[2:3], right.split()[:1]
        if numbers == [device] and kind and _is_networked(kind[0]):
            return kind[0]
    return None


def _is_networked(kind: str) -> bool:
    family, _, name = kind.partition(".")
    return kind in _NETWORKED or (family == "fuse" and name in _NETWORKED_FUSE)
