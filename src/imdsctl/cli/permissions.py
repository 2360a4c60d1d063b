"""`imdsctl permissions`."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import Parameter

from imdsctl.aws.model import CHANGE, READ
from imdsctl.cli.common import Common, Output, RoleName, Way
from imdsctl.cli.screen import Screen
from imdsctl.guard.permissions import (
    CHANGING,
    COMMANDS,
    EXTRAS,
    LEVELS,
    OFFLINE,
    READING,
    actions_of,
    policy_of,
)
from imdsctl.model.diagnostics import Exit, UsageError

_ROLE: Final = re.compile(r"[\w+=,.@/-]+", re.ASCII)
_PARTITION: Final = re.compile(r"aws[a-z-]*")
_INDENT: Final = 2


def permissions(
    command: str | None = None,
    /,
    *,
    role_name: RoleName = None,
    via: Way = "ec2",
    automation_role: Annotated[list[str] | None, Parameter(negative="")] = None,
    partition: str = "aws",
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The least IAM policy that a command needs; nothing is asked of AWS.

    `-o json` with a command prints the policy alone, as the AWS CLI takes it.

    Args:
        command: scan, verify, apply or rollback; read, change or enforce for a whole role; or
            verify-host or lint-user-data for what is read beside.
        role_name: The role that is assumed in other accounts, if one is.
        via: With ssm: also what `apply --via ssm` and `rollback --via ssm` need.
        automation_role: A role that they are given with --automation-role or
            --administration-role, by name; as often as there are such roles.
        partition: aws, aws-cn or aws-us-gov.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    _check(command, via, role_name, automation_role or ())
    if not _PARTITION.fullmatch(partition):
        raise UsageError(f"there is no partition {partition!r}", hint="aws, aws-cn or aws-us-gov")
    if command is None:
        return _overview(screen, role_name, partition, output)
    if command in OFFLINE:
        if output == "json":
            raise UsageError(
                f"{command} calls no AWS API, so there is no policy for it",
                hint="imdsctl permissions",
            )
        screen.line(f"{command} calls no AWS API: it needs no permission.")
        if command == "lint":
            screen.next("imdsctl permissions lint-user-data   (what lint --user-data needs)")
        return Exit.OK
    if command not in COMMANDS:
        raise UsageError(
            f"there is no command {command!r}",
            detail=f"there are policies for {', '.join(COMMANDS)}",
            hint="imdsctl permissions",
        )
    policy = policy_of(
        command,
        READ,
        CHANGE,
        role_name=role_name,
        partition=partition,
        via_ssm=via == "ssm",
        automation_roles=automation_role or (),
    )
    screen.data(json.dumps(policy, indent=_INDENT) + "\n")
    _notes(screen, command, role_name)
    if via == "ssm":
        _automation_notes(screen, automation_role or ())
    return Exit.OK


def _check(command: str | None, via: Way, role_name: str | None, roles: Sequence[str]) -> None:
    for name in (role_name, *roles):
        if name is not None and not _ROLE.fullmatch(name):
            raise UsageError(f"{name!r} is not the name of a role")
    if via != "ssm" and roles:
        raise UsageError(
            "--automation-role is for changes by Systems Manager Automation", hint="add --via ssm"
        )
    if via == "ssm" and command not in (*CHANGING, "change"):
        raise UsageError(
            "--via ssm is for the policies of apply, rollback and change",
            hint="imdsctl permissions apply --via ssm",
        )


def _overview(screen: Screen, role_name: str | None, partition: str, output: str) -> int:
    if output == "json":
        policies = {
            name: policy_of(name, READ, CHANGE, role_name=role_name, partition=partition)
            for name in COMMANDS
        }
        screen.json("permissions", {"policies": policies, "no_aws": list(OFFLINE)})
        return Exit.OK
    for name in (*READING, *CHANGING):
        _row(screen, name, "")
    screen.line()
    for name, text in LEVELS.items():
        _row(screen, name, text)
    screen.line()
    screen.line(("no AWS call  ", "bold"), ", ".join(OFFLINE), hang=13)
    screen.line(("with --via ssm  ", "bold"), "four actions of Systems Manager are added", hang=16)
    screen.next(
        "imdsctl permissions read -o json > policy.json", "imdsctl permissions apply --via ssm"
    )
    return Exit.OK


def _row(screen: Screen, name: str, text: str) -> None:
    actions = sorted(actions_of(name, READ, CHANGE))
    screen.line((f"{name:14}", "bold"), f"{len(actions):>3} actions  {text}".rstrip())
    screen.line(f"{'':19}{', '.join(actions)}", hang=19)


def _notes(screen: Screen, command: str, role_name: str | None) -> None:
    """What one should know of the policy, on stderr."""
    actions = actions_of(command, READ, CHANGE)
    if role_name is None:
        screen.note("other accounts: add --role-name NAME, for sts:AssumeRole", hang=2)
    if set(EXTRAS) & actions:
        screen.note(
            f"{', '.join(EXTRAS)}: AWS checks them when a group is pointed at a launch template; "
            "narrow iam:PassRole to your instance roles",
            hang=2,
        )
        screen.note(
            "a launch template that takes its image from a parameter (resolve:ssm:…) also needs "
            "ssm:GetParameters",
            hang=2,
        )
    if "ec2:ModifyInstanceMetadataDefaults" in actions and command != "enforce":
        screen.note(
            "HttpTokensEnforced is left out on purpose: imdsctl permissions enforce", hang=2
        )


def _automation_notes(screen: Screen, roles: Sequence[str]) -> None:
    """Who needs which permissions where Automation makes the changes, on stderr."""
    if not roles:
        screen.note(
            "without --automation-role the runbook works with the caller's own permissions; with "
            "one, add it here for iam:PassRole",
            hang=2,
        )
        screen.note(
            "several accounts or regions: without --administration-role the caller also needs "
            "sts:AssumeRole on AWS-SystemsManager-AutomationExecutionRole in each of them",
            hang=2,
        )
    screen.note(
        "the role that the runbook works as needs ec2:DescribeInstances and "
        "ec2:ModifyInstanceMetadataOptions",
        hang=2,
    )
