"""How instances and instance refreshes are doing, for the gates."""

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from imdsctl.aws import values
from imdsctl.aws.batches import in_batches
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, message_of, unreadable
from imdsctl.aws.nodegroups import nodegroup_updates
from imdsctl.model.evidence import Cell, TemplateSpec, Unreadable
from imdsctl.ports import InstanceHealth, NodegroupUpdate, RefreshStatus

_IDS: Final = 100  # at most, in one DescribeInstanceStatus
_NOT_FOUND: Final = "InvalidInstanceID.NotFound"


class AwsHealth:
    """The `Health` port over EC2, Auto Scaling and EKS."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def instance_health(
        self, cell: Cell, ids: Sequence[str]
    ) -> dict[str, InstanceHealth] | Unreadable:
        """State and status checks by instance id; instances that are gone are left out."""
        found: dict[str, InstanceHealth] = {}
        for some in in_batches(dict.fromkeys(ids), _IDS):
            try:
                for row in self._statuses(cell, some):
                    found[row["InstanceId"]] = InstanceHealth(
                        id=row["InstanceId"],
                        state=row.get("InstanceState", {}).get("Name", "unknown"),
                        instance_status=row.get("InstanceStatus", {}).get("Status", "unknown"),
                        system_status=row.get("SystemStatus", {}).get("Status", "unknown"),
                    )
            except AWS_ERRORS as problem:
                return self._unreadable(cell, "DescribeInstanceStatus", problem, len(found))
        return found

    def refreshes(self, cell: Cell, group: str) -> list[RefreshStatus] | Unreadable:
        """The group's instance refreshes of the last six weeks, newest first."""
        rows: list[dict[str, Any]] = []
        parameters = {"AutoScalingGroupName": group}
        try:
            # botocore has no paginator for this one.
            while True:
                answer = self._clients.read(
                    cell, "autoscaling", "DescribeInstanceRefreshes", **parameters
                )
                rows += answer["InstanceRefreshes"]
                if not answer.get("NextToken"):
                    break
                parameters["NextToken"] = answer["NextToken"]
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "DescribeInstanceRefreshes", problem, len(rows))
        # AWS gives the newest first; a refresh that is still Pending has no start time yet.
        return [_refresh(row) for row in rows]

    def nodegroup_updates(
        self, cell: Cell, cluster: str, nodegroup: str, ids: Sequence[str] = ()
    ) -> list[NodegroupUpdate] | Unreadable:
        """The updates of an EKS node group, newest first; only those of `ids` if any are given."""
        return nodegroup_updates(self._clients, cell, cluster, nodegroup, ids)

    def _statuses(self, cell: Cell, ids: list[str]) -> list[dict[str, Any]]:
        while ids:
            try:
                answer = self._clients.read(
                    cell,
                    "ec2",
                    "DescribeInstanceStatus",
                    InstanceIds=ids,
                    IncludeAllInstances=True,
                )
            except AWS_ERRORS as problem:
                # One id that is gone fails the whole call, and AWS names those that are.
                gone = set(re.findall(r"i-[0-9a-f]+", message_of(problem)))
                if code_of(problem) != _NOT_FOUND or not gone.intersection(ids):
                    raise
                ids = [instance for instance in ids if instance not in gone]
            else:
                return list(answer["InstanceStatuses"])
        return []

    def _unreadable(self, cell: Cell, what: str, problem: Exception, seen: int) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, what, problem, own=own, seen=seen)


def _refresh(row: dict[str, Any]) -> RefreshStatus:
    started = row.get("StartTime")
    return RefreshStatus(
        id=row["InstanceRefreshId"],
        status=row.get("Status", ""),
        percentage=row.get("PercentageComplete", 0),
        reason=row.get("StatusReason", ""),
        started_at=started.astimezone(UTC) if started else None,
        desired=_desired(row.get("DesiredConfiguration") or {}),
    )


def _desired(row: dict[str, Any]) -> list[TemplateSpec]:
    """Every launch template that the refresh's desired configuration names."""
    policy = (row.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    named = [
        row.get("LaunchTemplate"),
        policy.get("LaunchTemplateSpecification"),
        *(override.get("LaunchTemplateSpecification") for override in policy.get("Overrides", ())),
    ]
    return [spec for spec in map(values.template_spec, named) if spec is not None]
