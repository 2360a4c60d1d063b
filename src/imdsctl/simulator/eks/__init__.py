"""Amazon EKS as AWS documents it, as far as managed node groups go, laid over moto.

A node group owns an Auto Scaling group, which launches from a copy that EKS made of the node
group's own launch template; an update to another version of it replaces every node.
"""


def install() -> None:
    """Lay the documented EKS behaviour over moto's classes; repeating it is harmless."""
    from imdsctl.simulator.eks import _install  # noqa: PLC0415 - moto is slow to import

    _install.install()
