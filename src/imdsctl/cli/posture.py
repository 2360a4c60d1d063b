"""Posture as `scan` and `status` show it, in words and as JSON."""

from collections import defaultdict
from typing import Any

from imdsctl.cli.screen import Part, Screen, count, short
from imdsctl.judge.images import image_uses
from imdsctl.judge.installed import old_on
from imdsctl.judge.paths import PathFinder
from imdsctl.model.evidence import Cell, Unreadable
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.refusal import refusal
from imdsctl.ports import Posture, ScanRecord, Store
from imdsctl.scan.judged import unreadable_in

NOT_THERE = "*"
"""The region of a reading that failed before any region was known."""

_LABEL = 20
_IMAGES_SHOWN = 3


def launch_paths(store: Store) -> list[LaunchPath]:
    """Every launch path in the store, without its members."""
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
            nodegroups=store.view("nodegroups", cell),
        ).paths()
    ]


def _starting(store: Store) -> list[LaunchPath]:
    """The launch paths that can start instances: an unattached launch configuration cannot."""
    return [path for path in launch_paths(store) if path.kind != "launch-configuration"]


def unfinished(scan: ScanRecord) -> bool:
    """Whether a scan was interrupted, or still runs: then cells may be missing altogether."""
    return scan.finished_at is None


def document(store: Store) -> dict[str, Any]:
    """The JSON of `scan` and `status`."""
    scan = store.scans()[0]
    posture = store.posture()
    paths = _starting(store)
    cells = store.cells()
    failures = unreadable_in(store)
    return {
        "complete": not failures and not unfinished(scan),
        "scanned_at": scan.started_at,
        "days": scan.days,
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
            "total": len(list(store.view("account-defaults"))),
            "required": sum(
                record.item.options.http_tokens == "required"
                for record in store.view("account-defaults")
            ),
            "enforced": sum(
                record.item.enforced == "enabled" for record in store.view("account-defaults")
            ),
        },
        "images": _images(store, paths),
        "software": _software(store),
        "accounts": sorted({cell.account for cell in cells}),
        "regions": sorted({cell.region for cell in cells} - {NOT_THERE}),
        "unreadable": [
            {"account": u.account, "region": u.region, "what": u.what, "why": u.why, "seen": u.seen}
            for u in failures
        ],
    }


def show(screen: Screen, store: Store) -> bool:
    """The posture in a few lines; returns whether everything was read."""
    scan = store.scans()[0]
    failures = unreadable_in(store)
    unseen = {(u.account, u.region) for u in failures if u.what == "instances" and not u.seen}
    _instances(screen, store.posture(), scan.days, len(unseen))
    paths = _starting(store)
    open_paths = [p for p in paths if p.effective.posture == "v1-allowed"]
    _row(
        screen,
        count(len(paths), "launch path"),
        (f"{len(open_paths):,} would start new instances on v1", "red")
        if open_paths
        else ("none would start new instances on v1", "green"),
    )
    defaults = [record.item for record in store.view("account-defaults")]
    required = sum(item.options.http_tokens == "required" for item in defaults)
    enforced = sum(item.enforced == "enabled" for item in defaults)
    _row(
        screen,
        count(len(defaults), "account default"),
        f"{required:,} require tokens · "
        + (f"{enforced:,} enforced · " if enforced else "")
        + f"{count(len({d.account for d in defaults}), 'account')} × "
        f"{count(len({d.region for d in defaults}), 'region')}",
    )
    _show_images(screen, _images(store, paths))
    _show_software(screen, _software(store))
    show_unreadable(screen, failures)
    if unfinished(scan):
        _row(
            screen,
            ("not finished", "yellow"),
            "the last scan still runs, or was interrupted: what it had not reached yet is older "
            "or missing",
        )
    return not failures and not unfinished(scan)


def _images(store: Store, paths: list[LaunchPath]) -> dict[str, Any]:
    """The own images, and which of those without ImdsSupport something launches."""
    records = [record for record in store.view("images") if record.item.own]
    uses = image_uses(
        records,
        paths,
        store.view("launch-templates"),
        store.view("launch-configurations"),
        (),
    )
    return {
        "own": len(records),
        "v2_only": len(records) - len(uses),
        "launched": [
            {
                "image": use.image.id,
                "name": use.image.name,
                "account": use.image.account,
                "region": use.image.region,
                "launched_by": use.words(),
            }
            for use in uses
            if use.paths
        ],
    }


