"""AWS Elastic Beanstalk of the simulated AWS: environments that own Auto Scaling groups.

What comes in are the groups of a fleet that belong to an environment; what goes out are answers
of the query protocol, and configuration updates that replace the group's instances in batches, in
simulated time, and roll themselves back when a batch does not become healthy.
"""


def install() -> None:
    """Lay the documented behaviour over moto's classes; repeating it is harmless."""
    from imdsctl.simulator.beanstalk import calls  # noqa: PLC0415 - moto is slow to import

    calls.install()
