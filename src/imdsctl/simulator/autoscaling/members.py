"""The instances of a group, what they were made from, and what happened to the group."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from moto.autoscaling.models import InstanceState

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator import life as lives
from imdsctl.simulator.autoscaling.recipes import Recipe
from imdsctl.simulator.life import Caller, Options
from imdsctl.simulator.world import current

BOOT = timedelta(seconds=30)
"""How long a new instance is Pending before it is in service."""

KEPT = timedelta(weeks=6)
"""How long scaling activities and instance refreshes can be described."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What one instance was really launched from: a template's version, or a configuration."""

    launch_configuration: str | None = None
    template_id: str | None = None
    template_name: str | None = None
    template_version: int | None = None

    def view(self) -> dict[str, Any]:
        """The members by which describes show it."""
        if self.template_id is None:
            return {"LaunchConfigurationName": self.launch_configuration}
        return {
            "LaunchTemplate": {
                "LaunchTemplateId": self.template_id,
                "LaunchTemplateName": self.template_name,
                "Version": str(self.template_version),
            }
        }


class Member(InstanceState):
    """An instance of a group, as Auto Scaling keeps it."""

    def __init__(
        self,
        instance: Any,
        group: Any,
        origin: Origin,
        *,
        protected: bool = False,
        in_service_at: datetime | None = None,
    ) -> None:
        self.origin = origin
        self.in_service_at = in_service_at
        self._lifecycle = "InService"
        self._health = "Healthy"
        instance.autoscaling_group = group
        super().__init__(instance, protected_from_scale_in=protected, autoscaling_group=group)

    @property
    def lifecycle_state(self) -> str:
        """Pending while it boots, else what it was set to."""
        booting = self.in_service_at is not None and current().now < self.in_service_at
        return "Pending" if booting and self._lifecycle == "InService" else self._lifecycle

    @lifecycle_state.setter
    def lifecycle_state(self, value: str) -> None:
        self._lifecycle = value

    @property
    def health_status(self) -> str:
        """Unhealthy if so reported, if it does not run, or if a vital program is cut off."""
        if self._health != "Healthy" or self.instance.state not in {"running", "pending"}:
            return "Unhealthy"
        life = current().lives.get(self.instance_id)
        healthy = life is None or lives.healthy(life, current().now)
        return "Healthy" if healthy else "Unhealthy"

    @health_status.setter
    def health_status(self, value: str) -> None:
        self._health = value

    @property
    def launch_template(self) -> dict[str, Any] | None:
        """The launch template version it was really launched from."""
        return self.origin.view().get("LaunchTemplate")

    @property
    def launch_configuration_name(self) -> str | None:
        """The launch configuration it was really launched from."""
        return self.origin.launch_configuration

    def view(self) -> dict[str, Any]:
        """The Instance structure of DescribeAutoScalingGroups."""
        return {
            "InstanceId": self.instance_id,
            "InstanceType": self.instance.instance_type,
            "AvailabilityZone": self.availability_zone,
            "LifecycleState": self.lifecycle_state,
            "HealthStatus": self.health_status,
            "ImageId": self.instance.image_id,
            "ProtectedFromScaleIn": bool(self.protected_from_scale_in),
            **self.origin.view(),
        }


@dataclass(slots=True)
class Nature:
    """What a simulated group gives its instances beyond what AWS knows.

    `image` is the AMI where a template of the fleet file names none, `first_options` what the
    group's first instances were born with, `recorded_from` where the metric history begins.
    """

    callers: tuple[Caller, ...] = ()
    metrics: bool = True
    traced: bool = False
    software: tuple[str, ...] = ()
    ssm: bool = True
    role: str = "instance-role"
    credentials: Literal["working", "broken"] = "working"
    image: str | None = None
    recorded_from: datetime | None = None
    first_options: Options | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """A scaling activity that has ended."""

    group: str
    group_arn: str
    description: str
    cause: str
    started: datetime
    ended: datetime
    zone: str = ""
    failure: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def view(self, *, deleted: bool) -> dict[str, Any]:
        """The Activity structure of DescribeScalingActivities."""
        shown = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started,
            "EndTime": self.ended,
            "StatusCode": "Failed" if self.failure else "Successful",
            "Progress": 100,
            "Details": f'{{"Availability Zone":"{self.zone}"}}' if self.zone else "{}",
        }
        if self.failure:
            # The API's text for a status message is at most 255 characters long.
            shown["StatusMessage"] = self.failure[:255]
        if deleted:
            shown["AutoScalingGroupState"] = "Deleted"
        return shown


@dataclass(slots=True)
class Book:
    """What is kept of an account's Auto Scaling in one region, beside moto's own backend."""

    activities: list[Activity] = field(default_factory=list)
    refreshes: dict[str, list[Any]] = field(default_factory=dict)


def book_of(backend: Any) -> Book:
    """The book of an Auto Scaling backend; opened when first asked for."""
    if not hasattr(backend, "imdsctl_book"):
        backend.imdsctl_book = Book()
    book: Book = backend.imdsctl_book
    return book


def nature_of(group: Any) -> Nature:
    """What a group gives its instances; nothing special unless a fleet file says so."""
    if not hasattr(group, "imdsctl_nature"):
        group.imdsctl_nature = Nature()
    nature: Nature = group.imdsctl_nature
    return nature


def recipe_of(group: Any) -> Recipe:
    """What a group launches from now."""
    recipe: Recipe = group.imdsctl_recipe
    return recipe


def note(
    group: Any,
    description: str,
    cause: str,
    *,
    started: datetime | None = None,
    seconds: float = 30,
    zone: str = "",
    failure: str = "",
) -> None:
    """Enter a scaling activity of `group` into its book.

    Args:
        group: moto's group.
        description: what was done, e.g. "Launching a new EC2 instance: i-…".
        cause: why; "At <time> " is put before it.
        started: when it began; None for now.
        seconds: how long it took.
        zone: the Availability Zone of the instance.
        failure: why it failed, or "".
    """
    began = started or current().now
    stamp = began.strftime("%Y-%m-%dT%H:%M:%SZ")
    book_of(group.autoscaling_backend).activities.append(
        Activity(
            group=group.name,
            group_arn=group.arn,
            description=description,
            cause=f"At {stamp} {cause}"[:1023],
            started=began,
            ended=began + timedelta(seconds=seconds),
            zone=zone,
            failure=failure,
        )
    )


def members_of(group: Any) -> Sequence[Any]:
    """The members of a group, oldest first."""
    states: list[Any] = group.instance_states
    return states
