"""Errors and warnings that say what happened, to what, and what to do next."""

from enum import IntEnum

from msgspec import Struct


class Exit(IntEnum):
    """The exit codes of the command line."""

    OK = 0
    BAD_ANSWER = 1
    USAGE = 2
    INCOMPLETE = 3
    STOPPED = 4
    REFUSED = 5
    NO_AWS = 6
    INTERRUPTED = 130


class Diagnostic(Struct, frozen=True, kw_only=True):
    """One message: a line of what (`summary`), of why (`detail`), of what to do (`hint`)."""

    summary: str
    detail: str = ""
    hint: str = ""


class ImdsctlError(Exception):
    """Root of all expected errors; carries a diagnostic and the exit code."""

    exit_code = Exit.USAGE

    def __init__(self, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary)
        self.diagnostic = Diagnostic(summary=summary, detail=detail, hint=hint)


class UsageError(ImdsctlError):
    """Used wrongly, or bad input; nothing was done."""


class RefusedError(ImdsctlError):
    """Refused: altered or stale plan, one-way door not named, rollback forbidden, lock held."""

    exit_code = Exit.REFUSED


class NoAwsError(ImdsctlError):
    """AWS cannot be reached at all, or there are no valid credentials."""

    exit_code = Exit.NO_AWS


class StoreError(ImdsctlError):
    """The store cannot be opened, read or written."""
