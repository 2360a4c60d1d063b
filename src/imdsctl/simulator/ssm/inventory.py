"""GetInventory: who has which application, and how many; ListInventoryEntries: what one has.

Systems Manager API Reference, GetInventory, InventoryFilter and InventoryAggregator (also in
botocore's model); Systems Manager User Guide, "Aggregating inventory data". As on AWS the result
type is AWS:InstanceInformation alone, so that an application's version is only told in counts. AWS
does not say whether several filters on AWS:Application have to match one and the same application;
here each is asked by itself, which finds more.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final, NamedTuple

from moto.core.responses import ActionResult

from imdsctl.simulator.ssm.commands_nodes import (
    AGENT,
    Refused,
    agent_of,
    invalid_instances,
    managed,
    page_of,
    row_of,
    token_of,
)
from imdsctl.simulator.world import current

_INSTANCE: Final = "AWS:InstanceInformation"
_APPLICATION: Final = "AWS:Application"
_MOST: Final = 50
_FILTERS, _VALUES = 5, 40
_AGGREGATED: Final = {
    _APPLICATION: ("Name", "Version"),
    _INSTANCE: ("PlatformName", "PlatformType", "PlatformVersion"),
}
"""What GetInventorySchema shows for aggregation, of the types that are kept here."""

_OPERATORS: Final[Mapping[str, Callable[[str, list[str]], bool]]] = {
    "Equal": lambda has, wanted: has in wanted,
    "NotEqual": lambda has, wanted: has not in wanted,
    "BeginWith": lambda has, wanted: has.startswith(tuple(wanted)),
    "LessThan": lambda has, wanted: all(has < value for value in wanted),
    "GreaterThan": lambda has, wanted: all(has > value for value in wanted),
}
"""Attributes are texts (DataType STRING), and compared as such."""


class _Node(NamedTuple):
    number: int
    id: str
    items: Mapping[str, list[dict[str, str]]]


def get_inventory(self: Any) -> ActionResult:
    """GetInventory: instances that match all filters, or counts over them; paged."""
    wanted = [one.get("TypeName") for one in self._get_param("ResultAttributes") or []]
    if wanted not in ([], [_INSTANCE]):
        raise Refused(
            "InvalidResultAttributeException",
            f"Result type name {wanted[0]} is not supported. "
            f"Supported type names are: {_INSTANCE}.",
        )
    if aggregators := self._get_param("Aggregators"):
        nodes = list(_matching(self, 0))
        rows = [_counted(nodes, one) for one in aggregators]
        content, token = _part(self, [row for counted in rows for row in counted])
        entities = [{"Data": {_APPLICATION: _result(content)}}]
        return ActionResult({"Entities": entities, **token})
    matching = _matching(self, token_of(self))
    found, token = page_of(((node.number, node) for node in matching), _size(self))
    entities = [
        {"Id": node.id, "Data": {_INSTANCE: _result(node.items[_INSTANCE])}} for node in found
    ]
    return ActionResult({"Entities": entities, **token})


def list_inventory_entries(self: Any) -> ActionResult:
    """ListInventoryEntries for AWS:Application: the packages of the fleet file; paged."""
    instance, kind = self._get_param("InstanceId"), self._get_param("TypeName")
    if kind != _APPLICATION:
        raise Refused("InvalidTypeNameException", "The parameter type name isn't valid.")
    found = next((node for node in _nodes(self) if node.id == instance), None)
    if found is None:
        raise invalid_instances([instance], self.current_account)
    entries, token = _part(self, found.items[kind])
    return ActionResult(
        {
            "TypeName": kind,
            "InstanceId": instance,
            "SchemaVersion": "1.1",
            "CaptureTime": _captured(),
            "Entries": entries,
            **token,
        }
    )


def _nodes(response: Any, after: int = 0) -> Iterator[_Node]:
    """The managed instances with their inventory; the agent is a package, too."""
    for instance, life in managed(response.current_account, response.region, after):
        row = row_of(instance, life)
        about = {
            "AgentType": AGENT,
            "AgentVersion": row["AgentVersion"],
            "ComputerName": row["ComputerName"],
            "InstanceId": instance.id,
            "InstanceStatus": "Active" if row["PingStatus"] == "Online" else row["PingStatus"],
            "IpAddress": row["IPAddress"],
            "PlatformName": row["PlatformName"],
            "PlatformType": row["PlatformType"],
            "PlatformVersion": row["PlatformVersion"],
            "ResourceType": row["ResourceType"],
        }
        texts = [f"{AGENT} {agent_of(life)}"]
        texts += [one for one in life.software if not one.startswith(AGENT)]
        packages = [
            {"Name": name, "Version": version, "Architecture": "x86_64"}
            for name, _, version in (text.partition(" ") for text in texts)
        ]
        yield _Node(
            instance.imdsctl_number, instance.id, {_INSTANCE: [about], _APPLICATION: packages}
        )


def _matching(response: Any, after: int) -> Iterator[_Node]:
    filters = response._get_param("Filters") or []  # noqa: SLF001 - moto's way in
    if len(filters) > _FILTERS:
        raise Refused("ValidationException", f"At most {_FILTERS} filters can be given.")
    checks = [_check(one) for one in filters]
    for node in _nodes(response, after):
        if all(fits(node) for fits in checks):
            yield node


def _check(one: Mapping[str, Any]) -> Callable[[_Node], bool]:
    """A filter as a function."""
    kind, _, attribute = str(one.get("Key", "")).rpartition(".")
    operator, values = one.get("Type") or "Equal", list(one.get("Values") or [])
    if not 1 <= len(values) <= _VALUES:
        raise Refused("ValidationException", f"A filter takes 1 to {_VALUES} values.")
    if kind not in _AGGREGATED or operator not in _OPERATORS:
        raise Refused("InvalidFilter", "The filter name isn't valid.")
    compare = _OPERATORS[operator]

    def fits(node: _Node) -> bool:
        return any(
            attribute in item and compare(item[attribute], values) for item in node.items[kind]
        )

    return fits


def _counted(nodes: list[_Node], aggregator: Mapping[str, Any]) -> list[dict[str, str]]:
    """How many instances there are of each combination of what the expressions name."""
    levels = list(_levels(aggregator))
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for node in nodes:
        kinds = dict.fromkeys(kind for kind, _ in levels)
        combinations = set()
        for items in product(*(node.items[kind] for kind in kinds)):
            of_kind = dict(zip(kinds, items, strict=True))
            combinations.add(tuple((name, of_kind[kind][name]) for kind, name in levels))
        counts.update(combinations)
    return [{"Count": str(count), **dict(key)} for key, count in sorted(counts.items())]


def _levels(aggregator: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind, _, attribute = str(aggregator.get("Expression", "")).rpartition(".")
    nested = aggregator.get("Aggregators") or []
    if attribute not in _AGGREGATED.get(kind, ()) or len(nested) > 1:
        raise Refused(
            "InvalidAggregatorException", "The specified aggregator isn't valid for the group type."
        )
    yield kind, attribute
    for one in nested:
        yield from _levels(one)


def _result(content: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "TypeName": _INSTANCE,
        "SchemaVersion": "1.0",
        "CaptureTime": _captured(),
        "Content": content,
    }


def _captured() -> str:
    return current().now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(response: Any) -> int:
    size = int(response._get_param("MaxResults") or _MOST)  # noqa: SLF001 - moto's way in
    if not 1 <= size <= _MOST:
        raise Refused("ValidationException", f"MaxResults must be between 1 and {_MOST}.")
    return size


def _part(response: Any, rows: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The part of a list of no instances that a request asks for, and the token that leads on."""
    size, token = _size(response), response._get_param("NextToken") or "0"  # noqa: SLF001
    if not token.isdecimal() or (int(token) and int(token) >= len(rows)):
        raise Refused("InvalidNextToken", "The specified token isn't valid.")
    start, end = int(token), int(token) + size
    return rows[start:end], {"NextToken": str(end)} if end < len(rows) else {}
