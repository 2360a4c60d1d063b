"""One audit: the walk, the finders, the processes, and what the table knows of what they found."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from imdsctl.host.audit.finders import for_file, wanted
from imdsctl.host.audit.finders.golang import look_at_program
from imdsctl.host.audit.finders.python import COPY
from imdsctl.host.audit.found import File, NotRead, NotReadError, Package, Setting
from imdsctl.host.audit.processes import Process, look_at_processes, runs
from imdsctl.host.audit.walk import Walk, layer_of, reason
from imdsctl.software import Match, Software, UnknownVersionError, software, verdict_on

SCHEMA = "imdsctl/host-audit/v1"

Progress = Callable[[int, str], None]
"""Told how many files were passed, and where the walk is."""

_SMALLEST_PROGRAM = 256 * 1024
_NO_PROGRAMS = (
    ".py", ".pyc", ".js", ".ts", ".map", ".json", ".txt", ".md", ".rst", ".html", ".css", ".h",
    ".hpp", ".c", ".cpp", ".rb", ".pl", ".pm", ".php", ".sh", ".xml", ".yaml", ".yml", ".toml",
    ".gz", ".xz", ".bz2", ".zst", ".png", ".svg", ".jpg", ".gif", ".pdf", ".mo", ".po", ".a", ".o",
    ".class", ".jar", ".pak", ".ttf", ".woff2", ".dat", ".conf", ".list", ".md5sums", ".log",
)  # fmt: skip
_EVERY = 2000
_AUDITED_SETTING = "v1-forced"


class Heard(NamedTuple):
    """Everything that finders said."""

    packages: list[Package]
    settings: list[Setting]
    not_read: list[NotRead]


def audit(
    root: str = "/",
    *,
    one_file_system: bool = False,
    network: bool = False,
    processes: bool | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Look for software too old for v2, and for settings of the metadata client, below a root.

    Nothing below the root is executed, changed or sent anywhere.

    Args:
        root: where the tree to look at begins: `/`, or an unpacked image.
        one_file_system: stay on the root's own filesystem.
        network: enter network filesystems, too.
        processes: look at running processes, too; only if the root is `/`, if not given.
        progress: called now and then during the walk.

    Returns:
        The answer, as docs/host-audit.md describes it.

    Raises:
        NotADirectoryError: the root is no folder.
    """
    if not os.path.isdir(root):
        raise NotADirectoryError(f"{root} is no folder")
    started = time.time()
    walk = Walk(root, one_file_system=one_file_system, network=network)
    heard = Heard([], [], [])
    for number, file in enumerate(walk.each(_wanted)):
        if progress is not None and number % _EVERY == 0:
            progress(walk.files, file.shown)
        _hear(file, heard)
    running: list[Process] = []
    if walk.root == "/" if processes is None else processes:
        looked = look_at_processes()
        running = looked.processes
        heard.packages.extend(looked.packages)
        heard.settings.extend(looked.settings)
        heard.not_read.extend(looked.not_read)
    return _answer(walk, heard, running, started)


def exit_code(answer: dict[str, Any]) -> int:
    """0 for nothing found, 1 for findings, 3 where nothing was found and not all could be read."""
    if answer["findings"] or answer["summary"]["settings"]:
        return 1
    return 0 if answer["complete"] else 3


def _wanted(entry: os.DirEntry[str], parent: str) -> bool:
    return wanted(entry.name, parent) or _program(entry)


def _program(entry: os.DirEntry[str]) -> bool:
    """Whether it could be a compiled program; asked for every file, so the cheap tests first."""
    if entry.name.endswith(_NO_PROGRAMS):
        return False
    status = entry.stat(follow_symlinks=False)
    return bool(status.st_mode & 0o111) and status.st_size >= _SMALLEST_PROGRAM


def _hear(file: File, heard: Heard) -> None:
    """Ask every finder that wants the file; one that cannot read it says so, and no more."""
    try:
        for one in _said_of(file):
            if isinstance(one, Package):
                heard.packages.append(one)
            elif isinstance(one, Setting):
                heard.settings.append(one)
            else:
                heard.not_read.append(one)
    except FileNotFoundError:
        return  # gone since it was listed
    except NotReadError as error:
        heard.not_read.append(NotRead(file.shown, str(error)))
    except Exception as error:  # noqa: BLE001 - one file, however odd, must not end an audit
        heard.not_read.append(NotRead(file.shown, reason(error)))


def _said_of(file: File) -> Iterator[Package | Setting | NotRead]:
    looks = for_file(file.name, file.parent)
    for look in looks:
        yield from look(file)
    if not looks:
        with file.open() as program:
            yield from look_at_program(program, file.shown)


