"""How the updates of an EKS managed node group go."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, unreadable
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.ports import NodegroupUpdate

_GONE: Final = "ResourceNotFoundException"
_VERSION: Final = "LaunchTemplateVersion"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def nodegroup_updates(
    clients: Clients, cell: Cell, cluster: str, nodegroup: str, ids: Sequence[str] = ()
) -> list[NodegroupUpdate] | Unreadable:
    """The updates of a node group, newest first; only those of `ids` where some are given.

    EKS promises no order, so all of them are described. One that is gone is left out.
    """
    found: list[NodegroupUpdate] = []
    try:
        for update in list(ids) or _listed(clients, cell, cluster, nodegroup):
            try:
                answer = clients.read(
                    cell,
                    "eks",
                    "DescribeUpdate",
                    name=cluster,
                    nodegroupName=nodegroup,
                    updateId=update,
                )
            except AWS_ERRORS as problem:
                if code_of(problem) != _GONE:
                    raise
            else:
                found.append(_update(answer["update"]))
    except AWS_ERRORS as problem:
        if code_of(problem) == _GONE:
            return []
        own = clients.accounts.is_own(cell.account)
        return unreadable(cell, "DescribeUpdate", problem, own=own, seen=len(found))
    return sorted(found, key=lambda one: one.created_at or _EPOCH, reverse=True)


def _listed(clients: Clients, cell: Cell, cluster: str, nodegroup: str) -> list[str]:
    pages = clients.pages(cell, "eks", "ListUpdates", name=cluster, nodegroupName=nodegroup)
    return [update for page in pages for update in page["updateIds"]]


def _update(row: dict[str, Any]) -> NodegroupUpdate:
    created = row.get("createdAt")
    said = {one.get("type"): one.get("value") for one in row.get("params", ())}
    return NodegroupUpdate(
        id=row["id"],
        kind=row.get("type", ""),
        status=row.get("status", ""),
        version=said.get(_VERSION),
        created_at=created.astimezone(UTC) if created else None,
        errors=[_problem(one) for one in row.get("errors", ())],
    )


def _problem(row: dict[str, Any]) -> str:
    """EKS's error code and message, and the ids that it names."""
    text = ": ".join(filter(None, [row.get("errorCode", ""), row.get("errorMessage", "")]))
    ids = ", ".join(row.get("resourceIds", ()))
    return f"{text} ({ids})" if ids else text
