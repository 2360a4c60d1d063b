"""`imdsctl plan`, and how every command shows a plan."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from imdsctl.cli.common import Common, Output
from imdsctl.cli.planfile import write_plan
from imdsctl.cli.screen import STYLES, Screen, at, count, short, span
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.plan import Change, Held, Plan, Wave
from imdsctl.planner.build import build_plan
from imdsctl.scan.judged import judge_store, unreadable_in

_HELD_SHOWN = 8


def plan(
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    wave: int | None = None,
    held: Annotated[bool, Parameter(negative="")] = False,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Build and seal the plan; nothing is changed.

    Args:
        file: Where to write the plan.
        only: Only these resources (ids or names), and what they need.
        wave: Only this wave; -1 is the freeze.
        held: List everything that is held back, with reasons and fixes.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        need_scan(desk)
        scan = desk.store.scans()[0]
        now = desk.clock.now()
        cells = list(judge_store(desk.store, desk.store, desk.policy, now))
        built = build_plan(
            cells,
            desk.policy,
            now=now,
            scanned_at=scan.started_at,
            caller=scan.caller,
            role_name=scan.role_name,
            only=only or (),
            wave=wave,
        )
        if only and not built.waves:
            known = {h.resource for h in built.held} | {h.name for h in built.held}
            asked = ", ".join(only)
            hint = "they are held: `imdsctl plan --held`" if known & set(only) else ""
            raise UsageError(f"there is nothing to change for {asked}", hint=hint)
        desk.store.save_plan(built)
        failures = unreadable_in(desk.store)
    if file is not None:
        write_plan(built, file)
    if output == "json":
        screen.json("plan", document(built))
    else:
        show_plan(screen, built, held=held)
        if file is not None and built.waves:
            screen.next(f"imdsctl apply {file}", f"imdsctl apply {file} --dry-run")
        elif built.waves:
            screen.next("imdsctl plan -f plan.json")
    if failures:
        screen.note(
            ("incomplete: ", "yellow"), "what could not be read is not in the plan; imdsctl status"
        )
        return Exit.INCOMPLETE
    return Exit.OK


def document(built: Plan) -> dict[str, Any]:
    """A plan as JSON, without the schema that the printer adds."""
    body: dict[str, Any] = msgspec.to_builtins(built)
    body.pop("schema")
    return body


def show_plan(screen: Screen, built: Plan, *, held: bool = False) -> None:
    """Waves, what is held, what cannot be undone, and how long it takes."""
    screen.line(
        (f"Plan {built.digest[:4]}…{built.digest[-2:]}", "bold"),
        f"  from the scan of {at(built.scanned_at)}  {count(built.instances, 'instance')}",
    )
    if not built.waves:
        screen.line("  nothing to change")
    for wave in built.waves:
        _wave(screen, wave)
    _held(screen, built.held, everything=held)
    irreversible = [c for c in built.changes().values() if c.irreversible]
    if irreversible:
        names = short(c.resource for c in irreversible)
        screen.line((" one way   ", "bold red"), f"{names}: cannot be undone")
    if built.waves:
        soaks = sum(w.soak_seconds * (2 if w.canaries else 1) for w in built.waves)
        screen.line(
            f" takes about {span(_api_seconds(built))} of API budget and {span(soaks)} of soak. "
            "Undo: imdsctl rollback"
        )


def _api_seconds(built: Plan) -> float:
    """The largest number of changes in one cell, at half of EC2's five modifications a second."""
    per_cell = Counter(c.cell for c in built.changes().values())
    return max(per_cell.values(), default=0) / 2.5


def _wave(screen: Screen, wave: Wave) -> None:
    kinds = Counter(c.kind for c in wave.changes)
    in_place = kinds.pop("instance-options", 0)
    title = "freeze" if wave.number < 0 else f"wave {wave.number}"
    if wave.number < 0:
        screen.line(
            (f" {title:9} ", "bold cyan"),
            f"{count(len(wave.changes), 'change')}   new launches become V2 only",
        )
    else:
        parts = [count(in_place, "instance")] if in_place else []
        if refreshes := kinds["instance-refresh"]:
            parts.append(count(refreshes, "group") + " by instance refresh")
        pace = f"canary {len(wave.canaries)}, then " if wave.canaries else ""
        pace += "one at a time" if wave.batch == 1 else f"{wave.batch} at a time"
        screen.line(
            (f" {title:9} ", "bold cyan"),
            f"{' and '.join(parts) or count(len(wave.changes), 'change')}   {wave.name}   {pace}, "
            f"soak {span(wave.soak_seconds)}",
        )
        if wave.canaries:
            first = [c for c in wave.changes if c.id in wave.canaries]
            screen.line(
                "           canaries: "
                + short((f"{c.resource} {c.name}".strip() for c in first), 4)
            )
    others = [c for c in wave.changes if c.kind != "instance-options"]
    for text, cells in _grouped(others, _describe).items():
        where = cells[0] if len(cells) == 1 else f"in {len(cells)} regions"
        screen.line(f"           ~ {text}   {where}")


def _grouped(changes: Iterable[Change], words: Callable[[Change], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        found[words(change)].append(str(change.cell))
    return found


def _describe(change: Change) -> str:
    """One change in a line."""
    before, after = change.before, change.after
    if change.kind == "launch-template-version":
        options = after["options"]
        return (
            f"template {change.name or change.resource}: version {before['source']} → new version "
            f"{after['version']} (tokens required, hop {options['http_put_response_hop_limit']})"
        )
    if change.kind == "launch-template-default":
        return (
            f"template {change.name or change.resource}: default {before['default']} → "
            f"{after['default']}"
        )
    if change.kind in ("asg-launch-template", "instance-refresh"):
        moves = sorted(
            {
                f"{spec['name']} {spec['version']} → {after['specs'][where]['version']}"
                for where, spec in before["specs"].items()
            }
        )
        verb = "refresh" if change.kind == "instance-refresh" else "group"
        return f"{verb} {change.resource}: {', '.join(moves)}"
    if change.kind == "launch-configuration-replacement":
        return (
            f"group {change.resource}: launch configuration {before['launch_configuration']} → "
            f"template {after['template']}"
        )
    members = ", ".join(
        f"{key.removeprefix('http_').replace('put_response_', '').replace('_', ' ')} "
        f"{before.get(key) or '–'} → {value}"
        for key, value in after.items()
        if before.get(key) != value
    )
    return f"{change.kind.replace('-', ' ')}: {members}"


def _held(screen: Screen, held: list[Held], *, everything: bool) -> None:
    if not held:
        return
    counts = Counter(h.status for h in held)
    screen.line(
        (" held      ", "bold"),
        f"{len(held):,}   " + " · ".join(f"{n:,} {status}" for status, n in counts.items()),
    )
    if everything:
        for one in held:
            screen.line(
                (f"           {one.status:8}", STYLES[one.status]),
                f"{one.resource}  {one.name}  {one.account} {one.region}",
            )
            for reason in one.reasons:
                screen.line(f"             {reason.summary}")
                if reason.fix:
                    screen.line(f"             fix: {reason.fix}")
        return
    by_rule: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for one in held:
        by_rule[one.status, one.reasons[0].rule].append(one)
    ranked = sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0]))
    for (status, rule), members in ranked[:_HELD_SHOWN]:
        names = short(dict.fromkeys(h.name or h.resource for h in members))
        screen.line(
            (f"           {status:8}", STYLES[status]), f"{len(members):>4,}  {rule}: {names}"
        )
    screen.line("           why, and what to do: imdsctl plan --held")
