"""Which service owns which Auto Scaling group, by the names that it left in the group's tags."""

from collections.abc import Mapping
from typing import Final

from imdsctl.model.cell import CellEvidence
from imdsctl.model.evidence import CapacityProvider, Environment, Recorded

ENVIRONMENT_TAG: Final = "elasticbeanstalk:environment-name"
"""Elastic Beanstalk's tag on what it creates: the environment's name."""


def environment_names(evidence: CellEvidence) -> dict[str, str]:
    """The Elastic Beanstalk environment of each group that carries Beanstalk's tag."""
    return {
        group.item.name: group.item.tags[ENVIRONMENT_TAG]
        for group in evidence.groups
        if ENVIRONMENT_TAG in group.item.tags
    }


def environment_templates(evidence: CellEvidence) -> dict[str, str]:
    """The Elastic Beanstalk environment of each launch template that its group launches from."""
    names = environment_names(evidence)
    return {
        spec.template.id: names[group.item.name]
        for group in evidence.groups
        if group.item.name in names
        for spec in group.item.specs
    }


def environments_by_group(evidence: CellEvidence) -> Mapping[str, Recorded[Environment]]:
    """The environments that were read, by the group that they own."""
    known = {record.item.name: record for record in evidence.environments}
    return {
        group: known[name] for group, name in environment_names(evidence).items() if name in known
    }


def providers_by_group(evidence: CellEvidence) -> Mapping[str, Recorded[CapacityProvider]]:
    """The ECS capacity providers that were read, by their group."""
    return {record.item.group: record for record in evidence.capacity_providers}
