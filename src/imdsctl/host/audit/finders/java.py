"""Jars and other archives; the work is done in `imdsctl.host.audit.archive`."""

from __future__ import annotations

from collections.abc import Iterator

from imdsctl.host.audit.archive import look_into
from imdsctl.host.audit.found import File, NotRead, NotReadError, Package

NAMES: frozenset[str] = frozenset()
SUFFIXES = (
    ".jar", ".war", ".ear", ".rar", ".sar", ".jmod", ".whl", ".egg", ".pex", ".pyz", ".zip",
)  # fmt: skip
FOLDERS: frozenset[str] = frozenset()

LARGEST = 4 * 1024 * 1024 * 1024


def look(file: File) -> Iterator[Package | NotRead]:
    """The packages in the archive."""
    missed: list[tuple[str, str]] = []
    with file.open() as archive:
        if archive.seek(0, 2) > LARGEST:
            raise NotReadError(f"larger than {LARGEST >> 30} GiB")
        archive.seek(0)
        if file.name.endswith((".zip", ".rar", ".egg", ".pyz", ".pex")) and not _is_zip(
            archive.read(2)
        ):
            # Other things have these endings, too; a zipapp begins with `#!`.
            return
        archive.seek(0)
        yield from look_into(archive, file.shown, missed)
    for where, why in missed:
        yield NotRead(where, why)


def _is_zip(beginning: bytes) -> bool:
    return beginning in (b"PK", b"#!")
