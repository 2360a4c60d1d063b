"""What Systems Manager knows of instances: agents and packages that are too old for IMDSv2.

The shape is that with the fewest calls: a handful for a region in which nothing is too old, however
many instances there are, and one for each 50 instances and package that is. GetInventory tells
*which* instances match filters, never an application's version on each (its result type is
AWS:InstanceInformation alone); DescribeInstanceInformation takes a call for each 50 instances, and
ListInventoryEntries one for each. So all names and versions are counted first, over the whole
region, and then is asked who has the few that are too old. Versions are compared as texts there:
agents are asked for by what their versions begin with, and packages by whole versions.

Sources: Systems Manager API Reference, GetInventory and InventoryFilter; Systems Manager User
Guide, "Aggregating inventory data". AWS does not say whether two filters on AWS:Application have to
match one and the same application. Where more instances match than were counted, they did not:
then it is not sure which of them have that version.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, lacking, unreadable
from imdsctl.model.evidence import Cell, InstalledPackage, Software, Unreadable
from imdsctl.software.installed import AGENT, agent, agent_beginnings, installed, named

_PAGE: Final = 50
_APPLICATION: Final = "AWS:Application"
_INSTANCE: Final = "AWS:InstanceInformation"
_COUNTS: Final = [
    {
        "Expression": f"{_APPLICATION}.Name",
        "Aggregators": [
            {
                "Expression": f"{_APPLICATION}.Version",
                "Aggregators": [{"Expression": f"{_INSTANCE}.PlatformName"}],
            }
        ],
    }
]

Row = Mapping[str, Any]


def _filter(key: str, value: str, operator: str = "Equal") -> dict[str, Any]:
    return {"Key": key, "Values": [value], "Type": operator}


# Inventory is kept for 30 days after an instance is gone.
_THERE: Final = _filter(f"{_INSTANCE}.InstanceStatus", "Terminated", "NotEqual")


class _Package(NamedTuple):
    name: str
    version: str


class _Found:
    """The instances on which something is too old, as the answers bring them up."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._nodes: dict[str, Row] = {}
        self._packages: dict[str, list[InstalledPackage]] = defaultdict(list)

    def node(self, node: Row) -> None:
        """An instance with an old agent, or with an old package."""
        self._nodes[node["InstanceId"]] = node

    def package(self, node: Row, package: _Package, *, sure: bool) -> None:
        """An instance with an old package."""
        self.node(node)
        one = InstalledPackage(name=package.name, version=package.version, sure=sure)
        self._packages[node["InstanceId"]].append(one)

    def values(self) -> list[Software]:
        """What was found, as evidence."""
        return [
            Software(
                id=instance,
                account=self._cell.account,
                region=self._cell.region,
                agent_version=node.get("AgentVersion", ""),
                status=node.get("InstanceStatus", ""),
                platform=_system(node),
                packages=sorted(self._packages.get(instance, ()), key=_order),
            )
            for instance, node in sorted(self._nodes.items())
        ]


class AwsInventory:
    """Reads what Systems Manager knows, and keeps what is known as too old."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def software(self, cell: Cell) -> Iterator[list[Software] | Unreadable]:
        """The instances of which Systems Manager knows agents or packages that are too old."""
        found = _Found(cell)
        failure = None
        try:
            self._agents(cell, found)
            self._old_packages(cell, found)
        except AWS_ERRORS as problem:
            own = self._clients.accounts.is_own(cell.account)
            failure = unreadable(cell, "software", problem, own=own, seen=len(found.values()))
        except LookupError as problem:
            failure = lacking(cell, "software", problem, len(found.values()))
        yield found.values()
        if failure is not None:
            yield failure

    def _agents(self, cell: Cell, found: _Found) -> None:
        for beginning in agent_beginnings():
            wanted = _filter(f"{_INSTANCE}.AgentVersion", beginning, "BeginWith")
            for node in self._nodes(cell, [wanted]):
                match = agent(node.get("AgentVersion", ""))
                if match is not None and match.bad:
                    found.node(node)

    def _old_packages(self, cell: Cell, found: _Found) -> None:
        for package, count in self._too_old(cell).items():
            wanted = [
                _filter(f"{_APPLICATION}.Name", package.name),
                _filter(f"{_APPLICATION}.Version", package.version),
            ]
            nodes = list(self._nodes(cell, wanted))
            for node in nodes:
                match = installed(_system(node), *package)
                if match is not None and match.bad:
                    found.package(node, package, sure=len(nodes) <= count)

    def _too_old(self, cell: Cell) -> dict[_Package, int]:
        """The packages that are too old on a system that has them: how many instances have each."""
        counts: dict[_Package, int] = defaultdict(int)
        bad: set[_Package] = set()
        for entity in self._entities(cell, Filters=[_THERE], Aggregators=_COUNTS):
            for row in entity["Data"].get(_APPLICATION, {}).get("Content", ()):
                package = _Package(row.get("Name", ""), row.get("Version", ""))
                # The agent is known by what the instance says of itself.
                if not named(package.name) or package.name.lower() == AGENT:
                    continue
                count = row.get("Count", "")
                counts[package] += int(count) if count.isdecimal() else 0
                match = installed(row.get("PlatformName", ""), *package)
                if match is not None and match.bad:
                    bad.add(package)
        return {package: counts[package] for package in sorted(bad)}

    def _nodes(self, cell: Cell, filters: Sequence[Row]) -> Iterator[Row]:
        """What the instances that match say of themselves; hybrid nodes are no instances of EC2."""
        for entity in self._entities(cell, Filters=[*filters, _THERE]):
            if entity["Id"].startswith("i-"):
                content = entity["Data"].get(_INSTANCE, {}).get("Content", ())
                yield {**(content[0] if content else {}), "InstanceId": entity["Id"]}

    def _entities(self, cell: Cell, **asked: Any) -> Iterator[Row]:
        for page in self._clients.pages(cell, "ssm", "GetInventory", MaxResults=_PAGE, **asked):
            yield from page["Entities"]


def _system(node: Row) -> str:
    """The operating system's name and version."""
    named_so = [node[key] for key in ("PlatformName", "PlatformVersion") if node.get(key)]
    return " ".join(named_so) or str(node.get("PlatformType", ""))


def _order(package: InstalledPackage) -> tuple[str, str]:
    return package.name, package.version