def _show_images(screen: Screen, found: dict[str, Any]) -> None:
    if not found["own"]:
        return
    launched = found["launched"]
    without = found["own"] - found["v2_only"]
    _row(
        screen,
        count(found["own"], "own image"),
        f"{without:,} without ImdsSupport · {len(launched):,} of them launched"
        if without
        else "all with ImdsSupport v2.0",
    )
    for one in launched[: None if screen.verbose else _IMAGES_SHOWN]:
        label = f"{one['image']} {one['name']}".strip()
        _row(screen, "", f"{label}: {short(one['launched_by'])}")


def _software(store: Store) -> dict[str, int]:
    """Instances with software that does not speak IMDSv2, and with some that asks IMDSv1 first."""
    told: dict[Any, tuple[bool, bool]] = {}
    too_old = first = 0
    for record in store.view("software"):
        item = record.item
        key = (item.platform, item.agent_version, tuple(item.packages))
        if key not in told:
            sure = [old for old in old_on(item) if not old.unsure]
            asking = [old.asks_first for old in sure]
            told[key] = (not all(asking), any(asking))
        too_old += told[key][0]
        first += told[key][1]
    return {"too_old": too_old, "v1_first": first}


def _show_software(screen: Screen, found: dict[str, int]) -> None:
    parts = [
        f"{found['too_old']:,} with software too old for IMDSv2" if found["too_old"] else "",
        f"{found['v1_first']:,} with some that asks v1 first" if found["v1_first"] else "",
    ]
    if any(parts):
        _row(screen, "installed", " · ".join(filter(None, parts)))


def _row(screen: Screen, label: Part, *parts: Part) -> None:
    text, style = (label, "") if isinstance(label, str) else (str(label[0]), str(label[1]))
    screen.line((f"  {text:{_LABEL}}", style), *parts, hang=_LABEL + 2)


def _instances(screen: Screen, posture: Posture, days: int, unseen: int) -> None:
    _row(
        screen,
        (count(posture.total, "instance"), "bold"),
        f"{posture.v2_only:,} V2 only   ",
        (f"{posture.v1_allowed:,} allow IMDSv1", "red" if posture.v1_allowed else "green"),
        f"   {posture.imds_off:,} IMDS off",
        (f"   {count(unseen, 'region')} not read" if unseen else "", "yellow"),
    )
    if posture.v1_allowed:
        parts = [
            f"{posture.v1_called:,} called v1 in the last {count(days, 'day')}",
            f"{posture.v1_quiet:,} quiet",
            f"{posture.v1_no_data:,} no data",
        ]
        if posture.v1_not_watched:
            parts.append(f"{posture.v1_not_watched:,} not watched")
        _row(screen, f"{posture.v1_allowed:,} that allow v1", " · ".join(parts))
    if posture.pending:
        _row(screen, f"{posture.pending:,} pending", "accepted by EC2, not applied yet")


def show_unreadable(screen: Screen, failures: list[Unreadable]) -> None:
    """What could not be read, one line for each account and kind of failure; with -v all of it."""
    by_reason: dict[tuple[Cell, str], list[str]] = defaultdict(list)
    for failure in failures:
        cell = Cell(failure.account, failure.region)
        reason, what = _failure(failure, everything=screen.verbose)
        seen = f" (after {failure.seen:,})" if failure.seen else ""
        by_reason[cell, reason].append(what + seen)
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (cell, reason), parts in by_reason.items():
        told = f"{reason}: {short(dict.fromkeys(parts), 3)}"
        alike[cell.account, told].append(cell.region)
    for number, ((account, told), regions) in enumerate(alike.items()):
        _row(
            screen,
            ("not read" if number == 0 else "", "yellow"),
            f"{_where(account, regions, everything=screen.verbose)}: {told}",
        )


def _where(account: str, regions: list[str], *, everything: bool) -> str:
    """Where something failed in the same way: the regions of one account."""
    if regions == [NOT_THERE]:
        return account
    if len(regions) == 1:
        return f"{regions[0]} in {account}"
    names = ", ".join(regions) if everything else short(regions)
    return f"{account}, {count(len(regions), 'region')} ({names})"


def with_permissions(store: Store, *steps: str) -> list[str]:
    """The next steps, and the missing permissions: first where they left nothing to see."""
    if not any(refusal(failure.why) for failure in unreadable_in(store)):
        return list(steps)
    missing = "imdsctl permissions scan   (what the scan has to be allowed)"
    return [*steps, missing] if store.posture().total else [missing]


def _failure(failure: Unreadable, *, everything: bool) -> tuple[str, str]:
    """Why something was not read, and what, in the words that fit."""
    if everything:
        return failure.why, failure.what
    if denied := refusal(failure.why):
        return "access denied", denied.action or failure.what
    return failure.why.rstrip(". "), failure.what
