"""What a guardrail is: a policy statement, a plain account of it, and what it would deny."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from imdsctl.model.evidence import AccountDefaults, Calls, Instance
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.plan import Change
from imdsctl.model.policy import JudgePolicy

PolicyKind = Literal["iam", "scp", "declarative"]
"""An IAM policy, a service control policy, a declarative policy for EC2."""

Word = Literal["deny", "may-deny", "allow"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator chooses.

    `exempt_roles` are ARNs of roles that no statement denies anything (`*` and `?` allowed),
    `max_hop_limit` the highest response hop limit of a launch, `default_hop_limit` the one that
    the declarative policy gives to launches that choose none. `enforce` adds `HttpTokensEnforced`
    to the declarative policy. `partition` is that of the ARNs: `aws`, `aws-cn`, `aws-us-gov`.
    """

    exempt_roles: tuple[str, ...] = ()
    max_hop_limit: int = 3
    default_hop_limit: int = 2
    enforce: bool = False
    partition: str = "aws"

    @property
    def instances(self) -> str:
        """The ARN of every instance."""
        return f"arn:{self.partition}:ec2:*:*:instance/*"


class Finding(Struct, frozen=True):
    """What a guardrail would do to one resource today, and why; uncertain is `may-deny`."""

    word: Word
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the guardrails look at beside the resource itself, of the same account and region.

    `images` are those that could be read, `unreadable` maps a kind of reading to why it is not
    whole, `judging` says when silence counts.
    """

    settings: Settings
    judging: JudgePolicy = field(default_factory=JudgePolicy)
    defaults: AccountDefaults | None = None
    images: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    calls: Calls | None = None

    def is_unread(self, path: LaunchPath) -> bool:
        """Whether the template version or launch configuration of a path is not known."""
        return path.number is None and path.launch_configuration is None

    def inherited_is_known(self, path: LaunchPath, member: str) -> bool:
        """Whether it is known what an option becomes that the path itself leaves open."""
        if self.defaults is None:
            return False
        if getattr(self.defaults.options, member) is not None:
            return True
        return path.image is None or path.image in self.images


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """One guardrail.

    Attributes:
        name: What one calls it on the command line.
        sid: The statement's id, the one that AWS publishes where it does.
        kinds: The kinds of policy that it can stand in.
        title: What it is for, in a few words.
        does: What it does, in one sentence.
        misses: What it does not catch, a sentence each.
        blocks: Which of imdsctl's own steps it stops, a sentence each.
        build: The statement; for a declarative policy, all of it.
        path: What it would do to a launch path; None where it has no say.
        instance: What it would do to an instance; None where it has no say.
        undo: Why a change could not be taken back under it; None where it could.
    """

    name: str
    sid: str
    kinds: tuple[PolicyKind, ...]
    title: str
    does: str
    misses: tuple[str, ...]
    blocks: tuple[str, ...]
    build: Callable[[Settings], Json]
    path: Callable[[LaunchPath, Look], Finding | None] = lambda _path, _look: None
    instance: Callable[[Instance, Look], Finding | None] = lambda _instance, _look: None
    undo: Callable[[Change, Look], Finding | None] = lambda _change, _look: None


def deny(settings: Settings, sid: str, action: str, resource: str, condition: Json) -> Json:
    """A Deny statement with the exemption of the settings.

    `aws:PrincipalArn` is the ARN of the role, not of its session (IAM User Guide, "AWS global
    condition context keys"); a negated operator also matches where the key is missing, so that
    nobody slips through without one.
    """
    conditions = dict(condition)
    if settings.exempt_roles:
        conditions["ArnNotLike"] = {"aws:PrincipalArn": list(settings.exempt_roles)}
    statement: Json = {"Sid": sid, "Effect": "Deny", "Action": action, "Resource": resource}
    return {**statement, "Condition": conditions} if conditions else statement


NO_LINKED_ROLES = (
    "Service-linked roles are under no SCP and carry no policy of yours: Auto Scaling goes on "
    "launching from a template version that it already uses."
)
NO_AUTHORING = (
    "IAM has no metadata condition for CreateLaunchTemplate, CreateLaunchTemplateVersion, "
    "CreateLaunchConfiguration and CreateFleet: what starts on v1 can still be written down."
)
NO_MANAGEMENT = "An SCP does not reach the organization's management account."


UNREAD = Finding("may-deny", "its template version or launch configuration could not be read")
NOT_CAUGHT = Finding(
    "allow",
    "not caught: Auto Scaling launches from the launch configuration under its service-linked role",
)


def launch(path: LaunchPath, denied: str) -> Finding:
    """The word on a launch whose request the statement denies, by who makes it.

    AWS checks RunInstances for whoever creates or updates a group with an explicit template
    version; later launches are the service-linked role's, and a new `$Default` or `$Latest` is
    not checked again (EC2 User Guide, "Example policies to work with instance metadata").
    """
    if path.launch_configuration:
        return NOT_CAUGHT
    if path.kind == "template":
        return Finding("deny", f"RunInstances from its default version is denied: {denied}")
    if path.version and not path.version.isdecimal():
        return Finding(
            "may-deny",
            f"{denied}; the group follows {path.version}, which is checked when somebody creates "
            "or updates it, if at all; its own launches go on",
        )
    return Finding(
        "deny",
        f"creating or updating the group with version {path.version} is denied, and RunInstances "
        f"from it: {denied}; the group's own launches go on",
    )
