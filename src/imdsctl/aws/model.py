"""Which AWS operations the tool uses at all, and botocore's service models cut down to them.

With EC2's whole model each client is heavy and slow to make; with these operations it is neither.
The list is also the longest that a policy for the tool could be.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

READ: Final[Mapping[str, tuple[str, ...]]] = {
    "ec2": (
        "DescribeImages",
        "DescribeInstanceAttribute",
        "DescribeInstanceStatus",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplates",
        "DescribeRegions",
        "GetInstanceMetadataDefaults",
    ),
    "autoscaling": (
        "DescribeAutoScalingGroups",
        "DescribeInstanceRefreshes",
        "DescribeLaunchConfigurations",
    ),
    "cloudwatch": ("GetMetricData", "ListMetrics"),
    "eks": ("DescribeNodegroup", "DescribeUpdate", "ListUpdates"),
    "elasticbeanstalk": ("DescribeConfigurationSettings", "DescribeEnvironments"),
    "ecs": ("DescribeCapacityProviders",),
    "ssm": (
        "DescribeAutomationExecutions",
        "DescribeInstanceInformation",
        "GetAutomationExecution",
        "GetCommandInvocation",
        "GetInventory",
        "ListCommandInvocations",
    ),
    "sts": ("AssumeRole", "GetCallerIdentity"),
}
CHANGE: Final[Mapping[str, tuple[str, ...]]] = {
    "ec2": (
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "DeleteLaunchTemplate",
        "DeleteLaunchTemplateVersions",
        "ModifyImageAttribute",
        "ModifyInstanceMetadataDefaults",
        "ModifyInstanceMetadataOptions",
        "ModifyLaunchTemplate",
    ),
    "autoscaling": (
        "CancelInstanceRefresh",
        "RollbackInstanceRefresh",
        "StartInstanceRefresh",
        "UpdateAutoScalingGroup",
    ),
    "eks": ("UpdateNodegroupVersion",),
    "elasticbeanstalk": ("AbortEnvironmentUpdate", "UpdateEnvironment"),
    "ssm": ("SendCommand", "StartAutomationExecution", "StopAutomationExecution"),
}


def prune(service: str, model: dict[str, Any]) -> None:
    """Cut a loaded service model, in place, down to the operations above and their shapes."""
    wanted = {*READ.get(service, ()), *CHANGE.get(service, ())}
    operations = {name: op for name, op in model["operations"].items() if name in wanted}
    reachable: set[str] = set()
    queue = [name for operation in operations.values() for name in _shape_names(operation)]
    while queue:
        name = queue.pop()
        if name not in reachable:
            reachable.add(name)
            queue.extend(_shape_names(model["shapes"][name]))
    model["operations"] = operations
    model["shapes"] = {name: shape for name, shape in model["shapes"].items() if name in reachable}
    for part in (*operations.values(), *model["shapes"].values()):
        _drop_documentation(part)
    # GetMetricData is decoded from JSON, which botocore prefers today; this keeps it so.
    metadata = model["metadata"]
    if service == "cloudwatch" and "json" in metadata.get("protocols", ()):
        metadata["protocols"] = ["json"]


def _shape_names(part: Any) -> Iterator[str]:
    """Every shape that a part of the model refers to."""
    if isinstance(part, dict):
        if isinstance(name := part.get("shape"), str):
            yield name
        for key, value in part.items():
            if key != "documentation":
                yield from _shape_names(value)
    elif isinstance(part, list):
        for value in part:
            yield from _shape_names(value)


def _drop_documentation(part: Any) -> None:
    if isinstance(part, dict):
        # A structure may have a member of that name, which is no text but a reference.
        if isinstance(part.get("documentation"), str):
            del part["documentation"]
        for value in part.values():
            _drop_documentation(value)
