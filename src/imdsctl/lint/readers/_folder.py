"""The files beside a file: what a module's variables, locals and scripts are."""

import os
import stat
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Final

from imdsctl.lint.readers import _hcl, _tree

_LARGEST: Final = 2**20
_MOST: Final = 200
"""Files of one folder; a module has fewer, and a folder of more is no module."""


def text_beside(folder: Path, name: str) -> tuple[Path, str] | None:
    """A file that `file()` or its like names, if it lies in the same tree of sources.

    The tree is what version control holds together, else the folder and its parent: a template that
    names /etc/shadow or ../../../.aws/credentials is not followed there.
    """
    if not name or "\0" in name:
        return None
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(_root(folder.resolve())):
            return None
        found = _read(path)
    except (OSError, ValueError, RuntimeError):
        return None
    return None if found is None else (Path(os.path.normpath(folder / name)), found)


@lru_cache(maxsize=1024)
def _root(folder: Path) -> Path:
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            return parent
    return folder.parent if folder.parent != folder else folder


def _read(path: Path) -> str | None:
    """A regular file's text, None for what is larger than anybody's script or no file at all."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            return None
        return stream.read().decode("utf-8", "surrogateescape")


@lru_cache(maxsize=512)
def _parsed(path: str, changed: int, size: int) -> _hcl.Block | None:
    """One file of a module, by when it changed."""
    del changed, size
    try:
        text = _read(Path(path))
    except OSError:
        return None
    if text is None:
        return None
    return parsed(path, text)


def parsed(path: str, text: str) -> _hcl.Block | None:
    """A Terraform or Packer text as blocks, None for JSON that is none."""
    if path.endswith(".json"):
        try:
            return _hcl.json_body(_tree.json_document(text))
        except _tree.UnreadableError:
            return None
    return _hcl.body(_hcl.parse(text.encode("utf-8", "surrogatepass")).root_node)


def blocks_of(
    folder: Path, suffixes: tuple[str, ...], without: str = ""
) -> dict[str, _hcl.Block] | None:
    """The files of a folder with such names, None where it has too many or cannot be read.

    Args:
        folder: where they are.
        suffixes: how their names end.
        without: the name of one that is known already.
    """
    found: dict[str, _hcl.Block] = {}
    try:
        with os.scandir(folder) as entries:
            named = sorted(
                (entry for entry in entries if entry.name.endswith(suffixes)), key=lambda e: e.name
            )
    except OSError:
        return None
    if len(named) > _MOST:
        return None
    for entry in named:
        if entry.name == without:
            continue
        try:
            state = entry.stat()
        except OSError:
            continue
        if stat.S_ISREG(state.st_mode) and state.st_size <= _LARGEST:
            block = _parsed(entry.path, state.st_mtime_ns, state.st_size)
            if block is not None:
                found[entry.path] = block
    return found


def folder_of(path: str) -> Path | None:
    """The folder of a file that exists, None for a text from a stream."""
    if not path or path == "-":
        return None
    parent = Path(PurePath(path).parent)
    return parent if parent.is_dir() else None
