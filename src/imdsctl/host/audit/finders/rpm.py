"""RPM packages: `/var/lib/rpm` or `/usr/lib/sysimage/rpm`, in any of rpm's formats."""

from __future__ import annotations

from collections.abc import Iterator

from imdsctl.host.audit.finders.rpmdb import (
    LARGEST_DATABASE,
    blobs_of_bdb,
    blobs_of_ndb,
    blobs_of_sqlite,
    bounded,
    package_in,
)
from imdsctl.host.audit.found import File, Package

NAMES = frozenset({"rpmdb.sqlite", "Packages.db", "Packages"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS: frozenset[str] = frozenset()


def look(file: File) -> Iterator[Package]:
    """Every installed package."""
    if file.parent != "rpm":
        return
    if file.name == "rpmdb.sqlite":
        blobs = blobs_of_sqlite(file)
    elif file.name == "Packages.db":
        data = file.read(LARGEST_DATABASE)
        blobs = bounded(blobs_of_ndb(data), len(data))
    else:
        data = file.read(LARGEST_DATABASE)
        blobs = bounded(blobs_of_bdb(data), len(data))
    for blob in blobs:
        found = package_in(blob)
        if found is not None and found[0] != "gpg-pubkey":
            yield Package("rpm", found[0], found[1], file.shown, "rpm database")
