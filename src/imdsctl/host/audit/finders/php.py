"""PHP packages: Composer's `vendor/composer/installed.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from imdsctl.host.audit.found import File, NotReadError, Package

NAMES = frozenset({"installed.json"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS: frozenset[str] = frozenset()

_LARGEST = 16 * 1024 * 1024


def look(file: File) -> Iterator[Package]:
    """Every package in it; version 1 of Composer writes a list, version 2 an object."""
    if file.parent != "composer":
        return
    try:
        listed = json.loads(file.text(_LARGEST))
    except (ValueError, RecursionError) as error:
        raise NotReadError(f"not readable as JSON: {error}") from error
    packages = listed.get("packages", []) if isinstance(listed, dict) else listed
    for one in packages if isinstance(packages, list) else []:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            version = one.get("version")
            text = version if isinstance(version, str) else ""
            yield Package("composer", one["name"], text, file.shown, "Composer's list")
