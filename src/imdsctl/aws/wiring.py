"""Putting the adapter together: the one function that the command line calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imdsctl.aws.automation import AwsAutomation
from imdsctl.aws.clients import Clients
from imdsctl.aws.control import AwsControl
from imdsctl.aws.fleet import AwsFleet
from imdsctl.aws.health import AwsHealth
from imdsctl.aws.metrics import AwsMetrics
from imdsctl.aws.runcommand import AwsHosts
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.host import OwnCalls
from imdsctl.ports import Clock

_ACCOUNT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Aws:
    """AWS as the use cases see it: one implementation of each port, all on the same clients."""

    fleet: AwsFleet
    metrics: AwsMetrics
    health: AwsHealth
    control: AwsControl
    hosts: AwsHosts
    automation: AwsAutomation
    clock: Clock


def connect(
    *,
    role_name: str | None,
    accounts: Sequence[str] = (),
    share: float = 0.5,
    clock: Clock,
    own_calls: Callable[[], OwnCalls] = dict,
) -> Aws:
    """The adapter, ready to use; nothing is called yet.

    Args:
        role_name: the role to assume in accounts other than the caller's own.
        accounts: the accounts that will be asked for, to be checked before anything is done.
        share: the part of AWS's published API rates to use, above 0 and up to 1.
        clock: the time, and the waiting for the budgets.
        own_calls: the calls of this tool's own probes, which the metrics leave out.

    Raises:
        UsageError: an account is no account id, or the share makes no sense.
    """
    for account in accounts:
        if len(account) != _ACCOUNT_DIGITS or not account.isdecimal() or not account.isascii():
            raise UsageError(
                f"{account!r} is no AWS account id",
                hint="an account id has twelve digits, as in 123456789012",
            )
    if not 0 < share <= 1:
        raise UsageError(f"the share of the API budgets must be above 0 and at most 1, not {share}")
    clients = Clients(role_name=role_name, clock=clock, share=share)
    return Aws(
        fleet=AwsFleet(clients),
        metrics=AwsMetrics(clients, own_calls),
        health=AwsHealth(clients),
        control=AwsControl(clients),
        hosts=AwsHosts(clients),
        automation=AwsAutomation(clients),
        clock=clock,
    )
