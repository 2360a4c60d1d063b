"""Node packages in any node_modules, nested ones too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from imdsctl.host.audit.found import File, NotReadError, Package
from imdsctl.software import software

NAMES = frozenset({"package.json"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS: frozenset[str] = frozenset()

_SMALL = 4 * 1024 * 1024


def look(file: File) -> Iterator[Package]:
    """The package that this package.json describes (npm docs, "package.json")."""
    folder = os.path.dirname(file.path)
    scope = os.path.basename(os.path.dirname(folder))
    name = f"{scope}/{file.parent}" if scope.startswith("@") else file.parent
    if not software("npm", name):
        return
    try:
        described = json.loads(file.read(_SMALL).decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotReadError(f"not readable as JSON: {error}") from error
    if isinstance(described, dict) and described.get("name") == name:
        version = described.get("version")
        yield Package("npm", name, version if isinstance(version, str) else "", file.shown,
                      "Node package")  # fmt: skip
