"""The calls on node groups and their updates that moto does not have, or answers differently."""

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.eks.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceInUseException,
    ResourceNotFoundException,
)

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto
from imdsctl.simulator.ec2 import templates
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.region import backend_of
from imdsctl.simulator.eks.nodegroups import record_of
from imdsctl.simulator.eks.update import Update
from imdsctl.simulator.world import current

_MOST = 100

# EKS User Guide, "Customize managed nodes with launch templates": settings that a template for
# a node group must not have.
_PROHIBITED: Mapping[str, str] = {
    "IamInstanceProfile": "IAM instance profile",
    "InstanceMarketOptions": "instance market options",
    "InstanceInitiatedShutdownBehavior": "shutdown behavior",
    "HibernationOptions": "hibernation options",
}


def update_nodegroup_version(self: Any) -> ActionResult:
    """UpdateNodegroupVersion: to another version of the node group's own launch template."""
    nodegroup = _nodegroup(self)
    spec = self._get_param("launchTemplate") or None
    force = bool(self._get_param("force"))
    asked = (_plain(spec), self._get_param("version"), self._get_param("releaseVersion"), force)
    record = record_of(nodegroup)
    token = self._get_param("clientRequestToken")
    if token in record.tokens:
        before, update = record.tokens[token]
        if before != asked:
            raise _error(InvalidRequestException, nodegroup, "The client token was used before.")
        return ActionResult({"update": update.view()})
    params: dict[str, str] = {}
    version = None
    if spec:
        version = _version(self, nodegroup, spec)
        params["LaunchTemplateName"] = nodegroup.launch_template["name"]
        params["LaunchTemplateVersion"] = version
    elif nodegroup.ami_type == "CUSTOM":
        message = "You cannot specify an AMI release where the launch template names an AMI."
        raise _error(InvalidParameterException, nodegroup, message)
    if nodegroup.status != "ACTIVE":
        message = "Nodegroup cannot be updated as it is currently not in Active State"
        raise _error(ResourceInUseException, nodegroup, message)
    params["Version"] = nodegroup.version
    params["ReleaseVersion"] = nodegroup.release_version
    update = Update(
        account=self.current_account,
        region=self.region,
        nodegroup=nodegroup,
        version=version,
        force=force,
        started=current().now,
        params=params,
    )
    record.updates.append(update)
    if token:
        record.tokens[token] = (asked, update)
    update.begin()
    return ActionResult({"update": update.view()})


def update_nodegroup_config(self: Any) -> ActionResult:
    """UpdateNodegroupConfig: moto's, kept among the updates; refused while another one runs."""
    nodegroup = _nodegroup(self)
    if nodegroup.status != "ACTIVE":
        message = "Nodegroup cannot be updated as it is currently not in Active State"
        raise _error(ResourceInUseException, nodegroup, message)
    made = self.eks_backend.update_nodegroup_config(
        cluster_name=nodegroup.cluster_name,
        nodegroup_name=nodegroup.nodegroup_name,
        labels=self._get_param("labels"),
        taints=self._get_param("taints"),
        scaling_config=self._get_param("scalingConfig"),
        update_config=self._get_param("updateConfig"),
        node_repair_config=self._get_param("nodeRepairConfig"),
        client_request_token=self._get_param("clientRequestToken"),
    )
    update = Update(
        account=self.current_account,
        region=self.region,
        nodegroup=nodegroup,
        version=None,
        force=False,
        started=current().now,
        params={},
        kind="ConfigUpdate",
        id=made["id"],
        status="Successful",
    )
    record_of(nodegroup).updates.append(update)
    return ActionResult({"update": update.view()})


def describe_update(self: Any) -> ActionResult:
    """DescribeUpdate of a node group's update; a cluster's own ones are not simulated."""
    wanted = self._get_param("updateId")
    nodegroup = _nodegroup(self) if self._get_param("nodegroupName") else None
    found = record_of(nodegroup).updates if nodegroup is not None else []
    for update in found:
        if update.id == wanted:
            return ActionResult({"update": update.view()})
    name = self._get_param("name")
    raise ResourceNotFoundException(
        clusterName=name,
        nodegroupName=self._get_param("nodegroupName"),
        message=f"No update found for ID: {wanted}",
    )


def list_updates(self: Any) -> ActionResult:
    """ListUpdates of a node group, a page at a time, in no order that AWS would promise."""
    if not self._get_param("nodegroupName"):
        self.eks_backend.describe_cluster(name=self._get_param("name"))
        return ActionResult({"updateIds": []})
    ids = sorted(update.id for update in record_of(_nodegroup(self)).updates)
    rows, token = _page(self, ids)
    return ActionResult({"updateIds": rows, "nextToken": token})


def list_nodegroups(self: Any) -> ActionResult:
    """ListNodegroups; a cluster that does not exist is an error of its own."""
    cluster = self.eks_backend.describe_cluster(name=self._get_param("name"))
    rows, token = _page(self, sorted(cluster.nodegroups))
    return ActionResult({"nodegroups": rows, "nextToken": token})


def _page(response: Any, rows: list[str]) -> tuple[list[str], str | None]:
    size = response._get_int_param("maxResults", _MOST)  # noqa: SLF001 - moto's way in
    start = response._get_param("nextToken") or ""  # noqa: SLF001
    left = [row for row in rows if row >= start]
    return left[:size], left[size] if len(left) > size else None


def _nodegroup(response: Any) -> Any:
    return response.eks_backend.describe_nodegroup(
        cluster_name=response._get_param("name"),  # noqa: SLF001 - moto's way in
        nodegroup_name=response._get_param("nodegroupName"),  # noqa: SLF001
    )


def _version(response: Any, nodegroup: Any, spec: Mapping[str, str]) -> str:
    """The number that a launch template specification means, if EKS accepts it."""
    own = nodegroup.launch_template
    if own is None:
        message = (
            "Launch template details can't be added to a node group that was created without a "
            "launch template."
        )
        raise _error(InvalidRequestException, nodegroup, message)
    if bool(spec.get("id")) == bool(spec.get("name")):
        message = "Either provide launch template ID or launch template name in the request."
        raise _error(InvalidParameterException, nodegroup, message)
    if spec.get("id", own["id"]) != own["id"] or spec.get("name", own["name"]) != own["name"]:
        message = "The launch template of a node group can't be changed, only its version."
        raise _error(InvalidParameterException, nodegroup, message)
    backend = backend_of(response.current_account, response.region)
    try:
        found = templates.find_version(backend, own["id"], spec.get("version"))
    except Refused as refused:
        raise _error(InvalidRequestException, nodegroup, refused.message) from refused
    data = found.data
    for member, words in _PROHIBITED.items():
        if data.get(member):
            message = f"Launch template {own['name']} should not specify {words}."
            raise _error(InvalidRequestException, nodegroup, message)
    if any(one.get("SubnetId") for one in data.get("NetworkInterfaces") or ()):
        message = f"Launch template {own['name']} should not specify a subnet."
        raise _error(InvalidRequestException, nodegroup, message)
    return str(found.number)


def _error(kind: Any, nodegroup: Any, message: str) -> Exception:
    made: Exception = kind(
        clusterName=nodegroup.cluster_name, nodegroupName=nodegroup.nodegroup_name, message=message
    )
    return made


def _plain(spec: Mapping[str, str] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (spec or {}).items()}
