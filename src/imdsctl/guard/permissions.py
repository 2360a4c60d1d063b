"""The least IAM policy for each command, made from the list of operations that the tool uses.

Resource types and condition keys are those of the Service Authorization Reference.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from imdsctl.guard.guardrail import Json

Operations = Mapping[str, tuple[str, ...]]

READING: Final = ("scan", "verify")
CHANGING: Final = ("apply", "rollback")
LEVELS: Final[dict[str, str]] = {
    "read": "scan and verify; changes nothing",
    "change": "scan, verify, apply and rollback, without the one-way doors",
    "enforce": "the one-way doors: HttpTokensEnforced, ImdsSupport on images",
    "verify-host": "what verify --host needs beside verify: a script on instances, by Run Command",
    "lint-user-data": "what lint --user-data reads; lint of files calls nothing",
}
"""Policies for a role that does more than one command."""

OFFLINE: Final = (
    *("status", "explain", "check", "plan", "show", "runs", "report", "serve", "guard"),
    *("permissions", "lint", "host", "emulate", "rehearse", "simulate", "demo"),
)
"""Commands that call no AWS API: they work on the store, on files, or on the host.

`lint` does only with --user-data, which has a policy of its own among the levels.
"""

SSM: Final = "ssm"
"""What `--via ssm` adds to the commands that change something."""

# Operations that only some commands make; all others are made by every command of their level.
_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "ec2:DescribeImages": ("scan", "verify"),
    "ec2:DescribeInstanceStatus": ("apply",),
    "ec2:DescribeLaunchTemplates": ("scan",),
    "ec2:DescribeRegions": ("scan",),
    "eks:DescribeUpdate": ("apply", "verify", "rollback"),
    "eks:ListUpdates": ("apply", "verify", "rollback"),
    "ecs:DescribeCapacityProviders": ("scan",),
    "elasticbeanstalk:AbortEnvironmentUpdate": ("apply", "rollback"),
    "autoscaling:DescribeInstanceRefreshes": ("apply", "verify", "rollback"),
    "autoscaling:DescribeLaunchConfigurations": ("scan", "apply"),
    "cloudwatch:GetMetricData": ("scan", "apply", "verify"),
    "cloudwatch:ListMetrics": ("scan", "verify"),
    "ec2:CreateLaunchTemplate": ("apply",),
    "ec2:CreateLaunchTemplateVersion": ("apply",),
    "ec2:DeleteLaunchTemplate": ("rollback",),
    "ec2:DeleteLaunchTemplateVersions": ("rollback",),
    "ssm:GetInventory": ("scan",),
    # Only verify --host, which has a level of its own.
    "ssm:DescribeInstanceInformation": (),
    "ssm:GetCommandInvocation": (),
    "ssm:ListCommandInvocations": (),
    "ssm:SendCommand": (),
    # Only lint --user-data, which has a level of its own.
    "ec2:DescribeInstanceAttribute": (),
    # Asked for by name.
    "ec2:ModifyImageAttribute": (),
    # Only with --via ssm.
    "ssm:DescribeAutomationExecutions": (SSM,),
    "ssm:GetAutomationExecution": (SSM,),
    "ssm:StartAutomationExecution": (SSM,),
    "ssm:StopAutomationExecution": (SSM,),
    # AWS answers it to everybody, whatever their policies say.
    "sts:GetCallerIdentity": (),
    # Its resource is the role that the operator names.
    "sts:AssumeRole": (),
}

# The one-way doors, and what has to be read before going through one.
_ENFORCING: Final = {
    "ec2:ModifyInstanceMetadataDefaults": "ec2:GetInstanceMetadataDefaults",
    "ec2:ModifyImageAttribute": "ec2:DescribeImages",
}
_ON_HOSTS: Final = (
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "ssm:SendCommand",
)
_USER_DATA: Final = ("ec2:DescribeInstanceAttribute", "ec2:DescribeLaunchTemplateVersions")
_ENFORCED_KEY: Final = "ec2:Attribute/HttpTokensEnforced"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an action is allowed: ARNs with the partition left open, and under which condition."""

    resources: tuple[str, ...] = ("*",)
    condition: Json = field(default_factory=dict)


