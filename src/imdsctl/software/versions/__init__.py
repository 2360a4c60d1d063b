"""The order of versions, as each ecosystem's own tools have it."""

from __future__ import annotations

from collections.abc import Callable

from imdsctl.software.versions import apk, dpkg, gem, maven, pep440, rpm, semver
from imdsctl.software.versions.error import UnknownVersionError

__all__ = ["UnknownVersionError", "compare", "upstream"]

_ORDERS: dict[str, Callable[[str, str], int]] = {
    "pypi": pep440.compare,
    "npm": semver.compare,
    "go": semver.compare,
    "composer": semver.compare_loosely,
    "nuget": semver.compare_loosely,
    "psmodule": semver.compare_loosely,
    "maven": maven.compare,
    "rubygems": gem.compare,
    "deb": dpkg.compare,
    "rpm": rpm.compare,
    "apk": apk.compare,
    "snap": rpm.compare,
    "binary": rpm.compare,
}


def compare(ecosystem: str, left: str, right: str) -> int:
    """Negative, zero or positive, as `left` is older than, equal to or newer than `right`.

    Raises:
        UnknownVersionError: one of them is no version there.
    """
    if len(left) > _LONGEST or len(right) > _LONGEST:
        raise UnknownVersionError(f"{max(left, right, key=len)[:40]}… is too long for a version")
    return _ORDERS[ecosystem](left, right)


_LONGEST = 256


def upstream(ecosystem: str, version: str) -> str:
    """The version that the software's makers gave it, without what a distribution adds.

    That is the epoch and the revision of deb, rpm and apk (deb-version(7), rpm-version(7)), and a
    deb's `+dfsg` and the like.
    """
    if ecosystem in ("deb", "rpm"):
        head, colon, rest = version.partition(":")
        if colon and head.isdigit():
            version = rest
        version = version.rpartition("-")[0] or version
    if ecosystem == "deb":
        for mark in ("+dfsg", "+ds", "+repack", "+really"):
            plain, found, really = version.partition(mark)
            if found:
                # 2.0+really1.9 is 1.9 in truth (Debian Policy, "Epochs should be used sparingly").
                version = really if mark == "+really" and really else plain
    if ecosystem == "apk":
        head, dash, revision = version.rpartition("-r")
        if dash and revision.isdigit():
            version = head
    return version
