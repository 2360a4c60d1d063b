"""`imdsctl permissions`."""

import json
import re
from typing import Final

from imdsctl.aws.model import CHANGE, READ
from imdsctl.cli.common import Common, Output, RoleName
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
    partition: str = "aws",
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The least IAM policy that a command needs; nothing is asked of AWS.

    `-o json` with a command prints the policy alone, as the AWS CLI takes it.

    Args:
        command: scan, verify, apply or rollback; or read, change or enforce for a whole role.
        role_name: The role that is assumed in other accounts, if one is.
        partition: aws, aws-cn or aws-us-gov.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    if role_name is not None and not _ROLE.fullmatch(role_name):
        raise UsageError(f"{role_name!r} is not the name of a role")
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
        return Exit.OK
    if command not in COMMANDS:
        raise UsageError(
            f"there is no command {command!r}",
            detail=f"there are policies for {', '.join(COMMANDS)}",
            hint="imdsctl permissions",
        )
    policy = policy_of(command, READ, CHANGE, role_name=role_name, partition=partition)
    screen.data(json.dumps(policy, indent=_INDENT) + "\n")
    _notes(screen, command, role_name)
    return Exit.OK


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
    screen.next("imdsctl permissions read -o json > policy.json")
    return Exit.OK


def _row(screen: Screen, name: str, text: str) -> None:
    actions = sorted(actions_of(name, READ, CHANGE))
    screen.line((f"{name:10}", "bold"), f"{len(actions):>3} actions  {text}".rstrip())
    screen.line(f"{'':15}{', '.join(actions)}", hang=15)


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
