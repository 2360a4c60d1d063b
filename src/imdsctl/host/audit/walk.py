"""Going through a tree, once, without following anything out of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator

from imdsctl.host.audit.found import File, NotRead

PSEUDO = frozenset(
    [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "cgroup",
        "cgroup2",
        "debugfs",
        "tracefs",
        "securityfs",
        "pstore",
        "bpf",
        "mqueue",
        "configfs",
        "fusectl",
        "hugetlbfs",
        "binfmt_misc",
        "efivarfs",
        "rpc_pipefs",
        "nsfs",
        "autofs",
        "selinuxfs",
    ]
)
"""Filesystems that hold no files of anybody (proc(5), `/proc/filesystems`)."""

NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "ceph",
        "glusterfs",
        "9p",
        "afs",
        "gfs2",
        "ocfs2",
    ]
)
"""Filesystems of other machines: a walk over them may take days and belongs there."""

LOCAL_FUSE = frozenset({"fuse.snapfuse", "fuse.squashfuse", "fuse.fuse-overlayfs", "fuse.ext4"})
"""Images and layers of this host."""

_OCTAL = re.compile(r"\\([0-7]{3})")
_LAYERS = (
    (re.compile(r"/(?:overlay2|aufs/diff)/([0-9a-f]{12,64}|[0-9a-z]{25})(?=/)"), "docker layer"),
    (re.compile(r"/io\.containerd\.snapshotter\.v1\.[a-z-]+/snapshots/(\d+)/fs(?=/)"),
     "containerd layer"),
    (re.compile(r"/containers/storage/(?:overlay|vfs/dir)/([0-9a-f]{12,64})(?=/)"), "podman layer"),
    (re.compile(r"/var/lib/machines/([^/]+)(?=/)"), "machine"),
    (re.compile(r"^/snap/([^/]+/[^/]+)(?=/)"), "snap"),
)  # fmt: skip


def layer_of(shown: str) -> str | None:
    """The container layer, snap or machine that a path is in: `docker layer 0a1b2c3d4e5f`."""
    for pattern, kind in _LAYERS:
        found = pattern.search(shown)
        if found:
            return f"{kind} {found[1][:24]}"
    return None


class Walk:
    """The regular files below a root.

    Symbolic links are not followed, a folder is entered once however often it is mounted, and
    pseudo filesystems and (unless asked for) those of the network are left out.
    """

    def __init__(self, root: str, *, one_file_system: bool = False, network: bool = False) -> None:
        self.root = os.path.realpath(root)
        self.files = 0
        self.not_read: list[NotRead] = []
        self.skipped: list[NotRead] = []
        self._one_file_system = one_file_system
        self._network = network
        self._mounts = _mounts()
        self._entered: set[tuple[int, int]] = set()
        self._device = os.stat(self.root).st_dev

    def shown(self, path: str) -> str:
        """A path as it is below the root."""
        return path[len(self.root) :] if self.root != "/" else path

    def each(self, wanted: Callable[[os.DirEntry[str], str], bool]) -> Iterator[File]:
        """Every regular file that is wanted, by its entry and its folder's name."""
        pending = [self.root]
        while pending:
            folder = pending.pop()
            parent = os.path.basename(folder)
            try:
                with os.scandir(folder) as entries:
                    # One after the other: there are folders with millions of files.
                    for entry in entries:
                        try:
                            if entry.is_dir(follow_symlinks=False):
                                if self._enters(entry):
                                    pending.append(entry.path)
                            elif entry.is_file(follow_symlinks=False):
                                self.files += 1
                                if wanted(entry, parent):
                                    shown = self.shown(entry.path)
                                    yield File(entry.path, shown, entry.name, parent)
                        except OSError as error:
                            self._missed(entry.path, error)
            except OSError as error:
                self._missed(folder, error)

    def _missed(self, path: str, error: OSError) -> None:
        # Gone between listing and looking: nothing that could be missed.
        if not isinstance(error, FileNotFoundError):
            self.not_read.append(NotRead(self.shown(path) or "/", reason(error)))

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        path = entry.path
        kind = self._mounts.get(path)
        if kind in PSEUDO:
            return False
        if not self._network and _is_network(kind):
            why = f"a network filesystem ({kind}); --network enters it"
            self.skipped.append(NotRead(self.shown(path), why))
            return False
        if kind == "overlay" and entry.name == "merged" and "/overlay" in path:
            return False  # a container's view; its layers are walked
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            return False
        if self._one_file_system and status.st_dev != self._device:
            self.skipped.append(NotRead(self.shown(path), "another filesystem"))
            return False
        if kind is not None:
            # Only at mount points can a folder come up again; elsewhere a tree has no loops.
            identity = (status.st_dev, status.st_ino)
            if identity in self._entered:
                return False
            self._entered.add(identity)
        return True


def _is_network(kind: str | None) -> bool:
    """Whether it is; what FUSE mounts is, unless it is known to be local."""
    if kind is None:
        return False
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def reason(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _mounts() -> dict[str, str]:
    """Mount points and their types (proc(5), `/proc/[pid]/mountinfo`); none where that is not."""
    found: dict[str, str] = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                left, _, right = line.partition(" - ")
                place = left.split()[4]
                found[re.sub(r"\\([0-7]{3})", lambda o: chr(int(o[1], 8)), place)] = right.split()[
                    0
                ]
    except (OSError, IndexError):
        return found
    return found
