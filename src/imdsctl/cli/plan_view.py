"""A plan as a person reads it: waves, what is held, what cannot be undone."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from imdsctl.cli.screen import STYLES, Screen, at, count, joined, short, span
from imdsctl.model.plan import Change, Held, Plan, Wave
from imdsctl.planner.waves import ONE_WAY_WAVE

_HELD_SHOWN = 8
_ONE_WAY_SHOWN = 8
_COLUMN = 11
"""Where the text of a wave begins, after its title."""


def show_plan(screen: Screen, built: Plan, *, held: bool = False) -> None:
    """Waves, what is held, what cannot be undone, and how long it takes."""
    screen.line(
        (f"Plan {built.digest[:4]}…{built.digest[-2:]}", "bold"),
        f"  from the scan of {at(built.scanned_at)}  {count(built.instances, 'instance')}",
    )
    if not built.waves:
        screen.line("  nothing to change")
    for wave in built.waves:
        if wave.number != ONE_WAY_WAVE:
            _wave(screen, wave)
    if held:
        _held_in_full(screen, built.held)
    else:
        _held(screen, built.held)
    _one_way(screen, [c for c in built.changes().values() if c.irreversible])
    if built.waves:
        soaks = sum(
            w.soak_seconds * (2 if w.canaries else 1) + w.cycle_seconds for w in built.waves
        )
        waits = f" and {span(soaks)} of soak" if soaks else ""
        screen.line(
            f" takes {_about(_api_seconds(built))} of API budget{waits}. Undo: imdsctl rollback",
        )


def _one_way(screen: Screen, changes: Sequence[Change]) -> None:
    """What is made only by name, and what it costs."""
    if not changes:
        return
    screen.line(
        (" one way   ", "bold red"),
        f"{count(len(changes), 'change')} (wave {ONE_WAY_WAVE}), each only with "
        "--allow-irreversible and its name",
        hang=_COLUMN,
    )
    pad = " " * _COLUMN
    shown = changes if screen.verbose else changes[:_ONE_WAY_SHOWN]
    for place in dict.fromkeys(str(c.cell) for c in shown):
        screen.line(f"{pad}{place}")
        here = [change for change in shown if str(change.cell) == place]
        for change, after in zip_longest(here, here[1:]):
            screen.line(f"{pad}  ! {describe(change)}", hang=_COLUMN + 6)
            words = undo_words(change)
            if after is None or undo_words(after) != words:
                screen.line(f"{pad}    {words}", hang=_COLUMN + 4)
    if len(changes) > len(shown):
        screen.line(f"{pad}and {len(changes) - len(shown):,} more: imdsctl plan -v")


def undo_words(change: Change) -> str:
    """What cannot be taken back of a one-way change, or because of it."""
    if change.inverse is None:
        return "Cannot be undone: the only way back is a new image from the snapshot."
    lost = [
        f"{one.run} ("
        + joined(
            [
                *([count(one.instances, "instance")] if one.instances else []),
                *([count(one.launches, "launch setting")] if one.launches else []),
            ]
        )
        + ")"
        for one in change.loses
    ]
    text = "While it is on, nothing there goes back to v1"
    return f"{text}; loses its way back: {', '.join(lost)}." if lost else f"{text}."


def _api_seconds(built: Plan) -> float:
    """The largest number of changes in one cell, at half of EC2's five modifications a second."""
    per_cell = Counter(c.cell for c in built.changes().values())
    return max(per_cell.values(), default=0) / 2.5


def _about(seconds: float) -> str:
    return f"about {span(seconds)}" if seconds >= 1 else "less than a second"


