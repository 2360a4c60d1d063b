"""Amazon ECS of the simulated AWS: clusters, capacity providers and their container instances.

What comes in are the Auto Scaling groups of a fleet that belong to a cluster; what goes out are
moto's own clusters and providers, answered as AWS documents it where moto differs.
"""


def install() -> None:
    """Lay the documented behaviour over moto's classes; repeating it is harmless."""
    from imdsctl.simulator.ecs import providers  # noqa: PLC0415 - moto is slow to import

    providers.install()
