"""`imdsctl scan`."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from imdsctl.cli import posture
from imdsctl.cli.common import Common, Output, RoleName, listed
from imdsctl.cli.screen import Screen, count, joined
from imdsctl.cli.tracefiles import read_traces
from imdsctl.cli.wiring import aws, opened
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.evidence import Cell, Instance
from imdsctl.ports import Store
from imdsctl.scan.run import EVERY_REGION, CellDone, Scanner, ScanRequest
from imdsctl.scan.traces import store_traces

_LONGEST_DAYS = 455


def scan(
    *,
    regions: str | None = None,
    accounts: str | None = None,
    role_name: RoleName = None,
    days: int | None = None,
    software: bool | None = None,
    traces: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    workers: Annotated[int, Parameter(show=False)] = 16,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Read accounts and regions into the store.

    Args:
        regions: Comma-separated, or `all` for every enabled one.
        accounts: Comma-separated account ids beside the caller's own; needs --role-name.
        role_name: The role to assume in those accounts.
        days: How many days of IMDSv1 metrics to read, 1 to 455; 14 unless `scan.days` says
            otherwise.
        software: Whether to ask Systems Manager for agents and installed packages that are too
            old; on unless `scan.software` says otherwise.
        traces: Logs of `imdsctl host trace` or AWS's packet analyzer, named after their instance.
        workers: How many accounts × regions to read at a time.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common, create=True) as desk:
        settings = desk.policy.scan
        window = days if days is not None else settings.days
        if not 1 <= window <= _LONGEST_DAYS:
            raise UsageError(
                f"--days {window} makes no sense",
                detail=f"CloudWatch keeps 1 to {_LONGEST_DAYS} days",
                hint="14 is the default, 35 also sees the turn of a month",
            )
        host_traces = read_traces(traces or ())
        role = role_name or settings.role_name
        others = listed(accounts) or settings.accounts
        reach = aws(desk, role, others)
        own, caller = reach.fleet.caller()
        others = [account for account in dict.fromkeys(others) if account != own]
        if others and not role:
            raise UsageError(
                "reading other accounts needs a role to assume in them",
                hint="add --role-name NAME, the same role name in every account",
            )
        request = ScanRequest(
            accounts=[own, *others],
            regions=listed(regions) or settings.regions or [EVERY_REGION],
            days=window,
            software=settings.software if software is None else software,
            workers=workers,
        )
        scanner = Scanner(reach.fleet, reach.metrics, desk.store, desk.clock)
        cells, unlisted = scanner.cells(request)
        with _progress(screen, cells) as done:
            found = scanner.run(request, caller, cells, unlisted, done, role_name=role)
        kept = store_traces(desk.store, desk.clock, found.scan, host_traces)
        if output == "json":
            answer = posture.document(desk.store)
            screen.json("scan", answer)
            whole = bool(answer["complete"])
        else:
            whole = posture.show(screen, desk.store)
            caller_id = _loudest(desk.store)
            screen.next(
                *posture.with_permissions(
                    desk.store,
                    "imdsctl plan -f plan.json",
                    *([f"imdsctl explain {caller_id}   (it calls v1 most)"] if caller_id else []),
                )
            )
    if kept.unknown:
        screen.note(
            ("traces left out  ", "yellow"),
            f"of {joined(kept.unknown)}: no such instance in what was read",
            hang=2,
        )
        return Exit.INCOMPLETE
    if not whole:
        screen.note(
            ("exit 3: incomplete", "yellow"), ', see "not read"; what could be read is stored'
        )
        if any(one.what == "software" for one in found.unreadable):
            screen.note(
                "Systems Manager names software that is too old, and decides nothing alone: allow "
                "ssm:GetInventory (imdsctl permissions scan), or leave it out with --no-software",
                hang=2,
            )
        return Exit.INCOMPLETE
    return Exit.OK


def _loudest(store: Store) -> str | None:
    """Of the instances that still allow IMDSv1, the one that calls it most."""
    calls = ((r.item.v1.total if r.item.v1 else 0, str(r.item.id)) for r in store.view("calls"))
    for _, instance in sorted((one for one in calls if one[0]), reverse=True):
        known = [r.item for r in store.find(instance) if isinstance(r.item, Instance)]
        if any(item.options.posture == "v1-allowed" for item in known):
            return instance
    return None


@contextlib.contextmanager
def _progress(screen: Screen, cells: list[Cell]) -> Iterator[CellDone]:
    """A progress bar on a terminal, nothing elsewhere."""
    accounts, regions = len({c.account for c in cells}), len({c.region for c in cells})
    if screen.quiet or not screen.err.is_terminal:
        yield lambda _cell, _found: None
        return
    text = f"Reading {count(accounts, 'account')} × {count(regions, 'region')}"
    with Progress(
        TextColumn(text),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[found]:,} instances"),
        TimeElapsedColumn(),
        console=screen.err,
        transient=False,
    ) as progress:
        task = progress.add_task("", total=len(cells), found=0)
        total = 0

        def done(_cell: Cell, found: int) -> None:
            nonlocal total
            total += found
            progress.update(task, advance=1, found=total)

        yield done
