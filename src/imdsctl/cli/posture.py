"""Posture as `scan` and `status` show it, in words and as JSON."""

from collections import defaultdict
from typing import Any

from imdsctl.cli.screen import Screen, count, short
from imdsctl.judge.paths import PathFinder
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.launch_path import LaunchPath
from imdsctl.ports import Posture, Store
from imdsctl.scan.judged import unreadable_in

NOT_THERE = "*"
"""The region of a reading that failed before any region was known."""


def launch_paths(store: Store) -> list[LaunchPath]:
    """Every launch path in the store, without its members.

    A launch configuration that no group uses starts nothing, so it is not among them.
    """
    return [
        path
        for cell in store.cells()
        for path in PathFinder(
            templates=store.view("launch-templates", cell),
            configurations=store.view("launch-configurations", cell),
            groups=store.view("groups", cell),
            defaults=next(store.view("account-defaults", cell), None),
            images=store.view("images", cell),
            instances=(),
        ).paths()
        if path.kind != "launch-configuration"
    ]


def document(store: Store) -> dict[str, Any]:
    """The JSON of `scan` and `status`."""
    posture = store.posture()
    paths = launch_paths(store)
    cells = store.cells()
    return {
        "instances": {
            "total": posture.total,
            "v1_allowed": posture.v1_allowed,
            "v2_only": posture.v2_only,
            "imds_off": posture.imds_off,
        },
        "pending": posture.pending,
        "callers": {
            "called": posture.v1_called,
            "quiet": posture.v1_quiet,
            "no_data": posture.v1_no_data,
            "not_watched": posture.v1_not_watched,
        },
        "launch_paths": {
            "total": len(paths),
            "v1_allowed": sum(p.effective.posture == "v1-allowed" for p in paths),
        },
        "account_defaults": {
            "total": len(cells),
            "required": sum(
                record.item.options.http_tokens == "required"
                for record in store.view("account-defaults")
            ),
        },
        "accounts": sorted({cell.account for cell in cells}),
        "regions": sorted({cell.region for cell in cells} - {NOT_THERE}),
        "unreadable": [
            {"account": u.account, "region": u.region, "what": u.what, "why": u.why, "seen": u.seen}
            for u in unreadable_in(store)
        ],
    }


def show(screen: Screen, store: Store) -> list[Unreadable]:
    """The posture in a few lines; returns what could not be read."""
    posture = store.posture()
    _instances(screen, posture)
    paths = launch_paths(store)
    open_paths = [p for p in paths if p.effective.posture == "v1-allowed"]
    screen.line(
        f"  {count(len(paths), 'launch path')}     ",
        (f"{len(open_paths)} would start new instances on v1", "red" if open_paths else "green"),
    )
    defaults = [record.item for record in store.view("account-defaults")]
    required = sum(item.options.http_tokens == "required" for item in defaults)
    screen.line(
        f"  {count(len(defaults), 'account default')}  {required} require tokens, in "
        f"{count(len({d.account for d in defaults}), 'account')} and "
        f"{count(len({d.region for d in defaults}), 'region')}"
    )
    failures = unreadable_in(store)
    show_unreadable(screen, failures)
    return failures


def _instances(screen: Screen, posture: Posture) -> None:
    screen.line(
        ("  " + count(posture.total, "instance"), "bold"),
        f"    {posture.v2_only:,} V2 only    ",
        (f"{posture.v1_allowed:,} allow IMDSv1", "red" if posture.v1_allowed else "green"),
        f"    {posture.imds_off:,} IMDS off",
    )
    if posture.v1_allowed:
        parts = [
            f"{posture.v1_called:,} called v1 in the window",
            f"{posture.v1_quiet:,} quiet",
            f"{posture.v1_no_data:,} no data",
        ]
        if posture.v1_not_watched:
            parts.append(f"{posture.v1_not_watched:,} not watched")
        screen.line(f"  {posture.v1_allowed:,} that allow v1:  " + " · ".join(parts))
    if posture.pending:
        screen.line(f"  {count(posture.pending, 'change')} not applied by EC2 yet")


def show_unreadable(screen: Screen, failures: list[Unreadable]) -> None:
    """What could not be read, one line for each cell and reason."""
    by_reason: dict[tuple[Cell, str], list[str]] = defaultdict(list)
    for failure in failures:
        seen = f" (after {failure.seen:,})" if failure.seen else ""
        cell = Cell(failure.account, failure.region)
        by_reason[cell, failure.why].append(failure.what + seen)
    for (cell, why), what in by_reason.items():
        where = cell.account if cell.region == NOT_THERE else f"{cell.region} in {cell.account}"
        screen.line(("  not read  ", "yellow"), f"{where}: {short(what, 7)}: {why}")
