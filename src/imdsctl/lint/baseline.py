"""The baseline file: findings that were there before, so that a check fails on new ones only."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from imdsctl.model.diagnostics import UsageError

_SCHEMA: Final = "imdsctl/lint-baseline/v1"


class Old(Struct, frozen=True, kw_only=True):
    """One finding of before; rule and path are for whoever reads the file, and for its diffs."""

    fingerprint: str
    rule: str
    path: str


class _File(Struct, frozen=True, kw_only=True):
    schema: Literal["imdsctl/lint-baseline/v1"]
    findings: list[Old]


def read(path: Path) -> dict[str, Old]:
    """The findings of a baseline file by fingerprint.

    Raises:
        UsageError: it is not there, or is none.
    """
    try:
        body = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise UsageError(
            f"the baseline {path} could not be read: {error.strerror}",
            hint=f"write it first: imdsctl lint --write-baseline {path} PATH",
        ) from error
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{path} is no baseline of lint: {error}",
            hint=f"write it anew: imdsctl lint --write-baseline {path} PATH",
        ) from error
    return {one.fingerprint: one for one in body.findings}


def write(path: Path, findings: Iterable[Old]) -> None:
    """Write a baseline file, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    rows = sorted(findings, key=lambda one: (one.path, one.rule, one.fingerprint))
    body = {"schema": _SCHEMA, "findings": [msgspec.to_builtins(one) for one in rows]}
    try:
        replace(path, (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise UsageError(f"the baseline {path} could not be written: {error.strerror}") from error


def replace(path: Path, content: bytes) -> None:
    """Put a file's new content in the place of the old, at once, with its mode kept.

    Raises:
        OSError: it cannot be written; the old content is still there.
    """
    target = path.resolve()  # a symbolic link stays one
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            Path(name).chmod(target.stat().st_mode & 0o7777)
        else:
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
