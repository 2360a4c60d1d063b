"""`imdsctl rehearse` as an ordinary user runs it, and ways to see what it leaves behind."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import imdsctl

SOURCE = Path(imdsctl.__file__).parent.parent
MARK = "REHEARSAL_TEST_MARK"
ITEM = "http://169.254.169.254/latest/meta-data/instance-id"
TOKEN = "http://169.254.169.254/latest/api/token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds: 60"
BOTOCORE = (
    "from botocore.session import Session; c = Session().get_credentials(); "
    "print(c and c.get_frozen_credentials().access_key[:8])"
)


@dataclass(frozen=True)
class Rehearsed:
    """What one rehearsal said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def environment() -> dict[str, str]:
    """The tests' own, without what would steer AWS clients or imdsctl."""
    import msgspec  # noqa: PLC0415 - only to find where packages are

    packages = Path(msgspec.__file__).parent.parent
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "IMDSCTL_"))}
    path = f"{SOURCE}{os.pathsep}{packages}"
    return {**keep, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"}


_NEEDS = "import imdsctl.cli, msgspec, cyclopts"


@cache
def unprivileged() -> tuple[str, ...]:
    """How to run Python with no privilege: as nobody, or else as a root without its powers.

    But for one, that is, which the kernel wants of a root who makes a user namespace.
    Only where the tests run as root; elsewhere they have none to begin with.
    """
    if os.geteuid() != 0:
        return (sys.executable,)
    powerless = ("setpriv", "--inh-caps", "-all", "--bounding-set", "-all,+setfcap")
    nobody = (
        "setpriv",
        "--inh-caps",
        "-all",
        "--bounding-set",
        "-all",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    system = shutil.which(version, path="/usr/bin:/usr/local/bin")
    for python in filter(None, (sys.executable, system)):
        # Again from the inside: setpriv itself can still start what nobody cannot.
        again = f"import subprocess; subprocess.run([{python!r}, '-c', {_NEEDS!r}], check=True)"
        words = [*nobody, python, "-c", again]
        done = subprocess.run(words, env=environment(), capture_output=True, check=False)
        if done.returncode == 0:
            return (*nobody, python)
    return (*powerless, sys.executable)


@cache
def why_impossible() -> str:
    """Why an ordinary user cannot rehearse on this machine; empty if one can."""
    for program in ("curl", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    said = rehearse("true")
    return said.err.strip() if said.code == 5 else ""


def rehearse(
    *words: str, options: tuple[str, ...] = (), privileged: bool = False, mark: str = ""
) -> Rehearsed:
    """One rehearsal of a command, reported as JSON."""
    with start(*words, options=options, privileged=privileged, mark=mark) as process:
        out, err = process.communicate(timeout=60)
    return Rehearsed(process.returncode, out, err)


def start(
    *words: str, options: tuple[str, ...] = (), privileged: bool = False, mark: str = ""
) -> subprocess.Popen[str]:
    """One rehearsal, running in a process group of its own."""
    python = (sys.executable,) if privileged else unprivileged()
    return subprocess.Popen(
        [*python, "-m", "imdsctl", "rehearse", "-o", "json", *options, "--", *words],
        env={**environment(), MARK: mark},
        cwd="/tmp",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def python() -> str:
    """The Python that the rehearsed command can run."""
    return unprivileged()[-1]


def new_mark() -> str:
    """Something that all processes of one rehearsal inherit, and nobody else has."""
    return uuid.uuid4().hex


def marked(mark: str) -> list[str]:
    """The command lines of the living processes that inherited a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append(words.decode("utf-8", "replace"))
        except OSError:
            continue
    return found
