"""Calls that one service of the simulated AWS makes to another, as Automation does to EC2.

They are calls like any other: counted, refused where the account's region refuses, met by faults.
"""

from collections.abc import Mapping
from typing import Protocol

from imdsctl.simulator.calls import Reply


class Caller(Protocol):
    """Makes a call of the form-encoded protocols in an account's region."""

    def __call__(
        self, account: str, region: str, service: str, parameters: Mapping[str, str], who: str
    ) -> Reply:
        """The answer; `who` is the ARN on whose behalf the call is made."""
        ...


_current: Caller | None = None


def use(caller: Caller) -> None:
    """Make `caller` the way in to the simulated AWS that is running."""
    global _current  # noqa: PLW0603 - moto's backends are process-wide, so is the way to them
    _current = caller


def call(account: str, region: str, service: str, parameters: Mapping[str, str], who: str) -> Reply:
    """Make one call.

    Raises:
        RuntimeError: no simulated AWS was started in this process.
    """
    if _current is None:
        raise RuntimeError("no simulated AWS is running in this process")
    return _current(account, region, service, parameters, who)
