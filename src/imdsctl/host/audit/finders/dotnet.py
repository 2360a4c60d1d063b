""".NET packages in `*.deps.json`, and PowerShell modules."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, NotReadError, Package
from imdsctl.software import software

NAMES: frozenset[str] = frozenset()
SUFFIXES = (".deps.json", ".psd1")
FOLDERS: frozenset[str] = frozenset()

_MODULE_VERSION = re.compile(r"^\s*ModuleVersion\s*=\s*['\"]([0-9.]+)['\"]", re.MULTILINE)
_SMALL = 4 * 1024 * 1024
_LARGEST = 16 * 1024 * 1024


def look(file: File) -> Iterator[Package]:
    """The libraries of an application (.NET docs, "Runtime configuration files"), or a module."""
    if file.name.endswith(".psd1"):
        name = os.path.splitext(file.name)[0]
        if software("psmodule", name):
            found = _MODULE_VERSION.search(file.text(_SMALL))
            version = found[1] if found else ""
            yield Package("psmodule", name, version, file.shown, "PowerShell module")
        return
    try:
        described = json.loads(file.read(_LARGEST).decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotReadError(f"not readable as JSON: {error}") from error
    libraries = described.get("libraries") if isinstance(described, dict) else None
    for key in libraries if isinstance(libraries, dict) else ():
        name, _, version = key.partition("/")
        if software("nuget", name):
            yield Package("nuget", name, version, file.shown, ".NET dependencies")
