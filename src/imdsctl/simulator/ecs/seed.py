"""Brings the ECS clusters of a fleet file into being: one capacity provider for each group."""

from moto.ecs.models import ecs_backends

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.autoscaling import groups
from imdsctl.simulator.autoscaling.members import members_of
from imdsctl.simulator.ecs.providers import enrol
from imdsctl.simulator.fleetfile import Group, Region


def seed_region(account: str, region: Region) -> None:
    """Create the clusters of a region, with a capacity provider on each of their groups.

    Managed draining is on unless the fleet says otherwise, as it is on providers made today (ECS
    Developer Guide, "Managed instance draining"). Managed termination protection protects the
    group's instances, present and new ones, from scale-in.

    Args:
        account: the account's id.
        region: the region as the fleet file describes it; its groups exist already.
    """
    backend = ecs_backends[account][region.name]
    for spec in region.groups:
        if spec.ecs_cluster is None:
            continue
        if spec.ecs_cluster not in backend.clusters:
            backend.create_cluster(spec.ecs_cluster, [], [], {}, [], [])
        group = groups.find(groups.backend_of(account, region.name), spec.name)
        backend.create_capacity_provider(spec.name, _provider(group.arn, spec), [])
        cluster = backend.clusters[spec.ecs_cluster]
        cluster.capacity_providers = [*(cluster.capacity_providers or ()), spec.name]
        if spec.ecs_managed_termination_protection:
            group.new_instances_protected_from_scale_in = True
            for member in members_of(group):
                member.protected_from_scale_in = True
        enrol(backend, spec.name, spec.ecs_cluster)


def _provider(arn: str, spec: Group) -> dict[str, object]:
    return {
        "autoScalingGroupArn": arn,
        # Termination protection works with managed scaling only.
        "managedScaling": {"status": "ENABLED"},
        "managedTerminationProtection": _switch(on=spec.ecs_managed_termination_protection),
        "managedDraining": _switch(on=spec.ecs_managed_draining),
    }


def _switch(*, on: bool) -> str:
    return "ENABLED" if on else "DISABLED"
