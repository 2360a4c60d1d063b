"""What a control is made of: its names, the reading it needs, and its rule."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from imdsctl.model.control import ControlStatus, Effective, Severity, Subject
from imdsctl.model.evidence import (
    AccountDefaults,
    Group,
    Instance,
    LaunchConfiguration,
    Recorded,
    TemplateVersion,
)
from imdsctl.model.launch_path import LaunchPath


class Answer(Struct, frozen=True, kw_only=True):
    """A rule's word on one resource; `note` says where it differs from what is really so."""

    status: ControlStatus
    why: str
    note: str = ""
    remediation: str = ""


class TemplateGiven(Struct, frozen=True, kw_only=True):
    """A launch template with every version of it that was read, oldest first.

    `effective` is the weakest outcome over the launch paths that really use the template.
    """

    versions: list[Recorded[TemplateVersion]]
    effective: Effective

    @property
    def default(self) -> TemplateVersion | None:
        """The default version, None where it was not among those read."""
        return next((v.item for v in self.versions if v.item.default), None)

    @property
    def unread(self) -> list[int]:
        """Numbers below the latest that were not read; some of them may have been deleted."""
        numbers = {v.item.number for v in self.versions}
        return [n for n in range(1, max(numbers)) if n not in numbers]


class ConfigurationGiven(Struct, frozen=True, kw_only=True):
    """A launch configuration, and whether an Auto Scaling group uses it (None: not known)."""

    item: LaunchConfiguration
    attached: bool | None


class DefaultsGiven(Struct, frozen=True, kw_only=True):
    """The account defaults of a region, and whether it has instances (None: not known)."""

    item: AccountDefaults
    has_instances: bool | None


class GroupGiven(Struct, frozen=True, kw_only=True):
    """An Auto Scaling group with everything that it would launch from today.

    `paths` has one entry for each launch template version, or for the launch configuration.
    `namesakes` are the launch configurations of the same account that bear the name of the group's
    own, in whatever region, that one among them. `effective` is the weakest outcome of the paths.
    """

    item: Group
    paths: list[LaunchPath]
    namesakes: list[LaunchConfiguration]
    effective: Effective

    @property
    def main(self) -> LaunchPath | None:
        """What the group itself names, without the overrides of a mixed instances policy."""
        return next((path for path in self.paths if "main" in path.where), None)


class Control(Struct, frozen=True, kw_only=True):
    """One rule under the names by which it is known.

    `names` maps each id to the benchmark that numbers it so. `rule` gets what belongs to `subject`:
    an `Instance`, a `TemplateGiven`, a `ConfigurationGiven`, a `DefaultsGiven` or a `GroupGiven`;
    it answers None for what the control does not look at. `fails_when` is the rule in words, and
    `absent_in` are the regions in which its maker does not offer it: it is answered there as well,
    with a note. `with_parameter` makes the same control for another value of its parameter.
    """

    names: dict[str, str]
    title: str
    severity: Severity
    subject: Subject
    rule: Callable[[Any], Answer | None]
    fails_when: str
    source: str
    absent_in: frozenset[str] = frozenset()
    with_parameter: Callable[[int], "Control"] | None = None


def effective_of(instance: Instance) -> Effective:
    """What is really so on an instance; a change that EC2 has not applied yet is not done."""
    if instance.state == "terminated":
        return "terminated"
    return "pending" if instance.options.state == "pending" else instance.options.posture


def pending_note(instance: Instance) -> str:
    """The sentence for an instance whose options EC2 has accepted but not applied."""
    if instance.options.state != "pending":
        return ""
    return "EC2 reports the options as pending: the change is not done yet."


REQUIRE_TOKENS = "Set HttpTokens to required, once no software on the instance calls IMDSv1."
REQUIRE_TOKENS_OFF = (
    "Set HttpTokens to required and nothing else: the endpoint stays disabled. Do not send "
    "HttpEndpoint=enabled, which would turn IMDS on."
)


def tokens_rule(instance: Instance) -> Answer | None:
    """The rule of CIS, Security Hub EC2.8 and AWS Config: HttpTokens must be `required`.

    They look at that member alone, so an instance whose IMDS is off can fail. Terminated
    instances are not looked at.
    """
    if instance.state == "terminated":
        return None
    off = instance.options.http_endpoint == "disabled"
    if instance.options.http_tokens == "required":
        return Answer(
            status="pass",
            why="HttpTokens is required.",
            note=pending_note(instance) or ("IMDS is off as well." if off else ""),
        )
    if off:
        return Answer(
            status="fail",
            why="HttpTokens is optional; the rule does not look at the endpoint.",
            note="IMDS is off, so nothing on the instance can call it in either version.",
            remediation=REQUIRE_TOKENS_OFF,
        )
    return Answer(
        status="fail",
        why="HttpTokens is optional: IMDSv1 is answered.",
        note=pending_note(instance),
        remediation=REQUIRE_TOKENS,
    )
