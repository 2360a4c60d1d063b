"""Python distributions in any site-packages, copies inside others, zipapps and wheels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package
from imdsctl.software import software

NAMES = frozenset({"METADATA", "PKG-INFO", "__init__.py"})
SUFFIXES = (".egg-info",)
FOLDERS: frozenset[str] = frozenset()

_FOLDER = re.compile(r"([A-Za-z0-9][\w.]*)-([^-]+)(?:-[^/]*)?\.(?:dist-info|egg-info|egg)$")
_FIELD = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)
_OWN_VERSION = re.compile(r"""^(?:__version__|Version)\s*=\s*["']([^"'\s]+)["']""", re.MULTILINE)
_COPIED = ("botocore", "boto")
COPY = "copy without metadata"
"""Whoever copied it may have changed it, too."""

_SMALL = 1024 * 1024


def look(file: File) -> Iterator[Package]:
    """The distribution that this file belongs to (PyPA, "Recording installed projects")."""
    if file.name == "__init__.py":
        if file.parent in _COPIED:
            yield from _copy(file)
        return
    name = file.name if file.name.endswith(".egg-info") else file.parent
    if name == "EGG-INFO":
        name = os.path.basename(os.path.dirname(os.path.dirname(file.path)))
    found = _FOLDER.search(name)
    if found is not None:
        if software("pypi", found[1]):
            yield Package("pypi", found[1], found[2], file.shown, "Python distribution")
    elif name.endswith(".egg-info"):
        # Without a version in its name, as setuptools writes for projects that are developed.
        fields = dict(_FIELD.findall(file.text(_SMALL).partition("\n\n")[0]))
        if software("pypi", fields.get("Name", "")):
            yield Package(
                "pypi", fields["Name"], fields.get("Version", ""), file.shown, "Python distribution"
            )


def _copy(file: File) -> Iterator[Package]:
    """A copy without metadata: inside awscli, ansible or a Lambda folder."""
    package = os.path.dirname(file.path)
    beside = os.path.dirname(package)
    installed = re.compile(rf"{file.parent}-[^/]*\.(?:dist|egg)-info$")
    # A root may itself be the copy: beside it is nothing of the root's.
    within = file.shown.count("/") > 1
    if within and any(installed.match(name) for name in os.listdir(beside)):
        return
    found = _OWN_VERSION.search(file.text(_SMALL))
    if found is not None:
        yield Package("pypi", file.parent, found[1], file.shown, COPY)
