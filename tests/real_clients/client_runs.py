"""Running a client of the shelf in a world, and comparing what was seen with what is recorded."""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from client_shelf import WORLDS, Client

import imdsctl

_SCRIPT = Path(__file__).with_name("client_world.py")
_SLOW_START = 40.0
"""Seconds more than the client's own, for namespaces and Python on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a client did.

    Attributes:
        asked: in order, runs of the same folded: `PUT 200`, `v2 200 ×2`.
        ends: `got`, `nothing` (and exit code 0), `error`, or `hangs`.
        paths: what was asked for.
        unanswered: answers to token requests that never arrived.
        output: the end of what it said.
    """

    asked: tuple[str, ...]
    ends: str
    paths: tuple[str, ...]
    unanswered: int
    output: str


def observe(client: Client, world: str, **environment: str) -> Observed:
    """Run it there."""
    container = bool(WORLDS[world].get("container"))
    # Outside of the world, so that nothing is mounted there any more when it is removed.
    with tempfile.TemporaryDirectory() as folder:
        order = {
            "options": WORLDS[world]["options"],
            "container": container,
            "command": client.command(),
            "environment": {**client.environment(), **environment},
            "folder": folder,
            "patience": client.patience,
        }
        done = subprocess.run(
            [sys.executable, str(_SCRIPT)],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=client.patience + _SLOW_START,
            env=_tests_environment(),
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"no world for {client.id}: {done.stderr}")
    told = json.loads(done.stdout)
    return Observed(
        asked=tuple(_folded(told["calls"], arrives=not container)),
        ends=_end(client, told),
        paths=tuple(call["path"] for call in told["calls"]),
        unanswered=told["lost"],
        output=told["output"][-1500:],
    )


def as_recorded(recorded: list[str] | tuple[str, ...], asked: tuple[str, ...]) -> bool:
    """Whether what was asked is what is recorded, where `×n` stands for any number of times."""
    if len(recorded) != len(asked):
        return False
    return all(
        one == two or (one.endswith(" ×n") and one.split(" ×")[0] == two.split(" ×")[0])
        for one, two in zip(recorded, asked, strict=True)
    )


@cache
def why_no_world() -> str:
    """Why no world can be made on this machine; empty if one can."""
    code = (
        "from imdsctl.rehearse import namespaces, topology as t; import os;"
        "ids = os.geteuid(), os.getegid(); namespaces.unshare(namespaces.NEW_USER);"
        "namespaces.keep_own_ids(*ids); t.build(container=True, kept=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=_tests_environment(),
        check=False,
    )
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def _tests_environment() -> dict[str, str]:
    places = [Path(imdsctl.__file__).parent.parent, Path(msgspec.__file__).parent.parent]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}


def _folded(calls: list[dict[str, Any]], *, arrives: bool) -> list[str]:
    def word(call: dict[str, Any]) -> str:
        if call["version"] != "token":
            return f"{call['version']} {call['status']}"
        return f"PUT {call['status']}" if arrives else "PUT unanswered"

    runs = [(what, len(list(same))) for what, same in groupby(calls, word)]
    return [f"{what} ×{times}" if times > 1 else what for what, times in runs]


def _end(client: Client, told: dict[str, Any]) -> str:
    if re.search(client.got, told["output"]):
        return "got"
    if told["code"] is None:
        return "hangs"
    return "error" if told["code"] else "nothing"
