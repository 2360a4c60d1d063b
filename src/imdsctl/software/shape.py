"""The shape of what is known of a program or library."""

from __future__ import annotations

from typing import NamedTuple

Behaviour = str
"""How it asks the metadata service; the words are those of `BEHAVIOURS`."""

Confidence = str
"""`high`, `medium` or `low`; where from, `known-software.toml` says."""

Severity = str
"""`high`, `medium`, or `info` for what works."""

BEHAVIOURS: dict[Behaviour, tuple[Severity, str]] = {
    "v1-only": ("high", "never asks for a token: fails where v2 is required"),
    "v1-by-default": ("high", "uses v2 only when told to"),
    "v1-first": ("medium", "asks without a token first"),
    "broken-v2": ("medium", "fails with v2"),
    "sticky-fallback": ("info", "v2; stays on v1 once a token request failed"),
    "fallback": ("info", "v2; asks without a token when a token request fails"),
    "no-fallback": ("info", "v2 only"),
}
"""Each behaviour's severity, and what it means."""

CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")

ECOSYSTEMS: tuple[str, ...] = (
    "pypi", "npm", "maven", "go", "rubygems", "nuget", "composer", "psmodule",
    "deb", "rpm", "apk", "snap", "binary",
)  # fmt: skip
"""Where names come from; each has its own order of versions (`imdsctl.software.versions`)."""


class Range(NamedTuple):
    """How the versions from `start` (included) to `below` (excluded) behave; None is no end."""

    start: str | None
    below: str | None
    behaviour: Behaviour
    confidence: Confidence
    note: str


class Software(NamedTuple):
    """One program or library, under all its names.

    `minimum` is the first version with v2, as published; None where there is none or nobody says.
    `through` is the id of the software in it that decides, if another one does.
    """

    id: str
    title: str
    names: dict[str, tuple[str, ...]]
    minimum: str | None
    through: str | None
    source: str
    fix: str
    ranges: tuple[Range, ...]
