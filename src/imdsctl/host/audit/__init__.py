"""What is too old for IMDSv2 on this host: a tree of files comes in, findings go out as JSON.

Only files below the root are read; nothing of it is executed. What could not be read is in the
answer, and makes the exit code 3 where nothing was found.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TextIO

from imdsctl.host.audit.run import SCHEMA, Progress, audit, exit_code

__all__ = ["SCHEMA", "Progress", "audit", "exit_code", "main", "progress_on"]

_PAUSE = 0.5
_INTERRUPTED = 130


def progress_on(stream: TextIO) -> Progress | None:
    """A line that counts, rewritten in place; None where the stream is no terminal."""
    if not stream.isatty():
        return None
    last = [0.0]

    def show(files: int, where: str) -> None:
        now = time.monotonic()
        if now - last[0] >= _PAUSE:
            last[0] = now
            # Names of folders are anybody's, and could steer the terminal.
            where = "".join(one if one.isprintable() else "?" for one in where[:60])
            stream.write(f"\r{files:>9,} files  {where:60}")
            stream.flush()

    return show


def main(arguments: list[str] | None = None) -> int:
    """The command line where there is nothing but Python: JSON on stdout, an exit code."""
    parser = argparse.ArgumentParser(
        prog="imdsctl-host.pyz audit",
        description="Software here that is too old for IMDSv2; JSON on stdout. Exit 0: nothing "
        "found; 1: findings; 3: nothing found, but not all could be read.",
    )
    parser.add_argument("--root", default="/", help="where the tree to look at begins")
    parser.add_argument("--one-file-system", action="store_true", help="stay on its filesystem")
    parser.add_argument("--network", action="store_true", help="enter network filesystems, too")
    parser.add_argument("--no-processes", action="store_true", help="look at no processes")
    given = parser.parse_args(arguments)
    if not os.path.isdir(given.root):
        parser.error(f"--root: {given.root} is no folder")
    show = progress_on(sys.stderr)
    try:
        answer = audit(
            given.root,
            one_file_system=given.one_file_system,
            network=given.network,
            processes=False if given.no_processes else None,
            progress=show,
        )
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; nothing was changed\n")
        return _INTERRUPTED
    if show is not None:
        sys.stderr.write("\r" + " " * 80 + "\r")
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return exit_code(answer)