def _wave(screen: Screen, wave: Wave) -> None:
    kinds = Counter(c.kind for c in wave.changes)
    title = ("freeze" if wave.number < 0 else f"wave {wave.number}").ljust(_COLUMN - 2)
    if wave.number < 0:
        text = f"{count(len(wave.changes), 'change')}   new launches become V2 only"
    else:
        in_place = {c.resource for c in wave.changes if c.kind == "instance-options"}
        parts = [count(len(in_place), "instance")] if in_place else []
        if refreshes := kinds["instance-refresh"]:
            parts.append(count(refreshes, "group") + " by instance refresh")
        if updates := kinds["nodegroup-version"]:
            parts.append(count(updates, "EKS node group"))
        if environments := kinds["beanstalk-option"]:
            parts.append(count(environments, "Elastic Beanstalk environment"))
        text = f"{' · '.join(parts) or count(len(wave.changes), 'change')}   {wave.name}"
    screen.line((f" {title} ", "bold cyan"), text, hang=_COLUMN)
    if wave.number >= 0 and kinds["instance-options"]:
        screen.line(" " * _COLUMN + _pace(wave), hang=_COLUMN)
        _first_steps(screen, wave)
    _others(screen, [c for c in wave.changes if c.kind != "instance-options"])
    show_notes(screen, wave.changes)


def show_notes(screen: Screen, changes: Sequence[Change]) -> None:
    """What a reviewer has to know, each word once, with whom it is about."""
    about: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        for note in change.notes:
            about[note].append(change.name or change.resource)
    for note, names in about.items():
        screen.line(
            " " * _COLUMN + "  ",
            ("! ", "yellow"),
            f"{short(dict.fromkeys(names))}: {note}",
            hang=_COLUMN + 4,
        )


def _first_steps(screen: Screen, wave: Wave) -> None:
    """Whose hop limit is raised before tokens are required, and how long that is watched."""
    first = [c for c in wave.changes if c.is_first_step]
    if not first:
        return
    limit = first[0].after["http_put_response_hop_limit"]
    names = short([c.name or c.resource for c in first])
    screen.line(
        f"{' ' * _COLUMN}hop limit to {limit} first ({names}), then {span(wave.cycle_seconds)} "
        "without an IMDSv1 call, then tokens",
        hang=_COLUMN,
    )


def _pace(wave: Wave) -> str:
    """How a wave is walked."""
    pace = "one at a time" if wave.batch == 1 else f"{wave.batch} at a time"
    if wave.canaries:
        first = [c.name or c.resource for c in wave.changes if c.id in wave.canaries]
        pace = f"canary {len(first)} ({short(first)}), then {pace}"
    return f"{pace}, soak {span(wave.soak_seconds)}"


def _others(screen: Screen, changes: Sequence[Change]) -> None:
    """The changes that are no instance's: alike ones together, by account and region."""
    cells: dict[str, list[str]] = defaultdict(list)
    for text, change in _told(changes):
        cells[text].append(str(change.cell))
    by_place: dict[str, list[str]] = defaultdict(list)
    for text, where in cells.items():
        place = where[0] if len(where) == 1 else f"{len(where)} regions, in each"
        by_place[place].append(text)
    pad = " " * _COLUMN
    for place, texts in by_place.items():
        screen.line(f"{pad}{place}")
        for text in texts:
            screen.line(f"{pad}  ~ {text}", hang=_COLUMN + 6)


def _told(changes: Sequence[Change]) -> list[tuple[str, Change]]:
    """One text a change; a new template version is told with what is pointed at it."""
    versions = {c.id: c for c in changes if c.kind == "launch-template-version"}
    following: dict[str, list[str]] = defaultdict(list)
    alone = []
    for change in changes:
        made = [n for n in change.needs if n in versions]
        if change.id in versions:
            continue
        if change.kind == "launch-template-default" and made:
            following[made[0]].append("its new default")
        elif change.kind == "asg-launch-template" and made:
            following[made[0]].append(f"for group {change.resource}")
        else:
            alone.append((describe(change), change))
    told = []
    for key, version in versions.items():
        uses = following[key]
        told.append((", ".join([describe(version), *dict.fromkeys(uses)]), version))
    return told + alone


