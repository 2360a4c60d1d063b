"""The real clients of clients.toml: which there are, what each needs, how each is run.

`python client_shelf.py` writes the table of docs/clients.md anew.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
FOLDER: Final = Path(os.environ.get("IMDSCTL_CLIENTS", ROOT / ".clients")).absolute()
"""Where the clients are installed, each in a folder of its own."""

DOCUMENT: Final = ROOT / "docs" / "clients.md"
WORLDS: Final[dict[str, dict[str, Any]]] = {
    "optional": {"options": {"http_tokens": "optional"}},
    "required": {"options": {"http_tokens": "required"}},
    "hop-limit-1": {"options": {"http_put_response_hop_limit": 1}, "container": True},
    "disabled": {"options": {"http_endpoint": "disabled"}},
}
ELSEWHERE: Final = "http://127.0.0.1:9"
"""An endpoint where nobody answers: a client that heeds it never asks the real address."""

_OURS: Final = "ours"
_TABLE: Final = (
    "<!-- this table is written by tests/real_clients/client_shelf.py -->",
    "<!-- the end of the table -->",
)


@dataclass(frozen=True, kw_only=True)
class Client:
    """One version of one client; clients.toml says what the members mean."""

    name: str
    version: str
    asks: str = ""
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    python: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    script: str = ""
    run: tuple[str, ...] = ()
    says_version: tuple[str, ...] = ()
    got: str = "ASIAFAKE"
    device: str = ""
    patience: float = 30.0
    heeds_endpoint: bool = False
    note: str = ""

    @property
    def id(self) -> str:
        """Name and version, fit for a folder and for a test's name."""
        return f"{self.name}-{self.version}".replace("/", "-").replace(" ", "-").lstrip("@")

    @property
    def folder(self) -> Path:
        """Where its packages are, or would be."""
        return FOLDER / self.id

    @property
    def packages(self) -> str:
        """What has to be in its folder; another text means that it must be installed anew."""
        _, python = found_python(self.python) or ("", "")
        wanted = [python, self.pip, self.npm, self.apt]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()

    @property
    def kind(self) -> str:
        """What kind of client it is, judged by what was seen."""
        optional = _versions(self.seen["optional"]["asked"])
        if "PUT" not in optional:
            return "v1 only"
        if optional[0] != "PUT":
            return "v1 first"
        back = "v1" in _versions(self.seen["hop-limit-1"]["asked"])
        return "v2, falls back to v1" if back else "v2, never falls back"

    def missing(self) -> str:
        """Why it cannot be run here, empty if it can."""
        if self.python and found_python(self.python) is None:
            return f"no Python {' or '.join(self.python)} here"
        if self.device and not Path(self.device).exists():
            return f"no {self.device} here"
        if self.npm and shutil.which("node") is None:
            return "no node here"
        if self.says_version:
            found = _said(self.says_version)
            if found is None:
                return f"{self.says_version[0]} or a package of it is not installed"
        elif self.apt or self.pip or self.npm:
            note = self.folder / ".installed"
            if not note.exists():
                return "not installed: make clients"
            packages, _, found = note.read_text(encoding="utf-8").partition("\n")
            if packages != self.packages:
                return "installed otherwise than clients.toml says: make clients"
        else:
            found = self.version
        if found and not found.startswith(self.version):
            return f"this distribution has {found}, what is recorded was seen of {self.version}"
        return ""

    def command(self) -> list[str]:
        """What to run."""
        if self.npm:
            return ["node", "-e", self.script]
        python = (found_python(self.python) or ("", ""))[0]
        if self.script:
            return [python, "-c", self.script]
        return [word.format(python=python, folder=self.folder) for word in self.run]

    def environment(self) -> dict[str, str]:
        """Its environment, whole: nothing of AWS but a region, so that only IMDS is left to ask."""
        libraries = [str(one) for one in self.folder.glob("**/lib/*-linux-gnu") if one.is_dir()]
        packages = self.folder / "usr/lib/python3/dist-packages"
        return {
            "PATH": f"{self.folder}/usr/bin{os.pathsep}{os.environ['PATH']}",
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "PYTHONPATH": f"{self.folder}{os.pathsep}{packages}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "NODE_PATH": f"{self.folder}/node_modules",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_REGION": "eu-west-1",
        }


def clients() -> list[Client]:
    """All of clients.toml, in its order."""
    read = tomllib.loads((HERE / "clients.toml").read_text(encoding="utf-8"))
    made = []
    for one in read["client"]:
        members: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in one.items()
        }
        made.append(Client(**members))
    return made


def named(name: str, version: str) -> Client:
    """One of them."""
    return next(one for one in clients() if (one.name, one.version) == (name, version))


@cache
def found_python(versions: tuple[str, ...]) -> tuple[str, str] | None:
    """The first of these Pythons that is here, and its version (as 3.8)."""
    for version in versions:
        if version == _OURS:
            return sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}"
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        found = [str(one) for one in sorted(pyenv.glob(f"{version}.*/bin/python"))]
        found += [one for one in [shutil.which(f"python{version}")] if one]
        for python in found:
            # A shim of pyenv is there also where its Python is not.
            words = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            if _said(tuple(words)) == version:
                return python, version
    return None


@cache
def _said(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _versions(asked: list[str]) -> list[str]:
    return [one.split()[0] for one in asked]


_ENDS: Final = {
    "got": "gets it",
    "nothing": "**nothing, exit 0**",
    "error": "fails",
    "hangs": "hangs",
}


def table() -> str:
    """The table of docs/clients.md."""
    heads = ["client", "kind", *WORLDS, "endpoint variable"]
    rows = [heads, ["---"] * len(heads)]
    for one in clients():
        cells = [
            f"{', '.join(one.seen[world]['asked'])} → {_ENDS[one.seen[world]['ends']]}"
            for world in WORLDS
        ]
        heeds = "heeds it" if one.heeds_endpoint else "ignores it"
        mark = f" ({one.note})" if one.note else ""
        rows.append([f"{one.name} {one.version}{mark}", one.kind, *cells, heeds])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def document(text: str) -> str:
    """docs/clients.md with the table as it should be."""
    before, _, rest = text.partition(_TABLE[0])
    _, _, after = rest.partition(_TABLE[1])
    return f"{before}{_TABLE[0]}\n{table()}\n{_TABLE[1]}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
