"""EC2 as AWS documents it, laid over moto: options, launches, images, templates and their lists.

In come moto's response and backend classes, the world's clock and lives, and what the seeder and
Auto Scaling ask for; out go instances that behave as on EC2, and the calls that show them.
"""

from imdsctl.simulator import _moto_env  # noqa: F401 - moto reads its settings when it is imported


def install() -> None:
    """Lay the documented EC2 behaviour over moto's classes; calling it again changes nothing."""
    from imdsctl.simulator.ec2 import _install  # noqa: PLC0415 - moto is slow to import

    _install.install()
