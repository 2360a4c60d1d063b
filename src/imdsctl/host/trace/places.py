"""A cgroup's path comes in; the systemd unit, container and pod that it is goes out.

Paths: systemd's cgroup drivers and the runtimes' own (Docker, containerd, CRI-O, Podman, ECS; the
Kubernetes documentation, "Container Runtimes", cgroup drivers). Names are read from the files that
the runtimes keep; of those files nothing but names is taken, since they hold environments, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_ID = r"([0-9a-f]{64})"
_CONTAINER = re.compile(rf"(?:^|[-:/.]){_ID}(?:\.scope)?(?:/|$)")
# An ECS task on Fargate or a managed instance: its id, a dash, and a number.
_ECS = re.compile(r"/ecs/(?:[^/]+/)*([0-9a-f]{32}(?:-[0-9]+)?)(?:/|$)")
_NAMED_CONTAINER = re.compile(
    r"/(?:lxc\.payload\.|lxc/|machine\.slice/machine-)([^/]+?)(?:\.scope)?(?:/|$)"
)
_POD = re.compile(
    r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})"
)
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_UNITS = (".service", ".scope")
_LARGEST = 4 << 20

_DOCKER = ("var/lib/docker/containers/{0}/config.v2.json",)
_OCI = (
    "run/containerd/io.containerd.runtime.v2.task/k8s.io/{0}/config.json",
    "run/containerd/io.containerd.runtime.v2.task/default/{0}/config.json",
    "run/containerd/io.containerd.runtime.v2.task/moby/{0}/config.json",
    "run/containers/storage/overlay-containers/{0}/userdata/config.json",
    "var/lib/containers/storage/overlay-containers/{0}/userdata/config.json",
)
_PODMAN = ("var/lib/containers/storage/overlay-containers/containers.json",)

_POD_NAMES = ("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name")
_NAMESPACES = ("io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace")
_NAMES = (
    "com.amazonaws.ecs.container-name",
    "io.kubernetes.container.name",
    "io.kubernetes.cri.container-name",
    "nerdctl/name",
)
_IMAGES = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName")
_TASKS = ("com.amazonaws.ecs.task-arn",)


@dataclass(frozen=True)
class Place:
    """Where a process runs; None for what it is not in, or what cannot be told.

    Attributes:
        unit: systemd unit; None inside a container, whose scope says nothing more than its id.
        container: its id, or its name where it has no other.
        container_name: as people call it.
        image: that it was made from.
        pod: of Kubernetes: `namespace/name`, or its uid where the names are not readable.
        task: ARN of the ECS task.
    """

    unit: str | None = None
    container: str | None = None
    container_name: str | None = None
    image: str | None = None
    pod: str | None = None
    task: str | None = None


def place_of(path: str, root: Path = Path("/")) -> Place:
    """What a path of a cgroup says.

    Args:
        path: from the root of its hierarchy.
        root: where the host's file system is, for the runtimes' files.
    """
    found = _CONTAINER.findall(path)
    pod = _POD.search(path)
    uid = _dashed(pod[1]) if pod else None
    if found:
        # The innermost: a container can hold others.
        return _named(found[-1], uid, root)
    task = _ECS.search(path)
    if task:
        return Place(container=task[1])
    named = _NAMED_CONTAINER.search(path)
    if named:
        name = _unescaped(named[1])
        return Place(container=name, container_name=name)
    return Place(unit=_unit(path), pod=uid)


def path_in(lines: str) -> str:
    """The path that says most, in the text of a /proc/PID/cgroup.

    With cgroup v1, or both, containers show in the v1 hierarchies.
    """
    paths = [line.split(":", 2)[2] for line in lines.splitlines() if line.count(":") > 1]
    for path in paths:
        if _CONTAINER.search(path) or _ECS.search(path) or _NAMED_CONTAINER.search(path):
            return path
    units = [path for path in paths if _unit(path)]
    return max(units or paths or ["/"], key=len)


@lru_cache(maxsize=1024)
def _named(container: str, uid: str | None, root: Path) -> Place:
    """A container's names, as far as its runtime's files can be read."""
    labels: Mapping[str, Any] = {}
    name = image = None
    for pattern in _DOCKER:
        told = _json(root / pattern.format(container))
        config = _member(told, "Config")
        if config:
            labels = _member(config, "Labels")
            name, image = _text(told, "Name"), _text(config, "Image")
    for pattern in _OCI if not labels else ():
        labels = labels or _member(_json(root / pattern.format(container)), "annotations")
    if not labels and not name:
        for pattern in _PODMAN:
            name = name or _podman_name(_json(root / pattern), container)
    kubernetes = _first(labels, _POD_NAMES)
    namespace = _first(labels, _NAMESPACES)
    return Place(
        container=container,
        container_name=_first(labels, _NAMES) or (name.lstrip("/") if name else None),
        image=image or _first(labels, _IMAGES),
        pod=f"{namespace}/{kubernetes}" if namespace and kubernetes else uid,
        task=_first(labels, _TASKS),
    )


def _podman_name(told: Any, container: str) -> str | None:
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict) and one.get("id") == container:
            names = one.get("names")
            return str(names[0]) if isinstance(names, list) and names else None
    return None


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LARGEST))
    except (OSError, ValueError):
        return None


def _member(told: Any, name: str) -> Mapping[str, Any]:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, dict) else {}


def _text(told: Any, name: str) -> str | None:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) and value else None


def _first(labels: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    found = (labels.get(name) for name in names)
    return next((str(one) for one in found if isinstance(one, str) and one), None)


def _unit(path: str) -> str | None:
    """The innermost part that is a unit which holds processes."""
    for part in reversed(path.split("/")):
        if part.endswith(_UNITS):
            return _unescaped(part)
    return None


def _unescaped(text: str) -> str:
    # systemd puts an underscore before names that would clash with the kernel's own files.
    plain = _ESCAPED.sub(lambda one: chr(int(one[1], 16)), text)
    return plain.removeprefix("_")


def _dashed(uid: str) -> str:
    return uid.replace("_", "-")
