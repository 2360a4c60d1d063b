"""Plan files: sealed JSON that can be read, reviewed and kept in git."""

from pathlib import Path

import msgspec

from imdsctl.apply.start import check_seal
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.plan import Plan


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan for people and programs to read.

    Raises:
        UsageError: the file cannot be written.
    """
    body = msgspec.json.format(msgspec.json.encode(plan), indent=2)
    try:
        path.write_bytes(body + b"\n")
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UsageError:
    """What is said of a file that cannot be written."""
    if not path.parent.is_dir():
        return UsageError(
            f"{path} could not be written: there is no folder {path.parent}",
            hint=f"mkdir -p {path.parent}, or name another file with -f",
        )
    return UsageError(
        f"{path} could not be written: {error.strerror}", hint="name another file with -f"
    )


def read_plan(path: Path) -> Plan:
    """Read a plan back and check its seal.

    Raises:
        UsageError: there is no such file, or it is no plan.
        RefusedError: it was changed after it was sealed.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} could not be read: {error.strerror}",
            hint="`imdsctl plan -f plan.json` writes one",
        ) from error
    try:
        plan = msgspec.json.decode(raw, type=Plan)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} is no plan: {error}", hint="`imdsctl plan -f plan.json` writes one"
        ) from error
    if plan.schema != "imdsctl/plan/v1":
        raise UsageError(f"{path} has the schema {plan.schema}; this version reads imdsctl/plan/v1")
    check_seal(plan, str(path))
    return plan
