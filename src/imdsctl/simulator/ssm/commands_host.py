"""From a simulated instance to the host that a script on it sees."""

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from imdsctl.simulator import accounts
from imdsctl.simulator.life import EXTRA_HOPS, Life, outcome
from imdsctl.simulator.ssm.commands_nodes import options_of, version_of
from imdsctl.simulator.ssm.commands_world import AWS_PORT, ECS_AGENT, KUBELET, Order
from imdsctl.simulator.world import current

WORDS: Final = (sys.executable, "-m", "imdsctl.simulator.ssm.commands_world")
"""The program that runs an order."""

# Commonly cited as the first with IMDSv2; AWS's own pages name none.
_FIRST_ECS_V2: Final = (1, 39, 0)
_ECS_PROGRAMS: Final = frozenset({"ecs-agent", "amazon-ecs-agent", "ecs-init"})
_KUBELET_PROGRAMS: Final = frozenset({"kubelet"})
_ECS_TAG, _EKS_TAG = "aws:ecs:clusterName", "eks:nodegroup-name"
_CLIENTS: Final = ("botocore", "dateutil", "jmespath", "six", "urllib3")
_PATHS: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def order_for(
    instance: Any, life: Life, tags: dict[str, str], script: str, seconds: float, folder: str
) -> Order:
    """What is needed to run a script on the instance as it is now."""
    address = current().address
    assert address is not None, "the simulated AWS is not running"
    home = str(Path("~").expanduser())
    return Order(
        script=script,
        seconds=seconds,
        folder=folder,
        options=asdict(options_of(life)),
        values=_values(instance, life, tags),
        hops=max((EXTRA_HOPS[caller.container] for caller in life.callers), default=0),
        services=_services(life, tags),
        aws=address,
        environment={
            "PATH": f"{Path(sys.executable).parent}:{_PATHS}",
            "HOME": home,
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{AWS_PORT}",
            # Run Command sets these two for every script (Systems Manager User Guide).
            "AWS_SSM_INSTANCE_ID": instance.id,
            "AWS_SSM_REGION_NAME": life.region,
        },
        keep=_kept(),
    )


def encode(order: Order) -> bytes:
    """The order as its program reads it."""
    return json.dumps(asdict(order)).encode()


def _values(instance: Any, life: Life, tags: dict[str, str]) -> dict[str, Any]:
    profile = instance.iam_instance_profile
    role = profile["Arn"].rpartition("/")[2] if profile else life.role
    iam: dict[str, Any] | bool = False
    if role and life.credentials == "broken":
        iam = {"role": role, "code": "AssumeRoleUnauthorizedAccess"}
    elif role:
        session = accounts.for_instance(life.account, role, instance.id)
        given = {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret_key,
            "Token": session.token,
        }
        iam = {"role": role, "given": given}
    return {
        "account_id": life.account,
        "availability_zone": instance.placement.zone,
        "iam": iam,
        "image_id": instance.image_id,
        "instance_id": instance.id,
        "instance_life_cycle": "spot" if instance.lifecycle == "spot" else "on-demand",
        "instance_type": instance.instance_type,
        "local_ipv4": instance.private_ip,
        "region": life.region,
        "tags": tags if options_of(life).instance_metadata_tags == "enabled" else {},
    }


def _services(life: Life, tags: dict[str, str]) -> list[tuple[int, str, str]]:
    """The agents of ECS and Kubernetes, where they are and are not cut off."""
    found: list[tuple[int, str, str]] = []
    required = options_of(life).http_tokens == "required"
    ecs = version_of(life, "amazon-ecs-agent") or version_of(life, "ecs-init")
    old = required and ecs is not None and ecs < _FIRST_ECS_V2
    if _ECS_TAG in tags and not old and _works(life, _ECS_PROGRAMS):
        agent = {
            "Cluster": tags[_ECS_TAG],
            "ContainerInstanceArn": f"arn:aws:ecs:{life.region}:{life.account}:container-instance/"
            f"{tags[_ECS_TAG]}/{life.instance_id}",
            "Version": "Amazon ECS Agent - v1.89.0 (simulated)",
        }
        found.append((ECS_AGENT, "/v1/metadata", json.dumps(agent)))
    if _EKS_TAG in tags and _works(life, _KUBELET_PROGRAMS):
        found.append((KUBELET, "/healthz", "ok"))
    return found


def _works(life: Life, programs: frozenset[str]) -> bool:
    options = options_of(life)
    mine = [caller for caller in life.callers if caller.program in programs]
    return all(outcome(caller, options).works for caller in mine)


def _kept() -> list[str]:
    """Where Python and its AWS client live: they must be seen even below a covered home."""
    folders = {sys.prefix, sys.base_prefix}
    for name in _CLIENTS:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            folder = Path(spec.origin).parent
            folders.add(str(folder.parent if spec.submodule_search_locations else folder))
    return sorted(folder for folder in folders if Path(folder).is_absolute())
