"""Environments as Elastic Beanstalk keeps them: option settings, drafts, and what they launch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from moto.elasticbeanstalk.models import eb_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups
from imdsctl.simulator.autoscaling.members import members_of, recipe_of
from imdsctl.simulator.autoscaling.recipes import Recipe, TemplateRef
from imdsctl.simulator.beanstalk.update import Update
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.region import backend_of
from imdsctl.simulator.world import current

Option = tuple[str, str]
"""Namespace and name."""

DISABLE_IMDSV1: Final[Option] = ("aws:autoscaling:launchconfiguration", "DisableIMDSv1")
VARIABLES: Final = "aws:elasticbeanstalk:application:environment"
"""The namespace of an application's own environment variables, which may hold secrets."""


@dataclass(slots=True)
class Environment:
    """One environment and the Auto Scaling group that it owns.

    `settings` are the deployed options, `draft` those that are being deployed (`pending`) or that
    could not be (`failed`).
    """

    account: str
    region: str
    name: str
    id: str
    application: str
    group: str
    created: datetime
    settings: dict[Option, str]
    draft: dict[Option, str] | None = None
    draft_status: str = ""
    updated: datetime | None = None
    draft_updated: datetime | None = None
    update: Update | None = None
    status: str = "Ready"
    broken: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def scaling_group(self) -> Any:
        """Moto's group; None where somebody deleted it."""
        return groups.backend_of(self.account, self.region).autoscaling_groups.get(self.group)

    @property
    def health(self) -> str:
        """Grey while it is updated, Red where an instance is not healthy, else Green."""
        if self.status != "Ready":
            return "Grey"
        group = self.scaling_group
        sick = group is None or any(m.health_status != "Healthy" for m in members_of(group))
        return "Red" if sick or self.broken else "Green"

    def tell(self, severity: str, message: str) -> None:
        """Enter an event."""
        self.events.append(
            {
                "EventDate": current().now,
                "Message": message,
                "ApplicationName": self.application,
                "EnvironmentName": self.name,
                # No RequestId: moto would take the first one for that of the whole answer.
                "Severity": severity,
            }
        )

    def configure(self, settings: dict[Option, str]) -> None:
        """Deploy other option settings; instances are replaced if they launch differently."""
        now = current().now
        self.draft, self.draft_status, self.draft_updated = settings, "pending", now
        self.status, self.updated, self.broken = "Updating", now, False
        self.tell("INFO", "Environment update is starting.")
        group = self.scaling_group
        before = recipe_of(group)
        differs = self.settings.get(DISABLE_IMDSV1) != settings.get(DISABLE_IMDSV1)
        recipe = self._recipe(before, settings) if differs else before
        self.update = Update(
            group=group,
            recipe=recipe,
            original=before,
            replaces=differs,
            finished=self._finished,
            tell=self.tell,
        )
        self.update.begin()

    def abort(self) -> None:
        """Cancel the update in progress; the caller has made sure that there is one."""
        assert self.update is not None
        self.status = "Aborting"
        self.update.abort("The environment update was cancelled.")

    def _finished(self, why: str) -> None:
        now = current().now
        self.update, self.status, self.updated = None, "Ready", now
        if not why:
            assert self.draft is not None
            self.settings, self.draft, self.draft_status = self.draft, None, ""
            self.tell("INFO", "Environment update completed successfully.")
        else:
            self.draft_status, self.draft_updated = "failed", now
            self.broken = "rollback failed" in why
            self.tell("ERROR", f"Failed to deploy configuration. {why}")

    def _recipe(self, before: Recipe, settings: Mapping[Option, str]) -> Recipe:
        """What the group is to launch from: a new version of the environment's own template.

        An environment on a launch configuration gets a template in its place, and stays on it
        ("Migrating your Elastic Beanstalk environment to launch templates").
        """
        required = settings.get(DISABLE_IMDSV1) == "true"
        options: dict[str, Any] = {"HttpTokens": "required" if required else "optional"}
        if before.template is not None:
            number = before.template.number(self.account, self.region)
            backend = backend_of(self.account, self.region)
            source = templates.find_version(backend, before.template.id, number)
            options = {**(source.data.get("MetadataOptions") or {}), **options}
            made = templates.create_version(
                self.account,
                self.region,
                before.template.id,
                {"MetadataOptions": options},
                source=number,
            )
            ref = TemplateRef(before.template.id, before.template.name, str(made))
            return Recipe(template=ref)
        name = f"awseb-{self.id}-stack-AWSEBEC2LaunchTemplate"
        known = groups.backend_of(self.account, self.region).launch_configurations
        configuration = known[before.launch_configuration]
        data = {"ImageId": configuration.image_id, "MetadataOptions": options}
        backend = backend_of(self.account, self.region)
        if name in backend.launch_template_name_to_ids:
            found = templates.find(backend, name)
            number = templates.create_version(self.account, self.region, name, data)
            return Recipe(template=TemplateRef(found.id, name, str(number)))
        tags = {"elasticbeanstalk:environment-name": self.name}
        template = templates.create(self.account, self.region, name, data, tags=tags)
        return Recipe(template=TemplateRef(template, name, "1"))


def environments_of(backend: Any) -> dict[str, Environment]:
    """The environments in one of moto's Elastic Beanstalk backends, by name."""
    if not hasattr(backend, "imdsctl_environments"):
        backend.imdsctl_environments = {}
    known: dict[str, Environment] = backend.imdsctl_environments
    return known


def backend_in(account: str, region: str) -> Any:
    """Moto's Elastic Beanstalk backend of an account and region."""
    return eb_backends[account][region]
