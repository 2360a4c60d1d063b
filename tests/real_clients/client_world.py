"""One client in one world: the order comes as JSON on stdin, what happened goes to stdout.

Three namespaces as `imdsctl.rehearse.topology` draws them, made without privilege: the emulator
has the service's real address in its own, so that also clients that know no other address find it,
and the hop limit is the kernel's.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from imdsctl.emulator.background import Background
from imdsctl.emulator.settings import Settings
from imdsctl.imds.options import Options
from imdsctl.rehearse import namespaces, topology

LONGEST_OUTPUT = 20_000


def serve(network: topology.Network, options: dict[str, Any], said: int, heard: int) -> None:
    """In a process of its own: serve until the other end hangs up, then tell what was asked."""
    namespaces.enter(network.imds)
    settings = Settings(
        host=topology.IMDS_IPV4,
        port=80,
        ipv6=network.ipv6,
        options=Options.from_mapping(options),
        keep_alive=False,
    )
    with Background(settings) as background:
        os.write(said, b"ready\n")
        os.read(heard, 1)
        calls = background.emulator.calls
        told = {"calls": [one.as_dict() for one in calls.list()], "lost": calls.lost}
    with os.fdopen(said, "w", encoding="utf-8") as answer:
        json.dump(told, answer)


def run(
    command: list[str], environment: dict[str, str], folder: str, patience: float
) -> dict[str, Any]:
    """The client, with a limit to the patience."""
    started = time.monotonic()
    parent = os.getpid()
    process = subprocess.Popen(
        command,
        env={**environment, "HOME": folder, "TMPDIR": folder},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # Whatever ends this process must end the client, too; no thread runs here yet.
        preexec_fn=lambda: namespaces.die_with_parent(signal.SIGKILL, parent),  # noqa: PLW1509
    )
    try:
        output, _ = process.communicate(timeout=patience)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        code = None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if code is None:
        output, _ = process.communicate()
    return {
        "code": code,
        "output": output.decode("utf-8", "replace")[-LONGEST_OUTPUT:],
        "seconds": round(time.monotonic() - started, 1),
    }


def wait_for_the_way() -> None:
    """The first packets through fresh links look for their neighbours."""
    for _ in range(20):
        with socket.socket() as probe:
            probe.settimeout(0.3)
            if probe.connect_ex((topology.IMDS_IPV4, 80)) == 0:
                return
    raise TimeoutError("the metadata service cannot be reached")


def main(order: dict[str, Any]) -> dict[str, Any]:
    uid, gid = os.geteuid(), os.getegid()
    namespaces.unshare(namespaces.NEW_USER)
    namespaces.keep_own_ids(uid, gid)
    if Path("/etc/resolv.conf").exists():
        # Nobody resolves names here, and that is to be known at once.
        namespaces.unshare(namespaces.NEW_MOUNTS)
        namespaces.cover("/etc/resolv.conf", os.devnull)
    network = topology.build(container=order["container"], kept=False)
    from_service, said = os.pipe()
    heard, to_service = os.pipe()
    parent = os.getpid()
    if not os.fork():
        os.close(from_service)
        os.close(to_service)
        try:
            namespaces.die_with_parent(signal.SIGKILL, parent)
            serve(network, order["options"], said, heard)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(said)
    os.close(heard)
    with os.fdopen(from_service, encoding="utf-8") as answer:
        if not select.select([answer], [], [], 20)[0] or answer.readline() != "ready\n":
            raise TimeoutError("the metadata service did not start")
        wait_for_the_way()
        ended = run(order["command"], order["environment"], order["folder"], order["patience"])
        time.sleep(0.3)  # until the service has noticed that the client is gone
        os.close(to_service)
        return {**ended, **json.load(answer)}


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
