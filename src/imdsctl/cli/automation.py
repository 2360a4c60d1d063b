"""The options of `--via ssm`, and what they come to."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Group, Parameter
from msgspec import structs

from imdsctl.apply.handler import Site
from imdsctl.apply.ledger import Ledger
from imdsctl.apply.runbooks import Runbooks
from imdsctl.cli.common import Way
from imdsctl.cli.screen import Screen
from imdsctl.model.automation import ENFORCE, Document, Via, is_error_limit, is_limit
from imdsctl.model.diagnostics import UsageError
from imdsctl.ports import Automation

_ROLE: Final = re.compile(r"[\w+=,.@/-]{1,64}", re.ASCII)


@Parameter(name="*", group=Group("Systems Manager Automation (--via ssm)", sort_key=50))
@dataclass(frozen=True, kw_only=True)
class AutomationOptions:
    """How Automation makes the changes.

    Parameters:
        automation_role: The role that the runbook works as, by name (AutomationAssumeRole;
            ExecutionRoleName where several accounts or regions are concerned). Without it, your
            own permissions in one account and region, AWS-SystemsManager-AutomationExecutionRole
            in several.
        administration_role: The role in your own account that assumes the others
            (AutomationAssumeRole where several accounts or regions are concerned).
        max_concurrency: How many instances at a time, or a percentage; the whole batch if not
            given.
        max_errors: How many may fail before no more are begun, or a percentage; 0 for canaries
            and 2 for others if not given. A rollback goes through all.
    """

    automation_role: Annotated[str | None, Parameter(name="--automation-role")] = None
    administration_role: Annotated[str | None, Parameter(name="--administration-role")] = None
    max_concurrency: Annotated[str | None, Parameter(name="--max-concurrency")] = None
    max_errors: Annotated[str | None, Parameter(name="--max-errors")] = None

    def given(self) -> dict[str, str]:
        """Those that were given, by the names of `Via`.

        Raises:
            UsageError: a value makes no sense.
        """
        for name in (self.automation_role, self.administration_role):
            if name is not None and not _ROLE.fullmatch(name):
                raise UsageError(
                    f"{name!r} is not the name of a role",
                    hint="the name alone, without arn:aws:iam::…:role/",
                )
        if self.max_concurrency is not None and not is_limit(self.max_concurrency):
            raise UsageError(
                f"--max-concurrency {self.max_concurrency} is no number of instances",
                hint="a number from 1, or 1% to 100%",
            )
        if self.max_errors is not None and not is_error_limit(self.max_errors):
            raise UsageError(
                f"--max-errors {self.max_errors} is no number of errors",
                hint="a number, or 0% to 100%",
            )
        found = {
            "role": self.automation_role,
            "administration_role": self.administration_role,
            "max_concurrency": self.max_concurrency,
            "max_errors": self.max_errors,
        }
        return {key: value for key, value in found.items() if value is not None}


def chosen_via(
    way: Way | None,
    options: AutomationOptions,
    document: Document | None = None,
    before: dict[str, Any] | None = None,
) -> Via | None:
    """How Automation is used, or None where it is not.

    Args:
        way: what `--via` says, if anything.
        options: the other options.
        document: the runbook that was asked for, if one was.
        before: what the run's journal says of an earlier start, if it says anything.

    Raises:
        UsageError: options that do not go together.
    """
    given: dict[str, Any] = options.given()
    if document is not None:
        given["document"] = document
    if way is None and before:
        way = "ssm"
    if way != "ssm":
        if given:
            name = next(iter(given)).replace("_", "-")
            name = {"role": "automation-role"}.get(name, name)
            raise UsageError(
                f"--{name} is for changes by Systems Manager Automation", hint="add --via ssm"
            )
        return None
    via = structs.replace(msgspec.convert(before or {}, Via), **given)
    if via.document == ENFORCE and not via.role:
        raise UsageError(
            f"{ENFORCE} needs a role to work as",
            detail="AutomationAssumeRole is a required parameter of that runbook",
            hint="name it: --automation-role NAME",
        )
    return via


def runbooks_of(
    screen: Screen, site: Site, ledger: Ledger, automation: Automation, via: Via | None
) -> Runbooks:
    """The runbooks of a run; where Automation is not used, only for what is still under way."""
    return Runbooks(
        site,
        ledger,
        automation,
        via or Via(),
        used=via is not None,
        tell=lambda what: screen.note(f"  {'automation':12} ", what, hang=17),
    )


def warn(screen: Screen, via: Via | None) -> None:
    """Say, before anything is started, what cannot be undone by the runbook that was chosen."""
    if via is not None and via.document == ENFORCE:
        screen.note(
            ("no way back in it: ", "bold"),
            f"{ENFORCE} only ever requires IMDSv2. `imdsctl rollback` restores its changes "
            "through the EC2 API, or by AWSSupport-ConfigureEC2Metadata with --via ssm.",
            hang=2,
        )
