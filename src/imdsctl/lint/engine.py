"""One text looked at: its kind, its facts and those of what it embeds, and what the rules say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.finding import Finding
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.source import Source, TookTooLong

_DEEPEST = 8
"""Texts within texts: user data in a template in a script is three."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen in a text and in what it embeds.

    Each finding has the source that its edits are for. `unparsed` are the parts that a parser could
    not make sense of, `kinds` the kinds of all texts.
    """

    findings: list[tuple[Source, Finding]]
    unparsed: list[Unparsed]
    kinds: frozenset[str]


def look(source: Source) -> Iterator[Finding]:
    """Everything that the rules find in a text and in what it embeds, in the order of its lines."""
    for _, finding in examined(source).findings:
        yield finding


def examined(source: Source, wanted: Iterable[str] | None = None) -> Looked:
    """The same with all that was seen on the way.

    Args:
        source: the text.
        wanted: names of rules, all of them if not given.
    """
    names = None if wanted is None else frozenset(wanted)
    found: list[tuple[Source, Finding]] = []
    unparsed: list[Unparsed] = []
    kinds = set()
    for text, facts in unfolded(source):
        kinds.add(text.kind)
        unparsed += [fact for fact in facts if isinstance(fact, Unparsed)]
        found += [(text, finding) for finding in _judged(text, facts, names)]
    # The same text can be embedded in two ways that a reader cannot tell apart.
    unique = {(f.rule, f.place, f.message): (text, f) for text, f in found}
    ordered = sorted(unique.values(), key=lambda one: (one[1].place, one[1].rule))
    return Looked(ordered, unparsed, frozenset(kinds))


def unfolded(source: Source, depth: int = 0) -> Iterator[tuple[Source, list[Fact]]]:
    """The text and every embedded one, each with its facts."""
    facts: list[Fact] = []
    embedded: list[Source] = []
    for reader in every_reader().get(source.kind, ()):
        try:
            for found in reader(source):
                (embedded if isinstance(found, Source) else facts).append(found)  # type: ignore[arg-type]
        except TookTooLong:
            why = "its parser took too long; not all of it was read"
            facts.append(Unparsed(place=source.place(0, 1), why=why))
    yield source, facts
    if depth < _DEEPEST:
        for inner in embedded:
            yield from unfolded(inner, depth + 1)


def _judged(source: Source, facts: list[Fact], wanted: frozenset[str] | None) -> Iterator[Finding]:
    for name, rule in every_rule().items():
        if wanted is not None and name not in wanted:
            continue
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
