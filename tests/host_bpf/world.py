"""Builds an instance's network with its metadata service, and holds it until stdin ends.

    world.py ACCESS_LOG [container|slow]

Prints `ready PID`: the process is in the network where clients run.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from imdsctl.rehearse.topology import build


def main() -> None:
    log, flavour = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    network = build(container=flavour == "container", kept=False)
    emulator = subprocess.Popen(
        [
            *("nsenter", f"--net=/proc/self/fd/{network.imds}"),
            *(sys.executable, "-m", "imdsctl", "emulate", "--host", "169.254.169.254"),
            *("--port", "80", "--ipv6", "--hop-limit", "1", "--access-log", log),
            *(["--latency", "1500"] if flavour == "slow" else []),
        ],
        pass_fds=[network.imds],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                with socket.create_connection(("169.254.169.254", 80), timeout=0.5):
                    break
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit("the metadata service did not start")
        sys.stdout.write(f"ready {os.getpid()}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        emulator.send_signal(signal.SIGTERM)
        emulator.wait(10)


main()
