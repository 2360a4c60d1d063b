"""Asking the table."""

from __future__ import annotations

import re
from typing import NamedTuple

from imdsctl.software.shape import BEHAVIOURS, Behaviour, Confidence, Range, Severity, Software
from imdsctl.software.table import SOFTWARE
from imdsctl.software.versions import UnknownVersionError, compare, upstream

__all__ = ["Match", "UnknownVersionError", "known", "software", "verdict_on"]

_PYPI_SEPARATORS = re.compile(r"[-_.]+")
_DISTRIBUTIONS = ("deb", "rpm", "apk")


class Match(NamedTuple):
    """What is known of one version of one software."""

    software: Software
    version: str
    range: Range
    confidence: Confidence

    @property
    def behaviour(self) -> Behaviour:
        """How it asks the metadata service."""
        return self.range.behaviour

    @property
    def severity(self) -> Severity:
        """How bad that is; `info` is not bad."""
        return BEHAVIOURS[self.range.behaviour][0]

    @property
    def bad(self) -> bool:
        """Whether something should be done about it before v2 is required."""
        return self.severity != "info"


def software(ecosystem: str, name: str) -> Software | None:
    """What the table has under this name, whatever the version; names as the ecosystem compares."""
    return _INDEX.get((ecosystem, _canonical(ecosystem, name)))


def known(ecosystem: str, name: str, version: str) -> Match | None:
    """What is known of this version; None if nothing is, of the name or of the version.

    A match is not always bad: see `Match.bad`. Distributions patch: what the version of a deb, rpm
    or apk says is at most of medium confidence.

    Args:
        ecosystem: one of `shape.ECOSYSTEMS`.
        name: as the ecosystem writes it: `group:artifact` for Maven, the module path for Go.
        version: the installed one. Epoch and revision of deb, rpm and apk do not count.

    Raises:
        UnknownVersionError: the name is in the table, and the version cannot be compared.
    """
    found = software(ecosystem, name)
    return None if found is None else verdict_on(found, ecosystem, version)


def verdict_on(found: Software, ecosystem: str, version: str) -> Match | None:
    """The same for software that was looked up already.

    Raises:
        UnknownVersionError: the version cannot be compared.
    """
    plain = upstream(ecosystem, version)
    # Judged even where a range without ends would not need it: a match is never of nonsense.
    compare(ecosystem, plain, plain)
    for one in found.ranges:
        if one.start is not None and compare(ecosystem, plain, one.start) < 0:
            continue
        if one.below is not None and compare(ecosystem, plain, one.below) >= 0:
            continue
        sure = one.confidence
        if sure == "high" and ecosystem in _DISTRIBUTIONS and found.id not in _OWN_PACKAGES:
            sure = "medium"
        return Match(found, version, one, sure)
    return None


_OWN_PACKAGES = frozenset(
    one.id for one in SOFTWARE if set(one.names) <= {"deb", "rpm", "apk", "snap", "binary"}
)
"""Software whose packages its own makers build: their version numbers mean what they say."""


def _canonical(ecosystem: str, name: str) -> str:
    if ecosystem == "pypi":
        return _PYPI_SEPARATORS.sub("-", name).lower()
    if ecosystem in ("nuget", "psmodule", "composer"):
        return name.lower()
    return name


_INDEX = {
    (ecosystem, _canonical(ecosystem, name)): one
    for one in SOFTWARE
    for ecosystem, names in one.names.items()
    for name in names
}
