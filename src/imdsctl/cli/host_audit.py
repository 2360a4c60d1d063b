"""`imdsctl host audit`: the table and the JSON."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.screen import Part, Screen, count, joined, short
from imdsctl.host.audit import audit as look
from imdsctl.host.audit import exit_code, progress_on
from imdsctl.model.diagnostics import UsageError
from imdsctl.software.shape import BEHAVIOURS

_SEVERITY_STYLES: Final = {"high": "red", "medium": "yellow"}
_PLACES_SHOWN: Final = 3
_UNREAD_SHOWN: Final = 10
_Row = dict[str, Any]


def audit(
    *,
    root: Path = Path("/"),
    one_file_system: Annotated[bool, FLAG] = False,
    network: Annotated[bool, FLAG] = False,
    no_processes: Annotated[bool, FLAG] = False,
    output: Annotated[Output, Parameter()] = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Software on this host, or in an unpacked image, that is too old for v2.

    Only reads; nothing below the root is executed. Exit 1 for findings, 3 where nothing was found
    and something could not be read.

    Args:
        root: Where the tree to look at begins: this host, or an image's unpacked files.
        one_file_system: Stay on the root's own filesystem.
        network: Enter network filesystems, too.
        no_processes: Do not look at what running processes have loaded.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    if not root.is_dir():
        raise UsageError(
            f"--root {root} is no folder", hint="unpack an image first, or leave --root out"
        )
    screen = Screen(common)
    show = None if common.quiet else progress_on(sys.stderr)
    answer = look(
        os.fspath(root),
        one_file_system=one_file_system,
        network=network,
        processes=False if no_processes else None,
        progress=show,
    )
    if show is not None:
        sys.stderr.write("\r" + " " * 80 + "\r")
    if output == "json":
        screen.json("host-audit", {k: v for k, v in answer.items() if k != "schema"})
    else:
        _table(screen, answer)
    return exit_code(answer)


def _table(screen: Screen, answer: _Row) -> None:
    summary = answer["summary"]
    found = summary["findings"] + summary["settings"]
    screen.line(
        (count(found, "finding"), "red" if found else "green"),
        f" below {answer['root']}: {summary['high']} will fail on V2 only · "
        f"{summary['medium']} to look at · {count(summary['files'], 'file')}, "
        f"{count(sum(summary['packages'].values()), 'package')}",
        *(
            [f", {count(summary['processes'], 'process', 'processes')}"]
            if summary["processes"]
            else []
        ),
    )
    for rows in _grouped(answer["findings"]):
        _finding(screen, rows)
    _settings(screen, answer["settings"])
    if answer["notes"]:
        fine = sorted({f"{row['name']} {row['version'] or ''}".strip() for row in answer["notes"]})
        screen.line(f"also here, no obstacle: {short(fine, 8)}", hang=2)
        if screen.verbose:
            for row in answer["notes"]:
                said = row["note"] or BEHAVIOURS[row["behaviour"]][1]
                screen.line(
                    f"  {row['name']} {row['version'] or ''}  {said}  {row['where']}", hang=4
                )
    for one in answer["skipped"]:
        screen.line(f"left out  {one['where']}: {one['why']}", hang=10)
    unread = answer["not_read"]
    for one in unread if screen.verbose else unread[:_UNREAD_SHOWN]:
        screen.line(("not read", "yellow"), f"  {one['where']}: {one['why']}", hang=10)
    if len(unread) > _UNREAD_SHOWN and not screen.verbose:
        screen.line(f"          and {len(unread) - _UNREAD_SHOWN:,} more: -v, or -o json")
    _next(screen, answer)


def _settings(screen: Screen, settings: list[_Row]) -> None:
    """Each setting once, with the files and processes that have it; those that force v1 first."""
    places: dict[tuple[str, str, str, str], list[str]] = {}
    for one in sorted(settings, key=lambda one: one["effect"] != "v1-forced"):
        key = (one["effect"], one["name"], one["value"], one["meaning"])
        places.setdefault(key, []).append(one["where"])
    for (effect, name, value, meaning), where in places.items():
        forced = effect == "v1-forced"
        shown = joined(where) if screen.verbose else short(where, _PLACES_SHOWN)
        screen.line(
            (f"{'HIGH' if forced else 'set':7}", "red" if forced else ""),
            f" {name}={value}  {meaning}  {shown}",
            hang=8,
        )


def _grouped(rows: list[_Row]) -> list[list[_Row]]:
    """The same version of the same software, however often it is there."""
    groups: dict[tuple[Any, ...], list[_Row]] = {}
    for row in rows:
        key = (row["software"], row["version"], row["behaviour"], row["confidence"])
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _finding(screen: Screen, rows: list[_Row]) -> None:
    first = rows[0]
    names = joined(sorted({row["name"] for row in rows}))
    since = f"v2 since {first['minimum']}" if first["minimum"] else "no version has v2"
    head: list[Part] = [
        (f"{first['severity'].upper():7}", _SEVERITY_STYLES[first["severity"]]),
        f" {names} ",
        (first["version"] or "of unknown version", "bold"),
        f"  {BEHAVIOURS[first['behaviour']][1]}  {since}  confidence {first['confidence']}",
    ]
    screen.line(*head, hang=8)
    if first["note"]:
        screen.line(f"        {first['note']}", hang=8)
    shown = rows if screen.verbose else rows[:_PLACES_SHOWN]
    for row in shown:
        screen.line(f"        {row['where']}  ({row['layer'] or row['how']})", hang=10)
    if len(rows) > len(shown):
        screen.line(f"        and in {count(len(rows) - len(shown), 'more place')}")
    users = {(u["pid"], u["comm"]): u["how"] for row in rows for u in row["running"]}
    if users:
        named = [
            f"{comm} (pid {pid}{'' if how == 'loaded' else ', most likely'})"
            for (pid, comm), how in users.items()
        ]
        screen.line(f"        used by {short(named)}", hang=10)
    screen.line(("        fix: ", "bold"), first["fix"], hang=13)


def _next(screen: Screen, answer: _Row) -> None:
    found = answer["findings"] or answer["summary"]["settings"]
    if found:
        screen.next(
            "imdsctl rehearse -- CMD   (what really happens without v1)",
            "imdsctl host audit -o json   (sources, all places)",
        )
    elif not answer["complete"]:
        screen.note("nothing found, but not everything could be read: run it as root")
