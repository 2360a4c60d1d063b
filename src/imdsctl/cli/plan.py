"""`imdsctl plan`."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import structs

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.plan_view import show_plan
from imdsctl.cli.planfile import write_plan
from imdsctl.cli.posture import unfinished
from imdsctl.cli.screen import Screen
from imdsctl.cli.wiring import Desk, need_scan, opened
from imdsctl.judge.names import unheard
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.plan import Plan
from imdsctl.model.policy import Policy
from imdsctl.planner.build import FREEZE, build_plan
from imdsctl.planner.waves import ONE_WAY_NAME, ONE_WAY_WAVE, WAVES
from imdsctl.scan.judged import evidence_since, judge_store, unreadable_in


def plan(
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    wave: int | None = None,
    held: Annotated[bool, FLAG] = False,
    enforce: Annotated[bool, FLAG] = False,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Build and seal the plan; nothing is changed.

    Args:
        file: Where to write the plan.
        only: Only these resources (ids or names), and what they need.
        wave: Only this wave and what it needs; -1 is the freeze, 3 what is one way.
        held: List everything that is held back, with reasons and fixes.
        enforce: Also plan HttpTokensEnforced where everything else is done; one way.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    if wave is not None and not FREEZE <= wave <= ONE_WAY_WAVE:
        raise UsageError(
            f"there is no wave {wave}",
            detail=f"waves are {FREEZE} (the freeze) and 0 to {ONE_WAY_WAVE} "
            f"({', '.join((*WAVES, ONE_WAY_NAME))})",
        )
    with opened(common) as desk:
        need_scan(desk)
        scan = desk.store.scans()[0]
        now = desk.clock.now()
        policy = enforcing(desk.policy) if enforce else desk.policy
        cells = list(judge_store(desk.store, desk.store, policy, now))
        built = build_plan(
            cells,
            policy,
            now=now,
            scanned_at=evidence_since(desk.store),
            caller=scan.caller,
            role_name=scan.role_name,
            only=only or (),
            wave=wave,
        )
        if only and not built.waves:
            raise _nothing(desk, built, only)
        desk.store.save_plan(built)
        whole = not unreadable_in(desk.store) and not unfinished(scan)
    for words in unheard(cells, policy):
        screen.note(
            ("nothing is called that", "yellow"),
            f"  {words} in the settings means nothing that was scanned, and has no effect",
        )
    if file is not None:
        write_plan(built, file)
    if output == "json":
        screen.json("plan", document(built))
    else:
        show_plan(screen, built, held=held)
        if file is not None and built.waves:
            named = built.waves[0].changes[0]
            name = f" --allow-irreversible {named.resource}" if named.irreversible else ""
            screen.next(f"imdsctl apply {file} --dry-run{name}", f"imdsctl apply {file}{name}")
        elif built.waves:
            screen.next("imdsctl plan -f plan.json")
        else:
            screen.next("imdsctl plan --held" if built.held else "imdsctl status")
    if not whole:
        screen.note(
            ("exit 3: incomplete", "yellow"),
            ", the plan leaves out what could not be read",
        )
        return Exit.INCOMPLETE
    return Exit.OK


def enforcing(policy: Policy) -> Policy:
    """The same settings, with enforcement asked for."""
    return structs.replace(policy, plan=structs.replace(policy.plan, enforce=True))


def _nothing(desk: Desk, built: Plan, only: list[str]) -> UsageError:
    """Why a plan for some resources is empty."""
    summary = f"there is nothing to change for {', '.join(only)}"
    held = {name for h in built.held for name in (h.resource, h.name)}
    if stuck := [name for name in only if name in held]:
        return UsageError(summary, detail="held back", hint=f"why: imdsctl explain {stuck[0]}")
    if missing := [name for name in only if not desk.store.find(name)]:
        return UsageError(
            summary,
            detail=f"nothing is known of {', '.join(missing)}",
            hint="`imdsctl status` says what was scanned, and what could not be read",
        )
    return UsageError(summary, hint=f"how it stands: imdsctl explain {only[0]}")


def document(built: Plan) -> dict[str, Any]:
    """A plan as JSON, without the schema that the printer adds."""
    body: dict[str, Any] = msgspec.to_builtins(built)
    body.pop("schema")
    return body
