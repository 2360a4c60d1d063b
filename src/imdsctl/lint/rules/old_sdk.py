"""SDKs, agents and tools that a manifest or a lock names and that are too old for IMDSv2."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from imdsctl.lint.facts import Dependency, Edit, Fact
from imdsctl.lint.finding import Example, Rule, Said, Severity
from imdsctl.lint.source import Source
from imdsctl.model.verdict import Confidence
from imdsctl.software import Match, Software, UnknownVersionError, known, software
from imdsctl.software.shape import BEHAVIOURS

# Modules of an SDK that are released with it under one version: the core that the table has decides
# (AWS SDK for Java Developer Guides; the gems aws-sdk and aws-sdk-resources 2 pin theirs).
_LOCKSTEP: Final = (
    ("maven", "com.amazonaws:aws-java-sdk-", "com.amazonaws:aws-java-sdk-core"),
    ("maven", "software.amazon.awssdk:", "software.amazon.awssdk:core"),
)
_GEMS: Final = {
    "1": {"aws-sdk": "aws-sdk-v1"},
    "2": {"aws-sdk": "aws-sdk-core", "aws-sdk-resources": "aws-sdk-core"},
}
_ONE_FAMILY: Final = frozenset(
    ("boto3", "botocore", "awscli", "s3transfer", "aiobotocore", "aioboto3")
)
"""Each release of these asks for certain releases of the others: one alone cannot be moved."""
_FIXED_IN: Final = ("pypi", "npm", "maven")
_WEAKER: Final[dict[str, Confidence]] = {"high": "medium", "medium": "medium", "low": "low"}


def _check(source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    named = [fact for fact in facts if isinstance(fact, Dependency)]
    pinned = {one.id for fact in named if fact.exact and (one := _software(fact))}
    cores = {(fact.ecosystem, fact.name) for fact in named if fact.exact}
    family = {fact.name.lower() for fact in named} & _ONE_FAMILY
    seen = set()
    for fact in named:
        one = _software(fact)
        if one is None or one.through in pinned or (fact.place.line, one.id) in seen:
            continue
        if (fact.ecosystem, core := _known_as(fact)) in cores and core != fact.name:
            continue  # the core is named, too, and is said once
        said = _said(source, fact, one, alone=len(family) <= 1 or fact.name.lower() not in family)
        if said is not None:
            seen.add((fact.place.line, one.id))
            yield said


def _known_as(fact: Dependency) -> str:
    """The name by which the table knows it."""
    for ecosystem, prefix, core in _LOCKSTEP:
        if fact.ecosystem == ecosystem and fact.name.startswith(prefix):
            return core
    if fact.ecosystem == "rubygems":
        return _GEMS.get(fact.version.partition(".")[0], {}).get(fact.name, fact.name)
    return fact.name


def _software(fact: Dependency) -> Software | None:
    return software(fact.ecosystem, _known_as(fact))


def _said(source: Source, fact: Dependency, one: Software, *, alone: bool) -> Said | None:
    never = one.minimum is None and all(BEHAVIOURS[r.behaviour][0] != "info" for r in one.ranges)
    highest = _match(fact, fact.highest)
    first = one.ranges[0]
    lowest = _match(fact, fact.version)
    if lowest is None and never:
        lowest = Match(one, fact.version, first, first.confidence)
    elif not fact.version:
        lowest = highest
    if lowest is None or not lowest.bad:
        return None
    # An open end, or one that is new enough: what gets installed is not certain.
    certain = fact.exact or never or (highest is not None and highest.bad)
    severity: Severity = "error" if certain and lowest.severity == "high" else "warning"
    does = BEHAVIOURS[lowest.behaviour][1]
    shown = f"{fact.name} {fact.version}".rstrip()
    if fact.exact:
        message = f"{shown} {does}"
    elif never:
        message = f"{fact.name} {does}, in every version"
    elif certain:
        ends = f"{fact.version} to {fact.highest}" if fact.version else f"up to {fact.highest}"
        message = f"every {fact.name} that is allowed here ({ends}) {does}"
    else:
        message = f"{shown} is allowed here and {does}"
    note = f" ({lowest.range.note})" if lowest.range.note else ""
    confidence: Confidence = lowest.confidence  # type: ignore[assignment]
    return Said(
        place=fact.place,
        message=f"{message}{note}.",
        fix=_fix(source, fact, one),
        severity=severity,
        confidence=confidence if certain else _WEAKER[confidence],
        edits=_edits(fact, one) if alone else (),
    )


def _fix(source: Source, fact: Dependency, one: Software) -> str:
    """What to do; it names the least version."""
    text = one.fix[:1].upper() + one.fix[1:]
    if one.minimum and one.minimum not in text:
        text += f"; the least version is {one.minimum}"
    if source.kind.endswith("lock") or source.kind == "go-sum":
        return f"{text}; then renew this lock."
    return f"{text}." if fact.exact or not one.minimum else f"{text}: ask for that here."


def _match(fact: Dependency, version: str) -> Match | None:
    """What is known of a version; nothing where there is none or it cannot be compared."""
    return _known(fact.ecosystem, _known_as(fact), version) if version else None


@lru_cache(maxsize=4096)
def _known(ecosystem: str, name: str, version: str) -> Match | None:
    try:
        return known(ecosystem, name, version)
    except UnknownVersionError:
        return None


def _edits(fact: Dependency, one: Software) -> tuple[Edit, ...]:
    """The least version instead of an exact one, within the same major version."""
    if fact.version_at is None or one.minimum is None or fact.ecosystem not in _FIXED_IN:
        return ()
    better = _match(fact, one.minimum)
    if one.minimum.partition(".")[0] != fact.version.partition(".")[0] or better is None:
        return ()
    start, end = fact.version_at
    return () if better.bad else (Edit(start=start, end=end, text=one.minimum),)


RULE = Rule(
    title="SDK or agent that is too old for IMDSv2",
    why=(
        "Below a certain version an AWS SDK, CLI or agent never asks for a session token: where v2 "
        "is required, it gets no credentials and no metadata. A lock says what is installed; a "
        "constraint that still allows such a version is a warning."
    ),
    severity="error",
    check=_check,
    source='EC2 User Guide, "Use a supported AWS SDK"; docs/host-audit.md has the whole table',
    bad=(
        Example(
            name="requirements.txt",
            text="# the worker\nrequests==2.31.0\nboto3==1.9.250\n",
            lines=(3,),
        ),
        Example(name="requirements.in", text="boto3>=1.9\nclick\n", lines=(1,)),
        Example(
            name="package.json",
            text='{\n  "dependencies": {\n    "aws-sdk": "2.500.0",\n    "qs": "^6.0"\n  }\n}\n',
            lines=(3,),
        ),
        Example(
            name="go.mod",
            text="module example.com/up\n\ngo 1.21\n\nrequire github.com/aws/aws-sdk-go v1.19.0\n",
            lines=(5,),
        ),
        Example(
            name="pom.xml",
            text=(
                "<project>\n  <properties>\n    <aws.version>1.11.500</aws.version>\n"
                "  </properties>\n  <dependencies>\n    <dependency>\n"
                "      <groupId>com.amazonaws</groupId>\n"
                "      <artifactId>aws-java-sdk-s3</artifactId>\n"
                "      <version>${aws.version}</version>\n    </dependency>\n  </dependencies>\n"
                "</project>\n"
            ),
            lines=(3,),
        ),
    ),
    good=(
        Example(name="requirements.txt", text="boto3==1.34.0\nrequests==2.31.0\n"),
        Example(name="requirements.in", text="boto3\nbotocore>=1.29\n"),
        Example(name="package.json", text='{ "dependencies": { "aws-sdk": "^2.1500.0" } }\n'),
        Example(
            name="go.mod",
            text="module example.com/uploader\n\nrequire github.com/aws/aws-sdk-go v1.44.0\n",
        ),
    ),
)
