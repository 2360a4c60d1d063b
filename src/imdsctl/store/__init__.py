"""The store: evidence, verdicts, plans and the journal come in, and what is current goes out.

It lives in a SQLite file, or in PostgreSQL for a team that shares one store and one lock.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imdsctl.model.diagnostics import StoreError, UsageError
from imdsctl.ports import Clock

if TYPE_CHECKING:
    from imdsctl.store.store import SqlStore

__all__ = ["open_store"]


def open_store(path_or_url: str, *, create: bool = True, clock: Clock) -> "SqlStore":
    """Open the store at a path or a `postgresql://` URL, and bring its schema up to date.

    Args:
        path_or_url: A file's path, `sqlite:///PATH`, or `postgresql://USER@HOST/DATABASE`.
        create: Make the store where there is none; commands that only read pass False.
        clock: What stamps journal entries.

    Raises:
        UsageError: there is no store and `create` is False, or the URL is of no known kind.
        StoreError: it cannot be opened or written, is something else, or was written by a newer
            version of imdsctl.
    """
    if path_or_url.startswith("sqlite:///"):
        path_or_url = path_or_url.removeprefix("sqlite:///")
    is_url = "://" in path_or_url
    if is_url and not path_or_url.startswith(("postgresql://", "postgresql+psycopg://")):
        scheme = path_or_url.partition("://")[0]
        raise UsageError(
            f"there is no store of the kind {scheme}://",
            hint="give the path of a file, or postgresql://USER@HOST/DATABASE",
        )
    if not is_url:
        _check_file(Path(path_or_url), create=create)

    # SQLAlchemy takes a quarter of a second to import: not before something is there to open.
    from imdsctl.store.store import SqlStore  # noqa: PLC0415 (see the line above)

    return SqlStore.open(path_or_url, create=create, clock=clock)


def no_store(where: str) -> UsageError:
    """What a command that only reads says where there is nothing to read."""
    return UsageError(f"no store at {where}", hint="make one with `imdsctl scan`, or name it: --db")


def _check_file(path: Path, *, create: bool) -> None:
    """Tell what is wrong with a path in better words than SQLite's "unable to open"."""
    elsewhere = "name another store with --db PATH"
    try:
        if path.is_dir():
            raise StoreError(
                f"{path} is a folder, not a store",
                hint=f"name a file in it: --db {path}/imdsctl.db",
            )
        if not path.exists():
            if not create:
                raise no_store(str(path))
            if not path.parent.is_dir():
                raise StoreError(f"the folder {path.parent} does not exist", hint=elsewhere)
        elif not os.access(path, os.R_OK):
            raise StoreError(f"the store {path} may not be read", hint=elsewhere)
        elif create and not os.access(path, os.W_OK):
            raise StoreError(f"the store {path} may not be written", hint=elsewhere)
        elif not _may_be_sqlite(path):
            raise StoreError(f"{path} is not an imdsctl store", hint=elsewhere)
        if create and not os.access(path.parent, os.W_OK | os.X_OK):
            # SQLite keeps its write-ahead log beside the file.
            raise StoreError(f"the folder {path.parent} may not be written", hint=elsewhere)
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be opened", detail=str(error.strerror), hint=elsewhere
        ) from error


def _may_be_sqlite(path: Path) -> bool:
    """Whether a file is empty or begins as SQLite's do.

    SQLite itself takes very short files of any content for empty ones, and would write over them
    (SQLite documentation, "Database File Format").
    """
    with path.open("rb") as file:
        return file.read(16) in {b"", b"SQLite format 3\0"}
