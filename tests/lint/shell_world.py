"""Runs scripts where the metadata service answers at its own addresses; for `unshare -rn`.

Reads {"scripts": [[name, shell, text, http_tokens], …]} and writes what each printed, its status
and the IMDSv1 calls that it made.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from typing import Any

from imdsctl.emulator.background import Background
from imdsctl.emulator.settings import Settings
from imdsctl.imds.options import Options


def main() -> None:
    for words in (
        ["link", "set", "lo", "up"],
        ["addr", "add", "169.254.169.254/32", "dev", "lo"],
        ["-6", "addr", "add", "fd00:ec2::254/128", "dev", "lo", "nodad"],
    ):
        subprocess.run(["ip", *words], check=True)
    options = Options.from_mapping({"http_tokens": "optional", "http_protocol_ipv6": "enabled"})
    settings = Settings(host="169.254.169.254", port=80, ipv6=True, options=options)
    with Background(settings) as background:
        emulator = background.emulator
        results = []
        for name, shell, text, tokens in json.load(sys.stdin)["scripts"]:
            emulator.set_options(http_tokens=tokens)
            emulator.calls.clear()
            results.append({"name": name, "shell": shell, **run(shell, text)})
            results[-1]["v1"] = emulator.calls.count("v1")
    json.dump(results, sys.stdout)


def run(shell: str, text: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")  # noqa: PTH118 - a name and nothing more
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - same
            file.write(text)
        first = text.split("\n", 1)[0]
        options = [one for one in first.split()[1:] if first.startswith("#!")]
        done = subprocess.run(
            [shell, *options, path],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    return {"code": done.returncode, "out": done.stdout.decode(), "err": done.stderr.decode()}


if __name__ == "__main__":
    socket.setdefaulttimeout(30)
    main()
