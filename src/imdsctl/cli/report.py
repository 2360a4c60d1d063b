"""`imdsctl report`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from imdsctl.cli.common import Common
from imdsctl.cli.planfile import unwritable
from imdsctl.cli.screen import Screen
from imdsctl.cli.wiring import need_scan, opened
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.planner.build import build_plan
from imdsctl.report.collect import collect
from imdsctl.report.html import render_html
from imdsctl.report.tabular import render_csv, render_json
from imdsctl.scan.judged import evidence_since, judge_store


def report(
    *,
    file: Annotated[Path | None, Parameter(name=["--file", "-f"])] = None,
    output: Annotated[Literal["html", "json", "csv"], Parameter(name=["--output", "-o"])] = "html",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The report, from the store: one self-contained HTML file, or data.

    Args:
        file: Where to write it; stdout if not given.
        output: HTML for people, JSON or CSV for data.
        common: The options that every command has.
    """
    screen = Screen(common)
    if file is None and output == "html" and sys.stdout.isatty():
        raise UsageError(
            "a page of HTML is nothing for a terminal", hint="imdsctl report -f report.html"
        )
    with opened(common) as desk:
        need_scan(desk)
        now = desk.clock.now()
        scan = desk.store.scans()[0]
        cells = list(judge_store(desk.store, desk.store, desk.policy, now))
        plan = build_plan(
            cells,
            desk.policy,
            now=now,
            scanned_at=evidence_since(desk.store),
            caller=scan.caller,
            role_name=scan.role_name,
        )
        data = collect(
            desk.store,
            desk.store,
            verdicts=[v for cell in cells for v in cell.instances.values()],
            paths=[(p.path, p.verdict) for cell in cells for p in cell.paths],
            plan=plan,
            now=now,
        )
    render = {"html": render_html, "json": render_json, "csv": render_csv}[output]
    text = render(data)
    if file is None:
        screen.data(text)
        return Exit.OK
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(file, error) from error
    screen.note(f"wrote {file} ({len(text) / 1024:,.0f} KB)")
    return Exit.OK
