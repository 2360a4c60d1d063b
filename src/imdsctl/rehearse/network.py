"""Keeping the real network for all but the metadata service, by user-mode networking.

slirp4netns carries the command's connections out as its own: no firewall rule, no forwarding and
no bridge is needed on the machine, nothing is left behind, and it works without root.
"""

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imdsctl.model.diagnostics import RefusedError

_PROGRAM: Final = "slirp4netns"
_RESOLVER: Final = "nameserver 10.0.2.3\noptions edns0\n"
"""What slirp4netns answers DNS on; it asks the machine's own resolver."""

_READY_WITHIN: Final = 10.0


class RealNetwork:
    """The way out; `resolver` is a file that says where DNS is there."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.resolver = str(folder / "resolv.conf")
        Path(self.resolver).write_text(_RESOLVER, encoding="ascii")
        self._stack = stack

    def attach(self, pid: int) -> None:
        """Connect the network namespace that a process is in.

        Raises:
            RefusedError: it could not be connected.
        """
        ready, say_ready = os.pipe()
        leave, stay = os.pipe()
        self._stack.callback(os.close, ready)
        with open(os.devnull, "r+b") as nowhere:  # noqa: PTH123 - both directions at once
            words = [_PROGRAM, "--configure", "--mtu=65520", "--disable-host-loopback"]
            words += [f"--ready-fd={say_ready}", f"--exit-fd={leave}", str(pid), "tap0"]
            process = subprocess.Popen(  # noqa: S603 - found by name as any program is
                words, stdin=nowhere, stdout=nowhere, stderr=nowhere, pass_fds=[say_ready, leave]
            )
        os.close(say_ready)
        os.close(leave)
        self._stack.callback(process.wait)
        self._stack.callback(os.close, stay)  # it ends when this closes, also when we are killed
        if not select.select([ready], [], [], _READY_WITHIN)[0] or os.read(ready, 1) != b"1":
            raise RefusedError(
                f"{_PROGRAM} could not connect the rehearsal to the network",
                detail="it needs /dev/net/tun and the right to enter the rehearsal's namespaces",
                hint="rehearse without --keep-network",
            )


@contextlib.contextmanager
def real_network() -> Iterator[RealNetwork]:
    """A way out for one rehearsal.

    Raises:
        RefusedError: slirp4netns is not installed.
    """
    if shutil.which(_PROGRAM) is None:
        raise RefusedError(
            f"--keep-network needs {_PROGRAM}, which is not installed",
            hint=f"install the package {_PROGRAM}; or rehearse without --keep-network",
        )
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="imdsctl-"))
        Path(folder).chmod(0o755)
        yield RealNetwork(Path(folder), stack)
