"""The services that own Auto Scaling groups: EKS node groups, Beanstalk environments, ECS."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from imdsctl.aws import values
from imdsctl.aws.batches import in_batches
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, unreadable
from imdsctl.model.evidence import CapacityProvider, Cell, Environment, Nodegroup, Unreadable

_NAMES: Final = 100
_GONE: Final = "ResourceNotFoundException"


class AwsOwners:
    """Reads owners by the names that they left in the tags of their groups."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def nodegroups(
        self, cell: Cell, names: Sequence[tuple[str, str]]
    ) -> Iterator[list[Nodegroup] | Unreadable]:
        """DescribeNodegroup for each (cluster, name); one that is gone is left out."""
        found: list[Nodegroup] = []
        for cluster, name in names:
            try:
                answer = self._clients.read(
                    cell, "eks", "DescribeNodegroup", clusterName=cluster, nodegroupName=name
                )
            except AWS_ERRORS as problem:
                if code_of(problem) == _GONE:
                    continue
                yield found
                yield self._unreadable(cell, "nodegroups", problem, len(found))
                return
            found.append(values.nodegroup(answer["nodegroup"], cell))
        yield found

    def environments(
        self, cell: Cell, names: Sequence[str]
    ) -> Iterator[list[Environment] | Unreadable]:
        """Environments that are not terminated, each with its option DisableIMDSv1.

        Of the settings that AWS answers with, which may hold secrets, one option is looked at.
        """
        found: list[Environment] = []
        for some in in_batches(names, _NAMES):
            try:
                rows = self._clients.read(
                    cell,
                    "elasticbeanstalk",
                    "DescribeEnvironments",
                    EnvironmentNames=some,
                    IncludeDeleted=False,
                )["Environments"]
                for row in rows:
                    settings = self._clients.read(
                        cell,
                        "elasticbeanstalk",
                        "DescribeConfigurationSettings",
                        ApplicationName=row["ApplicationName"],
                        EnvironmentName=row["EnvironmentName"],
                    )["ConfigurationSettings"]
                    found.append(values.environment(row, settings, cell))
            except AWS_ERRORS as problem:
                yield found
                yield self._unreadable(cell, "environments", problem, len(found))
                return
        yield found

    def capacity_providers(
        self, cell: Cell, groups: Sequence[str]
    ) -> Iterator[list[CapacityProvider] | Unreadable]:
        """Those on these groups; AWS cannot be asked by group, so all are looked through."""
        found: list[CapacityProvider] = []
        parameters: dict[str, Any] = {}
        while groups:
            try:
                # botocore has no paginator for this one.
                answer = self._clients.read(cell, "ecs", "DescribeCapacityProviders", **parameters)
            except AWS_ERRORS as problem:
                yield found
                yield self._unreadable(cell, "capacity-providers", problem, len(found))
                return
            on_groups = (values.capacity_provider(r, cell) for r in answer["capacityProviders"])
            found += [one for one in on_groups if one is not None and one.group in groups]
            if not answer.get("nextToken"):
                break
            parameters["nextToken"] = answer["nextToken"]
        yield found

    def _unreadable(self, cell: Cell, what: str, problem: Exception, seen: int) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, what, problem, own=own, seen=seen)
