"""Installs the real clients of clients.toml: `python install.py`, as `make clients` does.

Each goes into a folder of its own below .clients/, from PyPI, npm or the distribution's packages,
which are unpacked there and not installed: nothing else of the machine is changed. What cannot be
had is named, and the tests skip it; so this ends with 0 all the same.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from client_shelf import FOLDER, Client, clients, found_python

AT_ONCE = 4
LONGEST = 300.0
"""Seconds that one package manager may take."""


class CannotBeHadError(Exception):
    """Says why."""


def run(*words: str, folder: Path | None = None) -> None:
    """Run a package manager quietly.

    Raises:
        CannotBeHadError: it failed; with the last line of what it said.
    """
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBeHadError(f"{words[0]}: {error}") from error
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["no word why"]
        raise CannotBeHadError(f"{words[0]}: {lines[-1]}")


def pip(client: Client, folder: Path) -> None:
    """Wheels for the client's own Python, without what they would pull in: all is pinned."""
    _, version = found_python(client.python) or ("", "")
    other = version != f"{sys.version_info.major}.{sys.version_info.minor}"
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
    words += ["--only-binary=:all:", "--no-warn-script-location", "--target", str(folder)]
    if other:
        words += ["--python-version", version, "--implementation", "cp"]
        for kind in ("manylinux2014", "manylinux1"):
            words += ["--platform", f"{kind}_{platform.machine()}"]
    run(*words, *client.pip)


def npm(client: Client, folder: Path) -> None:
    """Packages of npm; their install scripts are not run."""
    (folder / "package.json").write_text("{}", encoding="utf-8")
    words = ["npm", "install", "--prefix", str(folder), "--silent", "--ignore-scripts"]
    run(*words, "--no-audit", "--no-fund", *client.npm)


def apt(client: Client, folder: Path) -> str:
    """Packages of the distribution, unpacked; gives the version of the first."""
    with tempfile.TemporaryDirectory() as place:
        run("apt-get", "download", "-q", *client.apt, folder=Path(place))
        for package in Path(place).glob("*.deb"):
            run("dpkg-deb", "-x", str(package), str(folder))
        first = next(Path(place).glob(f"{client.apt[0]}_*.deb"))
    return first.name.split("_")[1].replace("%3a", ":").rpartition(":")[2]


def install(client: Client) -> str:
    """Install one client; gives why that was not possible, empty if it is there."""
    if not (client.pip or client.npm or client.apt):
        return client.missing()
    if client.python and found_python(client.python) is None:
        return client.missing()
    note = client.folder / ".installed"
    if note.exists() and note.read_text(encoding="utf-8").startswith(client.packages):
        return ""
    shutil.rmtree(client.folder, ignore_errors=True)
    client.folder.mkdir(parents=True)
    version = ""
    try:
        if client.pip:
            pip(client, client.folder)
        if client.npm:
            npm(client, client.folder)
        if client.apt:
            version = apt(client, client.folder)
    except CannotBeHadError as error:
        shutil.rmtree(client.folder, ignore_errors=True)
        return str(error)
    note.write_text(f"{client.packages}\n{version}", encoding="utf-8")
    return client.missing()


def main() -> None:
    """Install them all, a few at once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = clients()
    missing = any(one.apt and not one.folder.exists() for one in wanted)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        # Without fresh lists, apt asks for packages that are no longer there.
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
    # Those with the most to unpack first: it is over sooner.
    wanted.sort(key=lambda one: len(one.pip) + 5 * len(one.npm), reverse=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip([one.id for one in wanted], pool.map(install, wanted), strict=True))
    for name, why in sorted(said.items()):
        if why:
            sys.stdout.write(f"not here: {name}: {why}\n")
    there = sum(not why for why in said.values())
    sys.stdout.write(f"{there} of {len(said)} real clients are in {FOLDER}\n")


if __name__ == "__main__":
    main()
