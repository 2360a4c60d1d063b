"""Where ports meet adapters; no other module of the command line knows a concrete one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imdsctl.cli.common import Common
from imdsctl.cli.config import load_policy
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.policy import Policy
from imdsctl.ports import Clock

if TYPE_CHECKING:
    from imdsctl.aws.wiring import Aws
    from imdsctl.store.store import SqlStore


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: settings, time and the store."""

    policy: Policy
    clock: Clock
    store: "SqlStore"


@contextmanager
def opened(common: Common, *, create: bool = False) -> Iterator[Desk]:
    """The settings and the store; `create` makes the store where there is none.

    Raises:
        UsageError: bad settings, or no store where one is needed.
        StoreError: the store cannot be opened.
    """
    from imdsctl.aws.clock import clock_from_environment  # noqa: PLC0415 - adapters load late
    from imdsctl.store import open_store  # noqa: PLC0415

    policy = load_policy(common.config)
    clock = clock_from_environment()
    store = open_store(common.db, create=create, clock=clock)
    try:
        yield Desk(policy, clock, store)
    finally:
        store.close()


def aws(desk: Desk, role_name: str | None, accounts: list[str] | None = None) -> "Aws":
    """The AWS adapter; nothing is called yet.

    Raises:
        UsageError: an account id or a setting makes no sense.
    """
    from imdsctl.aws.wiring import connect  # noqa: PLC0415 - botocore loads late

    return connect(
        role_name=role_name,
        accounts=accounts or [],
        share=desk.policy.scan.share,
        clock=desk.clock,
        own_calls=desk.store.own_calls,
    )


def need_scan(desk: Desk) -> None:
    """Refuse where nothing was scanned yet.

    Raises:
        UsageError: the store holds no finished scan.
    """
    if not desk.store.scans():
        raise UsageError("nothing was scanned yet", hint="run `imdsctl scan` first")
