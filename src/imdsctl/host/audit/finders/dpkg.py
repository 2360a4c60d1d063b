"""Debian packages: `/var/lib/dpkg/status`, and `status.d` of images without a package manager."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package

NAMES = frozenset({"status"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS = frozenset({"status.d"})

_FIELD = re.compile(r"^(Package|Version|Status):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def look(file: File) -> Iterator[Package]:
    """Every installed package (dpkg-query(1), "package-status"; deb-control(5))."""
    if file.parent not in ("dpkg", "status.d") or file.name.endswith(".md5sums"):
        return
    for stanza in re.split(r"\n[ \t]*\n", file.text().replace("\r\n", "\n")):
        fields = dict(_FIELD.findall(stanza))
        state = fields.get("Status", "install ok installed").split()
        # Half-installed and unpacked ones have their files in place, too.
        if not fields.get("Package") or state[-1:] in ([], ["config-files"], ["not-installed"]):
            continue
        yield Package(
            "deb", fields["Package"], fields.get("Version", ""), file.shown, "dpkg database"
        )
