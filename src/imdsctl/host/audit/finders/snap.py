"""Snaps: `meta/snap.yaml` of each one that is mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package

NAMES = frozenset({"snap.yaml"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS: frozenset[str] = frozenset()

_FIELD = re.compile(r"^(name|version):[ \t]*['\"]?([^'\"\s]+)", re.MULTILINE)


def look(file: File) -> Iterator[Package]:
    """The snap (Snapcraft documentation, "The snap format")."""
    fields = dict(_FIELD.findall(file.text(1024 * 1024)))
    if file.parent == "meta" and fields.get("name"):
        yield Package("snap", fields["name"], fields.get("version", ""), file.shown, "snap")
