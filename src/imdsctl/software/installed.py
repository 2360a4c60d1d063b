"""What is known of packages that an operating system has installed, by the system's own name."""

from __future__ import annotations

from imdsctl.software.query import Match, known, software
from imdsctl.software.shape import BEHAVIOURS, Range
from imdsctl.software.versions import UnknownVersionError, compare, upstream

__all__ = ["AGENT", "agent", "agent_beginnings", "ecosystem_of", "installed", "named"]

AGENT = "amazon-ssm-agent"
"""The package and the id of the Systems Manager agent."""

_DEB = ("ubuntu", "debian", "raspbian")
_NEITHER = ("windows", "macos", "mac os")
_PATCHED = {"cloud-init": "19.3"}
"""Software to which Amazon Linux 2 and later added v2, and since which version they have it.

Every package of theirs has v2 (EC2 User Guide, "Use the Instance Metadata Service"), but a host
that was never updated may still have an older one.
"""


def ecosystem_of(system: str) -> str | None:
    """Whose packages a system has: `deb` or `rpm`; None for Windows and macOS.

    Args:
        system: the operating system's name, as in `Ubuntu` or `Amazon Linux 2`.
    """
    name = system.lower()
    if name.startswith(_NEITHER) or "windows" in name:
        return None
    return "deb" if name.startswith(_DEB) else "rpm"


def installed(system: str, package: str, version: str) -> Match | None:
    """What is known of a package on a system; None where nothing is, or no version can be told.

    Names are compared without regard to case, as inventories may fold it.
    """
    ecosystem = ecosystem_of(system)
    if ecosystem is None:
        return None
    name = package.lower()
    match = _known(ecosystem, name, version)
    if match is not None and _patched(system, ecosystem, name, version):
        return None
    return match


def agent(version: str) -> Match | None:
    """What is known of a version of the Systems Manager agent, on whichever system."""
    return _known("rpm", AGENT, version)


def agent_beginnings() -> tuple[str, ...]:
    """How the versions of all agents begin that may be too old; others may begin so, too.

    For inventories, which compare versions as texts.
    """
    newest = max(
        (int(major), int(minor))
        for bad in _bad_agents()
        for major, minor, *_ in [str(bad.below).split(".")]
    )
    return (
        *(f"{major}." for major in range(1, newest[0])),
        *(f"{newest[0]}.{minor}." for minor in range(newest[1] + 1)),
    )


def named(package: str) -> bool:
    """Whether anything is known of packages of this name, in whichever distribution."""
    return any(software(one, package.lower()) is not None for one in ("deb", "rpm"))


def _known(ecosystem: str, name: str, version: str) -> Match | None:
    # rpm compares anything with anything; what an inventory has no version of must not be old.
    if not version[:1].isdigit():
        return None
    try:
        return known(ecosystem, name, version)
    except UnknownVersionError:
        return None


def _bad_agents() -> list[Range]:
    found = software("rpm", AGENT)
    return [r for r in (found.ranges if found else ()) if BEHAVIOURS[r.behaviour][0] != "info"]


def _patched(system: str, ecosystem: str, name: str, version: str) -> bool:
    since = _PATCHED.get(name)
    if since is None or not system.startswith("Amazon Linux") or "AMI" in system:
        return False
    return compare(ecosystem, upstream(ecosystem, version), since) >= 0
