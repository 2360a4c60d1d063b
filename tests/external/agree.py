"""`make agree`: scanners and `imdsctl check` on the demo's fleet, before and after a migration.

Prints how often they agree, control by control, and every difference; ends with 1 if one of them is
not explained.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from agreement import CONTROLS, Agreement, compare
from scanners import Place, custodian, missing, prowler

from imdsctl.simulator import fleetfile

_PATIENCE = 900
# A gate that is closed is part of a migration: the next plan goes on without what it held.
_ROUNDS = 3
_MOVED, _GATE = (0, 3), 4


def main() -> int:
    """The whole comparison; its exit code."""
    if absent := missing():
        sys.stderr.write(f"error: {absent}\n")
        return 2
    places = _places()
    with _simulated_aws() as url, tempfile.TemporaryDirectory() as folder:
        imdsctl = Commands(Path(folder), url)
        before = _look(imdsctl, places, url)
        _show("before", before)
        _migrate(imdsctl, places)
        after = _look(imdsctl, places, url)
        _show("after", after)
    unexplained = len(before.differ) + len(after.differ)
    say(
        f"{unexplained} unexplained differences"
        if unexplained
        else "every answer is explained: imdsctl answers as the tools do"
    )
    return 1 if unexplained else 0


class Commands:
    """`imdsctl` as one types it, against the simulated AWS."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._env = _clean() | {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIAOPERATOROPERATOR",
            "AWS_SECRET_ACCESS_KEY": "simulated",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "IMDSCTL_CLOCK": "simulated",
        }

    def __call__(self, *words: str, expect: tuple[int, ...]) -> Any:
        """Runs one command and reads its JSON; `code` is put into it."""
        done = subprocess.run(
            [sys.executable, "-m", "imdsctl", *words, "-o", "json"],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
        if done.returncode not in expect:
            raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return {**json.loads(done.stdout), "code": done.returncode}


def say(text: str = "") -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _places() -> list[Place]:
    bundled = resources.files("imdsctl.simulator") / "fleets" / "demo.toml"
    with resources.as_file(bundled) as path:
        fleet = fleetfile.load(path)
    return [
        Place(account.id, account.role if number else "", tuple(r.name for r in account.regions))
        for number, account in enumerate(fleet.accounts)
    ]


def _clean() -> dict[str, str]:
    """The environment without anything that leads to a real AWS."""
    unwanted = ("AWS_", "IMDSCTL_", "HTTP_PROXY", "HTTPS_PROXY")
    return {k: v for k, v in os.environ.items() if not k.upper().startswith(unwanted)}


@contextmanager
def _simulated_aws() -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "imdsctl", "simulate", "--port", "0", "--fleet", "demo", "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
        env=_clean(),
    )
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert "AWS_ENDPOINT_URL=" in line, line
        yield line.partition("=")[2].strip()
    finally:
        server.terminate()
        server.wait(timeout=10)


def _scan(imdsctl: Commands, places: list[Place]) -> None:
    others = ",".join(place.account for place in places if place.role)
    regions = ",".join(sorted({region for place in places for region in place.regions}))
    words = ("--accounts", others, "--role-name", "imdsctl-read", "--regions", regions)
    imdsctl("scan", *words, expect=_MOVED)


def _look(imdsctl: Commands, places: list[Place], url: str) -> Agreement:
    _scan(imdsctl, places)
    ours = imdsctl("check", "--benchmark", ",".join(CONTROLS), expect=(0, 1, 3))
    regions = sorted({region for place in places for region in place.regions})
    everywhere = [place._replace(regions=tuple(regions)) for place in places]
    started = time.monotonic()
    theirs = prowler(everywhere, url)
    middle = time.monotonic()
    theirs |= custodian(everywhere, url)
    ended = time.monotonic()
    say(f"asked Prowler in {middle - started:.0f} s, Cloud Custodian in {ended - middle:.0f} s")
    return compare(ours, theirs)


def _migrate(imdsctl: Commands, places: list[Place]) -> None:
    for _ in range(_ROUNDS):
        imdsctl("plan", "-f", "plan.json", expect=_MOVED)
        applied = imdsctl("apply", "plan.json", "--yes", expect=(*_MOVED, _GATE))
        changed = sum(change["state"] == "applied" for change in applied["changes"])
        say(f"applied a plan: {changed} changes, exit {applied['code']}")
        if applied["code"] != _GATE:
            return
        _scan(imdsctl, places)


def _show(when: str, told: Agreement) -> None:
    say(f"\n{when} the migration" + f"{'pass':>34}{'fail':>7}   (both sides say so)")
    for control, passed, failed in told.rows():
        say(f"  {control:<54}{passed:>5}{failed:>7}")
    for line in told.explained:
        say(f"  explained    {line}")
    for line in told.differ:
        say(f"  UNEXPLAINED  {line}")
    say()


if __name__ == "__main__":
    sys.exit(main())
