"""What running processes have loaded, and the settings in their environments.

Of a process, its program, open archives, mapped libraries and known variables are looked at; its
command line only to tell which folder an interpreter runs from, and it is never reported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from imdsctl.host.audit.archive import look_into
from imdsctl.host.audit.finders.golang import look_at_program
from imdsctl.host.audit.finders.settings import in_environment, in_text
from imdsctl.host.audit.found import NotRead, NotReadError, Package, Setting, open_regular

_DELETED = " (deleted)"
_ARCHIVES = (".jar", ".war", ".ear")
_SITE = re.compile(r"(.*/(?:site|dist)-packages)/")
_MOST_MAPS = 16 * 1024 * 1024
_MOST_FDS = 65536


class Process(NamedTuple):
    """What is known of one process."""

    pid: int
    name: str
    files: frozenset[str]
    """Its program, and the archives and libraries that it has open or mapped, as it sees them."""
    folders: frozenset[str]
    """Where its interpreter takes libraries from, as far as one can tell from outside."""
    elsewhere: bool
    """Whether it runs in another mount namespace: in a container, most likely."""


class Looked(NamedTuple):
    """One look at all processes."""

    processes: list[Process]
    packages: list[Package]
    settings: list[Setting]
    not_read: list[NotRead]


def look_at_processes(proc: str = "/proc") -> Looked:
    """Every process that may be looked at; root sees them all (proc(5), ptrace(2))."""
    looked = Looked([], [], [], [])
    denied = 0
    own = _link(f"{proc}/self/ns/mnt")
    for entry in sorted((e for e in os.listdir(proc) if e.isdigit()), key=int):
        place = f"{proc}/{entry}"
        try:
            exe = os.readlink(f"{place}/exe")
        except PermissionError:
            denied += 1
            continue
        except OSError:
            continue  # a kernel thread, or gone by now
        try:
            _one(int(entry), place, exe, own, looked)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            denied += 1
        except (OSError, NotReadError) as error:
            looked.not_read.append(NotRead(f"pid {entry}", str(error)))
    if denied:
        looked.not_read.append(
            NotRead(
                "/proc",
                f"{denied} of the processes may not be looked at (root with CAP_SYS_PTRACE may)",
            )
        )
    return looked


def _one(pid: int, place: str, exe: str, own: str, looked: Looked) -> None:
    name = _text(f"{place}/comm").strip() or "?"
    who = f"pid {pid} ({name})"
    elsewhere = _link(f"{place}/ns/mnt") not in ("", own)
    words = _text(f"{place}/cmdline").split("\0")
    mapped = _mapped(place)
    opened = dict(_archives(place))
    files = {
        exe.replace(_DELETED, ""),
        *mapped,
        *(t.replace(_DELETED, "") for t in opened.values()),
    }
    looked.processes.append(
        Process(pid, name, frozenset(files), _folders(place, exe, words, mapped), elsewhere)
    )
    with open(f"{place}/environ", "rb") as environment:
        looked.settings.extend(in_environment(environment.read(_MOST_MAPS), who))
    looked.settings.extend(s for word in words if word.startswith("-D") for s in in_text(word, who))
    # Files that others see are found by the walk; what was deleted, or is a container's, is not.
    if exe.endswith(_DELETED) or elsewhere:
        with open_regular(f"{place}/exe", follow=True) as program:
            shown = f"{who}: {exe}"
            looked.packages.extend(_running(look_at_program(program, shown)))
    for number, target in opened.items():
        if target.endswith(_DELETED) or elsewhere:
            missed: list[tuple[str, str]] = []
            try:
                with open_regular(f"{place}/fd/{number}", follow=True) as archive:
                    found = look_into(archive, f"{who}: {target}", missed)
                    looked.packages.extend(_running(found))
            except NotReadError as error:
                missed.append((f"{who}: {target}", str(error)))
            looked.not_read.extend(NotRead(where, why) for where, why in missed)


def _running(found: Iterator[Package]) -> Iterator[Package]:
    for one in found:
        yield one._replace(how=f"{one.how}, of a running process")


def _mapped(place: str) -> set[str]:
    """Libraries and archives in memory."""
    found: set[str] = set()
    for line in _text(f"{place}/maps").splitlines():
        at = line.find("/")
        if at >= 0:
            path = line[at:].replace(_DELETED, "")
            if ".so" in path or path.endswith(_ARCHIVES):
                found.add(path)
    return found


def _archives(place: str) -> Iterator[tuple[str, str]]:
    """Open jars; a JVM keeps them open as long as it runs."""
    for number in os.listdir(f"{place}/fd")[:_MOST_FDS]:
        target = _link(f"{place}/fd/{number}")
        if target.replace(_DELETED, "").endswith(_ARCHIVES):
            yield number, target


def _folders(place: str, exe: str, words: list[str], mapped: set[str]) -> frozenset[str]:
    program = os.path.basename(exe.replace(_DELETED, ""))
    found = {site[1] for site in map(_SITE.match, mapped) if site}
    if program.startswith("python"):
        # A virtual environment shows only in how the interpreter was called.
        called = words[0] if words and words[0].startswith("/") else exe
        prefix = os.path.dirname(os.path.dirname(called))
        found.add(f"{prefix}/lib" if prefix not in ("", "/") else "/lib")
    elif program in ("node", "nodejs", "bun"):
        where = _link(f"{place}/cwd")
        found.add(where)
        script = next((w for w in words[1:] if w and not w.startswith("-")), "")
        if script:
            found.add(os.path.dirname(os.path.normpath(os.path.join(where, script))))
    return frozenset(found - {"", "/"})


def runs(process: Process, package: Package, root: str) -> str:
    """How a process uses a package: `loaded`, `likely`, or empty if it does not, as far as seen."""
    file = root.rstrip("/") + package.where.partition("!/")[0]
    if package.where.startswith(f"pid {process.pid} "):
        return "loaded"
    if process.elsewhere:
        # Its paths are those of its container; a layer holds them below its own folder.
        if any(file.endswith(path) and file != path for path in process.files):
            return "likely"
        return ""
    if file in process.files:
        return "loaded"
    if package.ecosystem == "pypi":
        return "likely" if any(file.startswith(f"{f}/") for f in process.folders) else ""
    if package.ecosystem == "npm":
        top = file.partition("/node_modules/")[0]
        return "likely" if any(f"{f}/".startswith(f"{top}/") for f in process.folders) else ""
    return ""


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(_MOST_MAPS).decode("utf-8", "replace")


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
