"""`imdsctl show`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from imdsctl.cli.common import Common, Output
from imdsctl.cli.plan import document, show_plan
from imdsctl.cli.planfile import read_plan
from imdsctl.cli.screen import Screen
from imdsctl.model.diagnostics import Exit


def show(
    file: Path,
    /,
    *,
    held: Annotated[bool, Parameter(negative="")] = False,
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
                screen.line(f"  {change.kind} {change.resource} {change.name}  {change.cell}")
                screen.line(f"    before {change.before}")
                screen.line(f"    after  {change.after}")
                screen.line(f"    why    {change.reason}")
    return Exit.OK