# The ARNs of Amazon's own runbooks have no account; both resource types have been in use for them
# (Systems Manager User Guide, "Setting up identity based policies examples").
_RUNBOOKS: Final = tuple(
    arn
    for name in ("AWSSupport-ConfigureEC2Metadata", "AWSConfigRemediation-EnforceEC2InstanceIMDSv2")
    for arn in (
        f"arn:{{p}}:ssm:*:*:automation-definition/{name}:*",
        f"arn:{{p}}:ssm:*:*:document/{name}",
    )
)
_EXECUTIONS: Final = "arn:{p}:ssm:*:*:automation-execution/*"
_GROUPS: Final = Scope(("arn:{p}:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",))
_NODEGROUPS: Final = Scope(("arn:{p}:eks:*:*:nodegroup/*/*/*",))
_CLUSTERS_TOO: Final = Scope(("arn:{p}:eks:*:*:cluster/*", "arn:{p}:eks:*:*:nodegroup/*/*/*"))
_ENVIRONMENTS: Final = Scope(("arn:{p}:elasticbeanstalk:*:*:environment/*/*",))
_TEMPLATES: Final = Scope(("arn:{p}:ec2:*:*:launch-template/*",))
_SCOPES: Final[dict[str, Scope]] = {
    "ec2:DescribeInstanceAttribute": Scope(("arn:{p}:ec2:*:*:instance/*",)),
    "ec2:ModifyInstanceMetadataOptions": Scope(("arn:{p}:ec2:*:*:instance/*",)),
    "ec2:CreateLaunchTemplate": _TEMPLATES,
    "ec2:CreateLaunchTemplateVersion": _TEMPLATES,
    "ec2:ModifyLaunchTemplate": _TEMPLATES,
    "ec2:DeleteLaunchTemplate": _TEMPLATES,
    "ec2:DeleteLaunchTemplateVersions": _TEMPLATES,
    "ec2:ModifyImageAttribute": Scope(("arn:{p}:ec2:*::image/*",)),
    "eks:DescribeNodegroup": _NODEGROUPS,
    "eks:UpdateNodegroupVersion": _NODEGROUPS,
    "eks:DescribeUpdate": _CLUSTERS_TOO,
    "eks:ListUpdates": _CLUSTERS_TOO,
    "autoscaling:UpdateAutoScalingGroup": _GROUPS,
    "autoscaling:StartInstanceRefresh": _GROUPS,
    "autoscaling:RollbackInstanceRefresh": _GROUPS,
    "autoscaling:CancelInstanceRefresh": _GROUPS,
    "elasticbeanstalk:UpdateEnvironment": _ENVIRONMENTS,
    "elasticbeanstalk:AbortEnvironmentUpdate": _ENVIRONMENTS,
    "ssm:SendCommand": Scope(
        ("arn:{p}:ssm:*:*:document/AWS-RunShellScript", "arn:{p}:ec2:*:*:instance/*")
    ),
    "ssm:StartAutomationExecution": Scope((*_RUNBOOKS, _EXECUTIONS)),
    "ssm:GetAutomationExecution": Scope((_EXECUTIONS,)),
    "ssm:StopAutomationExecution": Scope((_EXECUTIONS,)),
    # Enforcement is a one-way door for the rest of the fleet, so it takes a role of its own.
    "ec2:ModifyInstanceMetadataDefaults": Scope(condition={"Null": {_ENFORCED_KEY: "true"}}),
}

# Every resource type of RunInstances; images and snapshots have no account in their ARN.
_LAUNCHED: Final = (
    *(f"arn:{{p}}:ec2:*::{kind}/*" for kind in ("image", "snapshot")),
    *(
        f"arn:{{p}}:ec2:*:*:{kind}/*"
        for kind in (
            *("capacity-reservation", "instance", "key-pair", "launch-template"),
            *("network-interface", "placement-group", "security-group", "subnet", "volume"),
        )
    ),
)

