"""AWS Systems Manager of the simulated AWS: Automation and Run Command, over moto's backend.

What comes in are calls of the JSON protocol; what goes out are executions that change instances
and shell commands that really run against an instance's own metadata service.
"""


def install() -> None:
    """Lay the documented behaviour over moto; a second time changes nothing."""
    from imdsctl.simulator.ssm import automation, commands_install  # noqa: PLC0415 - moto is slow

    commands_install.install()
    automation.install()
