"""`imdsctl show`."""

import json
from pathlib import Path
from typing import Annotated

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.plan import document
from imdsctl.cli.plan_view import show_plan
from imdsctl.cli.planfile import read_plan
from imdsctl.cli.screen import Screen
from imdsctl.model.diagnostics import Exit
from imdsctl.model.plan import Facts


def show(
    file: Path,
    /,
    *,
    held: Annotated[bool, FLAG] = False,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Read a plan back and check its seal.

    Args:
        file: The plan.
        held: List everything that is held back, with reasons and fixes.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    plan = read_plan(file)
    if output == "json":
        screen.json("plan", document(plan))
        return Exit.OK
    show_plan(screen, plan, held=held)
    if common.verbose:
        for wave in plan.waves:
            screen.line("")
            screen.line((wave.name, "bold"))
            for change in wave.changes:
                name = f" {change.name}" if change.name else ""
                screen.line(f"  {change.kind} {change.resource}{name}  {change.cell}")
                screen.line(f"    before {_facts(change.before)}", hang=11)
                screen.line(f"    after  {_facts(change.after)}", hang=11)
                screen.line(f"    why    {change.reason}", hang=11)
    if waves := plan.waves:
        where = f" --wave {waves[0].number}" if len(waves) > 1 else ""
        first = waves[0].changes[0]
        name = f" --allow-irreversible {first.resource}" if first.irreversible else ""
        screen.next(f"imdsctl apply {file}{where}{name}")
    return Exit.OK


def _facts(facts: Facts) -> str:
    """One side of a change as JSON says it."""
    return json.dumps(facts) if facts else "nothing"
