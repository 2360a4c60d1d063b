"""Auto Scaling as AWS documents it, laid over moto: launches, lists, activities, refreshes.

Groups launch through the simulated EC2, so that a new instance is born with the metadata options
that its template version, launch configuration, account and image give it on that day.
"""


def install() -> None:
    """Lay the documented Auto Scaling behaviour over moto's classes; repeating it is harmless."""
    from imdsctl.simulator.autoscaling import _install  # noqa: PLC0415 - moto is slow to import

    _install.install()


def scale(account: str, region: str, group: str, by: int) -> list[str]:
    """Change a group's desired capacity by `by`, as a scaling policy does.

    New instances are born as AWS would bear them today; a launch that is refused becomes a
    failed scaling activity. The group's maximum grows if it has to.

    Returns:
        The ids of the instances that were launched.

    Raises:
        LookupError: there is no such group.
    """
    from imdsctl.simulator.autoscaling import groups  # noqa: PLC0415 - moto is slow to import

    return groups.scale(account, region, group, by)