def describe(change: Change) -> str:
    """One change in a line."""
    before, after = change.before, change.after
    name = change.name or change.resource
    if change.kind == "launch-template-version":
        hop = after["options"].get("http_put_response_hop_limit")
        return (
            f"template {name}: version {before['source']} → {after['version']} "
            f"(tokens required{f', hop limit {hop}' if hop else ''})"
        )
    if change.kind == "launch-template-default":
        return f"template {name}: default {before['default']} → {after['default']}"
    if change.kind in ("asg-launch-template", "instance-refresh"):
        moves = sorted(
            {
                f"{spec['name']} {spec['version']} → {after['specs'][where]['version']}"
                for where, spec in before["specs"].items()
            }
        )
        verb = "refresh of group" if change.kind == "instance-refresh" else "group"
        return f"{verb} {change.resource}: template {', '.join(moves)}"
    if change.kind == "nodegroup-version":
        nodes = count(len(before["instances"]), "node")
        return (
            f"node group {change.resource}: template {before['template']['name']} "
            f"{before['version']} → {after['version']}, EKS replaces its {nodes}"
        )
    if change.kind == "launch-configuration-replacement":
        return (
            f"group {change.resource}: launch configuration {before['launch_configuration']} → "
            f"template {after['template']}"
        )
    if change.kind == "beanstalk-option":
        was = before["disable_imdsv1"] or "not set"
        return (
            f"environment {change.resource}: DisableIMDSv1 {was} → {after['disable_imdsv1']}, "
            f"{count(len(before['instances']), 'instance')} replaced"
        )
    if change.kind == "image-imds-support":
        name = f" ({change.name})" if change.name else ""
        return f"image {change.resource}{name}: ImdsSupport – → {after['imds_support']}"
    if change.kind == "account-enforcement":
        was = before["http_tokens_enforced"] or "–"
        return f"account {change.resource}: HttpTokensEnforced {was} → enabled"
    members = ", ".join(
        f"{key.removeprefix('http_').replace('put_response_', '').replace('_', ' ')} "
        f"{before.get(key) or '–'} → {value}"
        for key, value in after.items()
        if before.get(key) != value
    )
    return f"{change.kind.replace('-', ' ')}: {members}"


def _held_head(screen: Screen, held: Sequence[Held]) -> None:
    counts = Counter(h.status for h in held)
    screen.line(
        (" held      ", "bold"),
        f"{len(held):,}   " + " · ".join(f"{n:,} {status}" for status, n in counts.items()),
    )


def _held(screen: Screen, held: Sequence[Held]) -> None:
    """What is held, a line for each first reason."""
    if not held:
        return
    _held_head(screen, held)
    by_rule: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for one in held:
        by_rule[one.status, one.reasons[0].rule].append(one)
    ranked = sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0]))
    for (status, rule), members in ranked[:_HELD_SHOWN]:
        names = short(dict.fromkeys(h.name or h.resource for h in members))
        screen.line(
            (f"           {status:8}", STYLES[status]),
            f"{len(members):>4,}  {rule}: {names}",
            hang=_COLUMN + 14,
        )
    if len(ranked) > _HELD_SHOWN:
        rest = sum(len(members) for _, members in ranked[_HELD_SHOWN:])
        screen.line(f"           and {rest:,} for other reasons")
    screen.line("           why, and what to do: imdsctl plan --held")


def _held_in_full(screen: Screen, held: Sequence[Held]) -> None:
    """Everything that is held, by what would help."""
    if not held:
        screen.line(" nothing is held")
        return
    _held_head(screen, held)
    by_fix: dict[tuple[str, str, str], list[Held]] = defaultdict(list)
    for one in held:
        first = one.reasons[0]
        by_fix[one.status, first.rule, first.fix].append(one)
    ranked = sorted(by_fix.items(), key=lambda item: (item[0][0], -len(item[1]), item[0]))
    for (status, rule, fix), members in ranked:
        screen.line("")
        screen.line((f" {status:9} ", STYLES[status]), f"{len(members):,}  {rule}")
        if fix:
            screen.line(f"  fix      {fix}", hang=_COLUMN)
        for one in members:
            where = f"{one.account} {one.region}"
            screen.line("  " + "  ".join(filter(None, [one.resource, one.name, where])))
            for number, reason in enumerate(one.reasons):
                screen.line(f"    {reason.summary}", hang=4)
                if number and reason.fix:
                    screen.line(f"    fix: {reason.fix}", hang=9)
