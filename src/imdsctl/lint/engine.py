"""One text looked at: its kind, its facts and those of what it embeds, and what the rules say."""

from collections.abc import Iterator

from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Finding
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source

_DEEPEST = 8
"""Texts within texts: user data in a template in a script is three."""


def look(source: Source) -> Iterator[Finding]:
    """Everything that the rules find in a text and in what it embeds, in the order of its lines."""
    found = [finding for one in unfolded(source) for finding in _judged(*one)]
    yield from sorted(found, key=lambda f: (f.place, f.rule))


def unfolded(source: Source, depth: int = 0) -> Iterator[tuple[Source, list[Fact]]]:
    """The text and every embedded one, each with its facts."""
    facts: list[Fact] = []
    embedded: list[Source] = []
    for reader in every_reader().get(source.kind, ()):
        for found in reader(source):
            (embedded if isinstance(found, Source) else facts).append(found)  # type: ignore[arg-type]
    yield source, facts
    if depth < _DEEPEST:
        for inner in embedded:
            yield from unfolded(inner, depth + 1)


def _judged(source: Source, facts: list[Fact]) -> Iterator[Finding]:
    for name, rule in every_rule().items():
        for said in rule.check(source, facts):
            yield Finding(
                rule=name,
                severity=said.severity or rule.severity,
                confidence=said.confidence,
                message=said.message,
                fix=said.fix,
                path=source.path,
                place=said.place,
                inside=source.inside,
                edits=said.edits,
            )
