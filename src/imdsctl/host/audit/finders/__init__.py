"""What looks into files: one module for each kind of database, manifest or program.

Each has the names, endings and folders of the files that it wants, and `look`, which reads one of
them and gives what is in it. Nothing of the root is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imdsctl.host.audit.finders import (
    apk,
    cpp,
    dotnet,
    dpkg,
    java,
    node,
    php,
    python,
    rpm,
    ruby,
    settings,
    snap,
)
from imdsctl.host.audit.found import File, NotRead, Package, Setting

Look = Callable[[File], Iterator["Package | Setting | NotRead"]]

_MODULES: tuple[Any, ...] = (
    apk, cpp, dotnet, dpkg, java, node, php, python, rpm, ruby, settings, snap,
)  # fmt: skip

BY_NAME: dict[str, tuple[Look, ...]] = {}
BY_SUFFIX: dict[str, tuple[Look, ...]] = {}
BY_FOLDER: dict[str, tuple[Look, ...]] = {}
for _module in _MODULES:
    for _table, _keys in (
        (BY_NAME, _module.NAMES),
        (BY_SUFFIX, _module.SUFFIXES),
        (BY_FOLDER, _module.FOLDERS),
    ):
        for _key in _keys:
            _table[_key] = (*_table.get(_key, ()), _module.look)

_ENDINGS = tuple(BY_SUFFIX)


def wanted(name: str, parent: str) -> bool:
    """Whether any finder wants a file of this name in a folder of that name."""
    return name in BY_NAME or parent in BY_FOLDER or name.endswith(_ENDINGS)


def for_file(name: str, parent: str) -> list[Look]:
    """The finders that want it, each once."""
    found: dict[Look, None] = dict.fromkeys(BY_NAME.get(name, ()))
    found.update(dict.fromkeys(BY_FOLDER.get(parent, ())))
    for ending, looks in BY_SUFFIX.items():
        if name.endswith(ending):
            found.update(dict.fromkeys(looks))
    return list(found)
