"""What a rule says of a place in a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from imdsctl.lint.facts import Edit, Fact, Place
from imdsctl.lint.source import Source
from imdsctl.model.verdict import Confidence

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a rule says: where, in one sentence, and what to do. `edits` are a safe fix."""

    place: Place
    message: str
    fix: str
    confidence: Confidence = "high"
    severity: Severity | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The same with the rule's name and the source that it is about."""

    rule: str
    severity: Severity
    confidence: Confidence
    message: str
    fix: str
    path: str
    place: Place
    inside: str = ""
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A file as it is found in the wild; `name` tells its kind as a real file's name would.

    `lines` are the lines on which the rule has to find something; none for a good example.
    """

    name: str
    text: str
    lines: tuple[int, ...] = ()


Check = Callable[[Source, Iterable[Fact]], Iterable[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it finds, why that matters, and examples that are its tests and its docs."""

    title: str
    why: str
    severity: Severity
    check: Check
    bad: tuple[Example, ...]
    good: tuple[Example, ...] = field(default_factory=tuple)
    source: str = ""
