"""Fleet files: the TOML in which a simulated AWS is described, and the values they become."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from imdsctl.simulator.life import Caller

OptionValues = Mapping[str, str | int]
"""Metadata options as a fleet file gives them: only the members that were written down.

The keys are AWS's names in snake_case: `http_tokens`, `http_put_response_hop_limit`,
`http_endpoint`, `http_protocol_ipv6`, `instance_metadata_tags`; in a region's `defaults` also
`http_tokens_enforced`, `managed_by` and `managed_exception_message`.
"""


class FleetError(ValueError):
    """A fleet file says something that it cannot mean.

    Attributes:
        file: the file's name as it was given.
        line: the line of the key or table at fault, counted from 1.
        found: what stands there.
        expected: what could stand there.
    """

    def __init__(self, file: str, line: int, found: str, expected: str) -> None:
        super().__init__(f"{file}:{line}: found {found}; expected {expected}")
        self.file = file
        self.line = line
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Image:
    """An AMI of the account's own; `imds_support` is "v2.0" or None."""

    name: str
    imds_support: str | None = None


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One version of a launch template; what is None or missing is absent from the template."""

    image: str | None = None
    options: OptionValues | None = None
    user_data: str | None = None


@dataclass(frozen=True, slots=True)
class LaunchTemplate:
    """A launch template: its versions 1, 2, … in order, and the number of the default one."""

    name: str
    versions: tuple[TemplateVersion, ...]
    default: int = 1


@dataclass(frozen=True, slots=True)
class LaunchConfiguration:
    """A launch configuration, the launch templates' predecessor."""

    name: str
    image: str | None = None
    options: OptionValues | None = None
    user_data: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group, on either a launch template or a launch configuration.

    `version` is a number as text, "$Default" or "$Latest", and only means something with a
    launch template. `replaced_per_day` counts replacements and scale-outs in the history.
    `eks_custom_template` says whether the launch template is the node group's own, or was made by
    EKS; `eks_drainable` whether pods can be evicted from its nodes.
    `disable_imdsv1` is the Elastic Beanstalk environment's option DisableIMDSv1, None where the
    environment does not set it.
    """

    name: str
    launch_template: str | None = None
    launch_configuration: str | None = None
    version: str = "$Default"
    size: int = 1
    replaced_per_day: float = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    callers: tuple[Caller, ...] = ()
    eks_nodegroup: str | None = None
    eks_custom_template: bool = True
    eks_drainable: bool = True
    ecs_cluster: str | None = None
    ecs_managed_draining: bool = True
    ecs_managed_termination_protection: bool = False
    beanstalk_environment: str | None = None
    beanstalk_application: str = ""
    disable_imdsv1: bool | None = None
    metrics: bool = True
    traced: bool = False
    software: tuple[str, ...] = ()
    ssm: bool = True
    role: str = "instance-role"
    credentials: Literal["working", "broken"] = "working"


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """`count` instances that were launched by hand, by Terraform, by anything but a group.

    All the `…_days_ago` count back from the fleet's start. `stopped_days_ago` is None unless
    `state` is "stopped"; `booted_days_ago` is None if the last boot was the launch.
    """

    name: str
    count: int = 1
    image: str | None = None
    options: OptionValues | None = None
    state: Literal["running", "stopped"] = "running"
    launched_days_ago: float = 400
    stopped_days_ago: float | None = None
    booted_days_ago: float | None = None
    spot: bool = False
    platform: Literal["linux", "windows"] = "linux"
    user_data: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    software: tuple[str, ...] = ()
    ssm: bool = True
    role: str = "instance-role"
    credentials: Literal["working", "broken"] = "working"
    metrics: bool = True
    operator: str = ""
    traced: bool = False
    callers: tuple[Caller, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The Name tag of each instance: the name itself, or name-1, name-2, … of several."""
        if self.count == 1:
            return (self.name,)
        return tuple(f"{self.name}-{number}" for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True)
class Region:
    """One region of one account. `defaults` are the account's metadata defaults there."""

    name: str
    defaults: OptionValues = field(default_factory=dict)
    denied: bool = False
    images: tuple[Image, ...] = ()
    launch_templates: tuple[LaunchTemplate, ...] = ()
    launch_configurations: tuple[LaunchConfiguration, ...] = ()
    groups: tuple[Group, ...] = ()
    instances: tuple[InstanceSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account; every account but the first of a fleet is reached through `role`.

    `automation_role` is what Systems Manager Automation can assume there; empty: nothing.
    """

    id: str
    role: str = "imdsctl-read"
    automation_role: str = "AWS-SystemsManager-AutomationExecutionRole"
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """A whole fleet file. `start` is the simulated now at start; None means the real now."""

    name: str
    accounts: tuple[Account, ...]
    history_days: float = 14
    start: datetime | None = None


def load(path: Path) -> Fleet:
    """Read a fleet file.

    Raises:
        FleetError: the text is no TOML, has an unknown key, or a value that makes no sense.
        OSError: the file cannot be read.
    """
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, name: str) -> Fleet:
    """Read the text of a fleet file; `name` is what errors call it.

    Raises:
        FleetError: the text is no TOML, has an unknown key, or a value that makes no sense.
    """
    from imdsctl.simulator import fleetreader  # noqa: PLC0415 - the reader builds these classes

    return fleetreader.read(text, name)