def _answer(walk: Walk, heard: Heard, running: list[Process], started: float) -> dict[str, Any]:
    packages = list(dict.fromkeys(heard.packages))
    known = [(one, found) for one in packages if (found := software(one.ecosystem, one.name))]
    findings: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    not_read = [*walk.not_read, *heard.not_read]
    for package, found in known:
        try:
            match = _match(package, found)
        except UnknownVersionError:
            why = f"{package.name}: its version {package.version!r} cannot be compared"
            not_read.append(NotRead(package.where, why))
            continue
        if match is None:
            continue
        if match.bad and _decided_elsewhere(package, found, known):
            continue
        row = _row(package, match, running, walk.root)
        (findings if match.bad and not package.aside else notes).append(row)
    settings = list(dict.fromkeys(heard.settings))
    findings.sort(key=lambda row: (row["severity"] != "high", row["name"], row["where"]))
    notes.sort(key=lambda row: (row["name"], row["where"]))
    severities = Counter(row["severity"] for row in findings)
    answer = {
        "schema": SCHEMA,
        "root": walk.root,
        "audited_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "complete": not not_read,
        "summary": {
            "findings": len(findings),
            "high": severities["high"],
            "medium": severities["medium"],
            "notes": len(notes),
            "settings": sum(one.effect == _AUDITED_SETTING for one in settings),
            "files": walk.files,
            "packages": dict(sorted(Counter(one.ecosystem for one in packages).items())),
            "processes": len(running),
        },
        "findings": findings,
        "notes": notes,
        "settings": [one._asdict() for one in settings],
        "not_read": [one._asdict() for one in dict.fromkeys(not_read)],
        "skipped": [one._asdict() for one in walk.skipped],
    }
    return {name: _printable(value) for name, value in answer.items()}


def _printable(value: Any) -> Any:
    """Texts with what no terminal or JSON should get (control characters, bytes) escaped.

    Names of files and versions in databases are whatever somebody put there.
    """
    if isinstance(value, str):
        return value if value.isprintable() else ascii(value)[1:-1]
    if isinstance(value, dict):
        return {name: _printable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return value


def _match(package: Package, found: Software) -> Match | None:
    """What is known of it, by its version or, where that is missing, by what its code showed.

    Raises:
        UnknownVersionError: neither tells.
    """
    try:
        match = verdict_on(found, package.ecosystem, package.version)
    except UnknownVersionError:
        if package.speaks_v2 is None:
            raise
        worst, *others = found.ranges
        part = worst if not package.speaks_v2 else (others or [worst])[-1]
        note = "told from the code: it has " + (
            "the request for a token" if package.speaks_v2 else "no request for a token"
        )
        return Match(found, package.version, part._replace(note=note), "medium")
    if match is not None and match.bad and package.speaks_v2:
        # Patched: the number is old, and the request for a token is there.
        return None
    if match is not None and package.how == COPY and match.confidence == "high":
        return match._replace(confidence="medium")
    return match


def _decided_elsewhere(
    package: Package, found: Software, known: list[tuple[Package, Software]]
) -> bool:
    """Whether the library that does the calls was seen beside it, and speaks for itself."""
    if found.through is None:
        return False
    place = _place(package)
    return any(
        other.id == found.through and one.ecosystem == package.ecosystem and _place(one) == place
        for one, other in known
    )


def _place(package: Package) -> str:
    """Where a package manager puts things that belong together."""
    if package.ecosystem == "pypi":
        return os.path.dirname(os.path.dirname(package.where))
    if package.ecosystem == "maven":
        outer, found, _ = package.where.rpartition("!/")
        inner = outer if found and "!/" in outer else package.where.partition("!/")[0]
        return os.path.dirname(inner)
    return package.where


def _row(package: Package, match: Match, running: list[Process], root: str) -> dict[str, Any]:
    found = match.software
    used = [(one, how) for one in running if (how := runs(one, package, root))]
    notes = [one for one in (match.range.note, package.aside) if one]
    return {
        "software": found.id,
        "what": found.title,
        "ecosystem": package.ecosystem,
        "name": package.name,
        "version": package.version or None,
        "minimum": found.minimum,
        "where": package.where,
        "layer": layer_of(package.where),
        "how": package.how,
        "behaviour": match.behaviour,
        "severity": match.severity,
        "confidence": match.confidence,
        "running": [{"pid": one.pid, "comm": one.name, "how": how} for one, how in used],
        "fix": found.fix,
        "note": "; ".join(notes),
        "source": found.source,
    }
