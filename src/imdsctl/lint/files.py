"""Which files there are to read below what was named: a walk that goes nowhere twice."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Final

LEFT_OUT: Final = frozenset(
    (
        *(".git", ".hg", ".svn", "node_modules", "bower_components", "vendor", "third_party"),
        *(".venv", "venv", "virtualenv", "site-packages", "__pycache__", ".tox", ".nox", ".eggs"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".terraform", ".terragrunt-cache"),
        *(".gradle", ".bundle", ".yarn", ".pnpm-store", ".idea", ".next"),
    )
)
"""Folders of other people's code and of caches (docs/lint.md lists them)."""
FIXTURES: Final = frozenset(
    ("fixtures", "__fixtures__", "testdata", "test-fixtures", "__snapshots__", "cassettes")
)
"""Folders of files that tests read, and nobody runs."""
_GIT_SECONDS: Final = 60


@dataclass(slots=True)
class Gathered:
    """The files to read, in order; what was left out on purpose, and what could not be read."""

    files: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    not_read: list[tuple[str, str]] = field(default_factory=list)


def gather(
    paths: Sequence[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Gathered:
    """The files named, and those in the folders named.

    A folder in a git checkout gives what git does not ignore. Symbolic links in folders are not
    followed: what they point to is found where it is, or is not part of the tree.

    Args:
        paths: files and folders, as a person names them.
        include: globs for a file's path or name; with any, only such files are taken.
        exclude: the same for files to leave out; a folder's own name leaves all in it out.
    """
    found = Gathered()
    seen: set[tuple[int, int]] = set()
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 - paths stay the text that was named
        except OSError as error:
            found.not_read.append((path, _why(error)))
            continue
        names = [path] if not stat.S_ISDIR(status.st_mode) else _below(path, found, exclude)
        for name in names:
            _take(os.path.normpath(name), found, seen, include, exclude)
    found.files.sort()
    return found


def _take(
    name: str,
    found: Gathered,
    seen: set[tuple[int, int]],
    include: Sequence[str],
    exclude: Sequence[str],
) -> None:
    if (include and not _matches(name, include)) or _matches(name, exclude):
        return
    try:
        status = os.stat(name)  # noqa: PTH116 - as above
    except FileNotFoundError:
        return  # gone meanwhile, or in git's index only
    except OSError as error:
        found.not_read.append((name, _why(error)))
        return
    identity = (status.st_dev, status.st_ino)
    if stat.S_ISREG(status.st_mode):
        if identity not in seen:
            seen.add(identity)
            found.files.append(name)
    else:
        found.not_read.append((name, "no regular file"))


def _matches(name: str, globs: Iterable[str]) -> bool:
    path = PurePath(os.path.normpath(name)).as_posix()
    last = path.rpartition("/")[2]
    parts = path.split("/")
    return any(
        fnmatch(path, glob) or fnmatch(last, glob) or glob.rstrip("/") in parts
        or fnmatch(path, f"*/{glob}")
        for glob in globs
    )  # fmt: skip


def _below(folder: str, found: Gathered, exclude: Sequence[str]) -> Iterator[str]:
    """The files below a folder that git knows or does not ignore; all where there is no git."""
    listed = _from_git(folder)
    if listed is None:
        yield from _walked(folder, found, exclude)
        return
    left: set[str] = set()
    for name in listed:
        parts = name.split("/")
        inside = next((n for n, part in enumerate(parts[:-1]) if _reason(part)), None)
        if inside is not None:
            cut = os.path.join(folder, *parts[: inside + 1])  # noqa: PTH118 - as above
            if cut not in left:
                left.add(cut)
                found.skipped.append((os.path.normpath(cut), _reason(parts[inside])))
            continue
        path = os.path.join(folder, name)  # noqa: PTH118 - as above
        if os.path.islink(path):  # noqa: PTH114 - as above
            continue
        if os.path.isdir(path):  # noqa: PTH112 - as above
            yield from _below(path, found, exclude)  # a submodule is a checkout of its own
        else:
            yield path


def _reason(name: str) -> str:
    """Why a folder of this name is left out, empty where it is not."""
    if name in LEFT_OUT:
        return "other people's code, or a cache"
    return "what tests read" if name in FIXTURES else ""


def _walked(folder: str, found: Gathered, exclude: Sequence[str]) -> Iterator[str]:
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.not_read.append((current, _why(error)))
            continue
        for entry in listed:
            if entry.is_symlink():
                continue
            if not entry.is_dir(follow_symlinks=False):
                if entry.is_file(follow_symlinks=False):
                    yield entry.path
            elif why := _reason(entry.name):
                found.skipped.append((os.path.normpath(entry.path), why))
            elif os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):  # noqa: PTH110, PTH118
                found.skipped.append((os.path.normpath(entry.path), "a virtual environment"))
            elif not _matches(entry.path, exclude):
                pending.append(entry.path)


def _from_git(folder: str) -> list[str] | None:
    """What git lists below a folder, relative to it; None where it is not in a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    # A hook's environment names another repository; a checkout's settings may name programs.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    try:
        answer = subprocess.run(  # noqa: S603 - no shell, and nothing of a file's content
            [git, "-c", "core.fsmonitor=false", "-C", folder, *words],
            capture_output=True,
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    names = [os.fsdecode(name) for name in answer.stdout.split(b"\0") if name]
    # A folder that git ignores as a whole, and that somebody named: then it is meant.
    return names if names or not any(Path(folder).iterdir()) else None


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
