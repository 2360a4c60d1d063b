"""Alpine packages: `/lib/apk/db/installed`."""

from __future__ import annotations

from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package

NAMES = frozenset({"installed"})
SUFFIXES: tuple[str, ...] = ()
FOLDERS: frozenset[str] = frozenset()


def look(file: File) -> Iterator[Package]:
    """Every installed package: `P:` is its name, `V:` its version (Alpine wiki, "Apk spec")."""
    if file.parent != "db":
        return
    for stanza in file.text().split("\n\n"):
        fields = {line[:2]: line[2:].strip() for line in stanza.splitlines() if line[1:2] == ":"}
        if fields.get("P:"):
            yield Package("apk", fields["P:"], fields.get("V:", ""), file.shown, "apk database")
