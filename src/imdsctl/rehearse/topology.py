"""The network of a rehearsal: the metadata service, the instance, and a container on it.

```
 imds                      instance                          container
 169.254.169.254 ── eth0   172.31.16.10   docker0 172.17.0.1 ── eth0 172.17.0.2
 fd00:ec2::254             2001:db8:ec2::10       2001:db8:ec2:1::1  2001:db8:ec2:1::2
```
An overlay is one more hop: a container at 172.18.0.2 that is reached through the first one.

The service has a namespace of its own, as on EC2: what it sends with a time to live of 1 reaches
the instance and dies on the way to the container. A server in the instance's own namespace would
be one hop too near, and would take port 80 from what is rehearsed.
"""

import contextlib
import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imdsctl.rehearse.namespaces import NEW_NETWORK, enter, open_network, unshare
from imdsctl.rehearse.netlink import Netlink, NetlinkError

IMDS_IPV4: Final = "169.254.169.254"
IMDS_IPV6: Final = "fd00:ec2::254"
_INSTANCE: Final = ("172.31.16.10", "2001:db8:ec2::10")
_INSTANCE_NETWORKS: Final = ("172.31.16.0/20", "2001:db8:ec2::/64")
_INSTANCE_LENGTHS: Final = (20, 64)
_BRIDGE: Final = ("172.17.0.1", "2001:db8:ec2:1::1")
_CONTAINER: Final = ("172.17.0.2", "2001:db8:ec2:1::2")
_CONTAINER_NETWORKS: Final = ("172.17.0.0/16", "2001:db8:ec2:1::/64")
_CONTAINER_LENGTHS: Final = (16, 64)
_ROUTER: Final = ("172.18.0.1", "2001:db8:ec2:2::1")
_OVERLAY: Final = ("172.18.0.2", "2001:db8:ec2:2::2")
_OVERLAY_NETWORKS: Final = ("172.18.0.0/16", "2001:db8:ec2:2::/64")
_IMDS: Final = (f"{IMDS_IPV4}/32", f"{IMDS_IPV6}/128")
_DEFAULTS: Final = ("0.0.0.0/0", "::/0")
_NO_IPV6: Final = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EACCES, errno.EINVAL, errno.EPERM)


@dataclass(frozen=True)
class Network:
    """The namespaces of a rehearsal, as file descriptors.

    Attributes:
        imds: where the metadata service listens.
        instance: the instance's own.
        command: where the command runs: the instance's, or the innermost container's.
        ipv6: whether there is IPv6.
    """

    imds: int
    instance: int
    command: int
    ipv6: bool


def build(*, container: bool, kept: bool, overlay: bool = False) -> Network:
    """Build it all, and stay in the namespace where the command will run.

    The caller must be allowed to: root, or in a user namespace of its own.

    Args:
        container: run the command one routed hop further away.
        kept: leave the default route free for a network that is attached later.
        overlay: with a container: run the command yet one hop further away.

    Raises:
        OSError: the kernel refuses, or lacks something; says what.
    """
    imds = _new()
    instance = _new()
    families = [0]
    with Netlink() as here:
        here.bring_up("lo")
        here.add_veth("eth0", "imds0", imds)
        enter(imds)
        with Netlink() as there:
            there.bring_up("lo")
            there.bring_up("imds0")
            there.add_address("imds0", _IMDS[0])
            if _try_ipv6(there):
                families.append(1)
            for family in families:
                there.add_route(_INSTANCE_NETWORKS[family], "imds0")
                if container:
                    there.add_route(_CONTAINER_NETWORKS[family], "imds0", _INSTANCE[family])
                if container and overlay:
                    there.add_route(_OVERLAY_NETWORKS[family], "imds0", _INSTANCE[family])
        enter(instance)
        here.bring_up("eth0")
        for family in families:
            here.add_address("eth0", f"{_INSTANCE[family]}/{_INSTANCE_LENGTHS[family]}")
            here.add_route(_IMDS[family], "eth0")
        command = _container(here, instance, families, kept=kept) if container else instance
        if container and overlay:
            command = _overlay(here, instance, command, families)
    return Network(imds, instance, command, ipv6=1 in families)


def _container(here: Netlink, instance: int, families: list[int], *, kept: bool) -> int:
    """A bridge on the instance and a container behind it; ends in the container.

    The descriptor of the instance's namespace stays open: no process lives there, so it is all
    that keeps the bridge alive.
    """
    container = _new()
    enter(instance)
    here.add_bridge("docker0")
    here.bring_up("docker0")
    here.add_veth("veth0", "eth0", container)
    here.enslave("veth0", "docker0")
    here.bring_up("veth0")
    for family in families:
        here.add_address("docker0", f"{_BRIDGE[family]}/{_CONTAINER_LENGTHS[family]}")
    _forward(families)
    enter(container)
    with Netlink() as there:
        there.bring_up("lo")
        there.bring_up("eth0")
        for family in families:
            there.add_address("eth0", f"{_CONTAINER[family]}/{_CONTAINER_LENGTHS[family]}")
            beyond = _IMDS[family] if kept else _DEFAULTS[family]
            there.add_route(beyond, "eth0", _BRIDGE[family])
    return container


def _overlay(here: Netlink, instance: int, router: int, families: list[int]) -> int:
    """A container behind the first one, which passes its packets on; ends in it."""
    inner = _new()
    enter(instance)
    for family in families:
        here.add_route(_OVERLAY_NETWORKS[family], "docker0", _CONTAINER[family])
    enter(router)
    with Netlink() as there:
        there.add_veth("veth1", "eth0", inner)
        there.bring_up("veth1")
        for family in families:
            there.add_address("veth1", f"{_ROUTER[family]}/{_CONTAINER_LENGTHS[family]}")
    _forward(families)
    enter(inner)
    with Netlink() as there:
        there.bring_up("lo")
        there.bring_up("eth0")
        for family in families:
            there.add_address("eth0", f"{_OVERLAY[family]}/{_CONTAINER_LENGTHS[family]}")
            there.add_route(_DEFAULTS[family], "eth0", _ROUTER[family])
    return inner


def _try_ipv6(there: Netlink) -> bool:
    """Whether the metadata service could be given its IPv6 address."""
    try:
        there.add_address("imds0", _IMDS[1])
    except NetlinkError as error:
        if error.errno in _NO_IPV6:
            return False
        raise
    return True


def _new() -> int:
    """A fresh namespace, entered.

    IPv6 is switched on in it where the machine's default is off, and its addresses are used at
    once: else the first seconds would go by with looking for duplicates.
    """
    unshare(NEW_NETWORK)
    here = Path("/proc/sys/net/ipv6/conf")
    for switch in ("all/disable_ipv6", "default/disable_ipv6", "default/accept_dad"):
        # Where there is no IPv6, or no way to switch it on, that shows soon enough.
        with contextlib.suppress(OSError):
            if (here / switch).read_text(encoding="ascii").strip() != "0":
                (here / switch).write_text("0", encoding="ascii")
    return open_network()


def _forward(families: list[int]) -> None:
    """Let the instance pass packets on, as it does for its containers.

    Raises:
        OSError: /proc/sys is not ours to write.
    """
    for family in families:
        what = "ipv6/conf/all/forwarding" if family else "ipv4/ip_forward"
        try:
            Path(f"/proc/sys/net/{what}").write_text("1", encoding="ascii")
        except OSError as error:
            raise OSError(
                error.errno or errno.EPERM,
                f"cannot forward to a container: /proc/sys/net/{what} cannot be written",
            ) from error
