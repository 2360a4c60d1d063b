"""Brings the Elastic Beanstalk environments of a fleet file into being."""

from imdsctl.simulator.autoscaling import groups
from imdsctl.simulator.beanstalk.environments import (
    DISABLE_IMDSV1,
    VARIABLES,
    Environment,
    backend_in,
    environments_of,
)
from imdsctl.simulator.beanstalk.names import environment_id
from imdsctl.simulator.fleetfile import Region

PASSWORD = "a-secret-of-the-application"  # noqa: S105 - what nobody may find anywhere else
"""What every seeded environment has in its variable DATABASE_PASSWORD, as real ones do."""


def seed_region(account: str, region: Region) -> None:
    """Create the environments of a region on the groups that they own.

    Args:
        account: the account's id.
        region: the region as the fleet file describes it; its groups exist already.
    """
    backend = backend_in(account, region.name)
    for spec in region.groups:
        if spec.beanstalk_environment is None:
            continue
        if spec.beanstalk_application not in backend.applications:
            backend.create_application(spec.beanstalk_application)
        settings = {(VARIABLES, "DATABASE_PASSWORD"): PASSWORD}
        if spec.disable_imdsv1 is not None:
            settings[DISABLE_IMDSV1] = "true" if spec.disable_imdsv1 else "false"
        group = groups.find(groups.backend_of(account, region.name), spec.name)
        environments_of(backend)[spec.beanstalk_environment] = Environment(
            account=account,
            region=region.name,
            name=spec.beanstalk_environment,
            id=environment_id(spec.beanstalk_environment),
            application=spec.beanstalk_application,
            group=spec.name,
            created=group.created_time,
            settings=settings,
        )
