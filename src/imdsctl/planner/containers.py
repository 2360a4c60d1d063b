"""What an operator has to know before container instances are replaced, or born on V2 only."""

from collections.abc import Iterable
from typing import Final

from imdsctl.judge.facts import container_sign
from imdsctl.judge.owners import providers_by_group
from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import Group
from imdsctl.model.options import MetadataOptions
from imdsctl.model.policy import RefreshPolicy

ECS_TAG: Final = "AmazonECSManaged"
"""ECS's tag on the groups of its capacity providers."""

_PROTECTED: Final = {
    "Ignore": "such instances are left as they are by the refresh (refresh.protected = Ignore) and "
    "changed in place",
    "Refresh": "such instances are replaced all the same (refresh.protected = Refresh)",
    "Wait": "AWS waits an hour for their protection to end and then fails the refresh "
    "(refresh.protected = Wait)",
}


def drains(group: Group, judged: JudgedCell) -> str | None:
    """Why ECS does not move tasks off an instance before it goes; None where it does, or no ECS.

    Amazon ECS Developer Guide, "Safely stop Amazon ECS workloads running on EC2 instances".
    """
    record = providers_by_group(judged.evidence).get(group.name)
    if record is None:
        unread = judged.evidence.unreadable.get("capacity-providers")
        if ECS_TAG in group.tags and unread:
            return f"whether ECS drains its instances could not be read ({unread})"
        return None
    if record.item.draining == "ENABLED":
        return None
    return f"managedDraining of capacity provider {record.item.name} is not ENABLED"


def drain_notes(group: Group, judged: JudgedCell, policy: RefreshPolicy) -> list[str]:
    """What a replacement of the group's instances means for the tasks on them."""
    notes = []
    if why := drains(group, judged):
        notes.append(
            f"ECS does not move tasks off an instance before it is terminated: {why}. Set it to "
            "ENABLED (UpdateCapacityProvider), or drain the container instances first "
            "(UpdateContainerInstancesState)."
        )
    record = providers_by_group(judged.evidence).get(group.name)
    if record is not None and record.item.termination_protection == "ENABLED":
        notes.append(
            f"Managed termination protection of capacity provider {record.item.name} is ENABLED: "
            f"instances with tasks are protected from scale-in, and {_PROTECTED[policy.protected]}."
        )
    return notes


def hop_notes(
    groups: Iterable[str | None], explicit: MetadataOptions, judged: JudgedCell
) -> list[str]:
    """A hop limit of 1 that was chosen stays, and cuts containers in bridge mode off."""
    if explicit.http_put_response_hop_limit != 1:
        return []
    known = {record.item.name: record.item for record in judged.evidence.groups}
    providers = providers_by_group(judged.evidence)
    running = sorted(
        name
        for name in {group for group in groups if group in known}
        if name in providers or container_sign(known[name].tags)
    )
    if not running:
        return []
    note = (
        f"Hop limit 1 was chosen and stays: group {running[0]} runs containers, and with tokens "
        "required a container in bridge mode gets no token at hop limit 1, and so no credentials. "
        "If containers need the metadata service, set 2 in the template before this is applied; if "
        "they must not reach it, 1 is right."
    )
    return [note]