# What Auto Scaling checks for whoever points a group at a launch template, beside the call itself
# (Auto Scaling User Guide, "Control Amazon EC2 launch template usage in Auto Scaling groups"), and
# EKS for whoever updates a node group with one ("Customize managed nodes with launch templates").
_EXTRAS: Final[dict[str, Scope]] = {
    "ec2:RunInstances": Scope(
        _LAUNCHED,
        {"ArnLike": {"ec2:LaunchTemplate": "arn:{p}:ec2:*:*:launch-template/*"}},
    ),
    "ec2:CreateTags": Scope(
        ("arn:{p}:ec2:*:*:*/*",), {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    ),
    "iam:PassRole": Scope(
        ("arn:{p}:iam::*:role/*",), {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    ),
}
_DEMANDING: Final = {
    "autoscaling:UpdateAutoScalingGroup",
    "autoscaling:StartInstanceRefresh",
    "eks:UpdateNodegroupVersion",
}
EXTRAS: Final[tuple[str, ...]] = tuple(_EXTRAS)
"""Actions that AWS checks though no command makes the call."""

COMMANDS: Final = (*READING, *CHANGING, *LEVELS)
"""Everything that there is a policy for."""


def actions_of(
    command: str, read: Operations, change: Operations, *, via_ssm: bool = False
) -> set[str]:
    """The actions that a command or a level needs, without those that depend on a named role."""
    if via_ssm and command in (*CHANGING, "change"):
        every = _actions(read) | _actions(change)
        added = {a for a in every if SSM in _ONLY.get(a, ())}
        return actions_of(command, read, change) | added
    reading, changing = _actions(read), _actions(change)
    if command == "enforce":
        return changing & _ENFORCING.keys() | reading & {
            _ENFORCING[action] for action in changing & _ENFORCING.keys()
        }
    if command == "verify-host":
        return (reading | changing) & set(_ON_HOSTS)
    if command == "lint-user-data":
        return reading & set(_USER_DATA)
    if command == "read":
        return _made(reading, READING)
    if command == "change":
        return _demanded(_made(reading | changing, (*READING, *CHANGING)))
    needed = _made(reading | changing if command in CHANGING else reading, (command,))
    return _demanded(needed)


def policy_of(
    command: str,
    read: Operations,
    change: Operations,
    *,
    role_name: str | None = None,
    partition: str = "aws",
    via_ssm: bool = False,
    automation_roles: Sequence[str] = (),
) -> Json:
    """The least policy of a command or a level.

    Args:
        command: One of `COMMANDS`.
        read: The reading operations that the tool uses, by service.
        change: The changing ones.
        role_name: The role that is assumed in other accounts, if one is.
        partition: That of the ARNs.
        via_ssm: Whether instances' options are changed by Systems Manager Automation.
        automation_roles: The roles that it is given to work as.
    """
    scopes: dict[str, list[str]] = defaultdict(list)
    found: dict[str, Scope] = {}
    for action in sorted(actions_of(command, read, change, via_ssm=via_ssm)):
        scope = _scope(command, action)
        found[repr(scope)] = scope
        scopes[repr(scope)].append(action)
    statements = [_statement(scopes[key], found[key], partition) for key in scopes]
    statements.sort(key=lambda s: (s["Resource"] != "*", "Condition" in s))
    if via_ssm and automation_roles:
        passed = Scope(
            tuple(f"arn:{{p}}:iam::*:role/{name}" for name in automation_roles),
            {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
        )
        statements.append(_statement(["iam:PassRole"], passed, partition))
    if role_name:
        role = Scope((f"arn:{{p}}:iam::*:role/{role_name}",))
        statements.append(_statement(["sts:AssumeRole"], role, partition))
    return {"Version": "2012-10-17", "Statement": statements}


def _scope(command: str, action: str) -> Scope:
    if command == "enforce" and action == "ec2:ModifyInstanceMetadataDefaults":
        return Scope(condition={"Null": {_ENFORCED_KEY: "false"}})
    return _SCOPES.get(action) or _EXTRAS.get(action) or Scope()


def _statement(actions: list[str], scope: Scope, partition: str) -> Json:
    resources = [arn.replace("{p}", partition) for arn in scope.resources]
    statement: Json = {
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    if scope.condition:
        statement["Condition"] = {
            operator: {key: value.replace("{p}", partition) for key, value in pairs.items()}
            for operator, pairs in scope.condition.items()
        }
    return statement


def _actions(operations: Operations) -> set[str]:
    return {f"{service}:{name}" for service, names in operations.items() for name in names}


def _made(actions: Iterable[str], commands: tuple[str, ...]) -> set[str]:
    return {a for a in actions if a not in _ONLY or set(commands) & set(_ONLY[a])}


def _demanded(actions: set[str]) -> set[str]:
    return actions | set(EXTRAS) if actions & _DEMANDING else actions
