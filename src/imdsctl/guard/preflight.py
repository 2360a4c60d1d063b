"""What each guardrail would deny today, in one account and region."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from msgspec import Struct

from imdsctl.guard.guardrail import Guardrail, Look, Settings, Word
from imdsctl.model.cell import JudgedCell
from imdsctl.model.plan import Change
from imdsctl.model.policy import JudgePolicy


class Affected(Struct, frozen=True, kw_only=True):
    """What a guardrail would do to one launch path or instance, and the evidence for it."""

    guardrail: str
    kind: str
    resource: str
    name: str
    account: str
    region: str
    word: Word
    why: str
    evidence: list[str]


class Locked(Struct, frozen=True, kw_only=True):
    """What one guardrail would take away from the rollback of a run."""

    guardrail: str
    run: str
    word: Word
    changes: int
    why: str


def look_at(judged: JudgedCell, settings: Settings, judging: JudgePolicy) -> Look:
    """What the guardrails look at in one account and region."""
    evidence = judged.evidence
    return Look(
        settings=settings,
        judging=judging,
        defaults=evidence.defaults.item if evidence.defaults else None,
        images=frozenset(record.item.id for record in evidence.images),
        unreadable=evidence.unreadable,
    )


def affected(
    judged: JudgedCell, chosen: Sequence[Guardrail], settings: Settings, judging: JudgePolicy
) -> Iterator[Affected]:
    """Every launch path and instance that a guardrail has a say in, and its word."""
    look = look_at(judged, settings, judging)
    for one in judged.paths:
        for guardrail in chosen:
            if found := guardrail.path(one.path, look):
                yield Affected(
                    guardrail=guardrail.name,
                    kind="launch-path",
                    resource=one.path.id,
                    name=one.path.template_name or one.path.name,
                    account=one.path.account,
                    region=one.path.region,
                    word=found.word,
                    why=found.why,
                    evidence=one.path.evidence,
                )
    for record in sorted(judged.evidence.instances, key=lambda r: r.item.id):
        calls = judged.evidence.calls.get(record.item.id)
        seen = replace(look, calls=calls.item if calls else None)
        for guardrail in chosen:
            if found := guardrail.instance(record.item, seen):
                yield Affected(
                    guardrail=guardrail.name,
                    kind="instance",
                    resource=record.item.id,
                    name=record.item.name,
                    account=record.item.account,
                    region=record.item.region,
                    word=found.word,
                    why=found.why,
                    evidence=[record.id, *([calls.id] if calls else [])],
                )


def locked(
    applied: Iterable[tuple[str, Change]], chosen: Sequence[Guardrail], settings: Settings
) -> list[Locked]:
    """Which applied changes (run, change) could not be taken back, by guardrail, run and reason."""
    look = Look(settings=settings)
    counts: Counter[tuple[str, str, Word, str]] = Counter()
    for run, change in applied:
        for guardrail in chosen:
            if found := guardrail.undo(change, look):
                counts[guardrail.name, run, found.word, found.why] += 1
    return [
        Locked(guardrail=guardrail, run=run, word=word, changes=number, why=why)
        for (guardrail, run, word, why), number in counts.items()
    ]
