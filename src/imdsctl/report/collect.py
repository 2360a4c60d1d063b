"""Reads the store and the journal once and gathers what a report says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from imdsctl import __version__
from imdsctl.judge.images import image_uses
from imdsctl.model.evidence import (
    AccountDefaults,
    Calls,
    Cell,
    Image,
    Instance,
    Reading,
    Recorded,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.plan import Plan
from imdsctl.model.verdict import Verdict
from imdsctl.ports import Journal, Store
from imdsctl.report.data import (
    AsOf,
    CellRow,
    Day,
    DefaultsRow,
    Gap,
    Headline,
    ImageRow,
    InstanceRow,
    PathRow,
    ReportData,
)
from imdsctl.report.grouping import group_reasons
from imdsctl.report.history import plan_view, run_views
from imdsctl.report.limits import limits_of_evidence


def collect(
    store: Store,
    journal: Journal,
    *,
    verdicts: Iterable[Verdict],
    paths: Iterable[tuple[LaunchPath, Verdict]],
    plan: Plan | None,
    now: datetime,
) -> ReportData:
    """Everything that a report says, as of `now`.

    `verdicts` are those of the instances; instances without one are shown without a verdict.
    """
    judged = {(v.account, v.region, v.resource): v for v in verdicts}
    path_list = list(paths)
    readings = store.readings()
    instances: list[InstanceRow] = []
    images = [r for r in store.view("images") if r.item.own and r.item.imds_support is None]
    wanted = {record.item.id for record in images}
    born: list[Instance] = []
    cells = {cell: _Tally(cell) for cell in store.cells()}
    for cell, tally in cells.items():
        calls = {r.item.id: _heard(r.item) for r in store.view("calls", cell)}
        for record in store.view("instances", cell):
            if record.item.state == "terminated":
                continue
            if record.item.image in wanted:
                born.append(record.item)
            row = _row(record, calls.get(record.item.id), judged)
            instances.append(row)
            tally.add(row)
    incomplete = {
        Cell(r.account, r.region) for r in readings if r.what == "instances" and not r.complete
    }
    names = {(i.account, i.region, i.id): i.name for i in instances}
    runs, more = run_views(journal)
    scans = store.scans()
    days = [Day(day=d, v1=v1, rejected=rejected) for d, v1, rejected in store.calls_per_day()]
    data = ReportData(
        generated_at=now.astimezone(UTC),
        tool_version=__version__,
        window_days=scans[0].days if scans else None,
        headline=_headline(store, path_list),
        as_of=_as_of(readings),
        unreadable=_gaps(readings),
        verdicts=dict(Counter(row.verdict or "not judged" for row in instances)),
        cells=sorted(
            (tally.row(partial=cell in incomplete) for cell, tally in cells.items()),
            key=lambda c: (-c.v1_allowed, -c.total, c.account, c.region),
        ),
        calls_per_day=days,
        sections=group_reasons(
            (
                (i.verdict, i.reasons, i.id, i.name, i.account, i.region)
                for i in instances
                if i.verdict
            ),
        ),
        launch_paths=_open_paths(path_list),
        account_defaults=_defaults(store),
        images=_images(store, images, [path for path, _ in path_list], born),
        plan=plan_view(plan, names) if plan else None,
        runs=runs,
        more_runs=more,
        limits=[],
        instances=instances,
    )
    return structs.replace(data, limits=limits_of_evidence(data))


class _Tally:
    """Counts the instances of one cell."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._postures: Counter[str] = Counter()
        self._callers = self._no_data = 0

    def add(self, row: InstanceRow) -> None:
        """Count one instance."""
        self._postures[row.posture] += 1
        self._callers += bool(row.calls or row.rejected)
        self._no_data += row.posture == "v1-allowed" and row.calls is None

    def row(self, *, partial: bool) -> CellRow:
        """The counts."""
        return CellRow(
            account=self._cell.account,
            region=self._cell.region,
            total=self._postures.total(),
            v1_allowed=self._postures["v1-allowed"],
            v2_only=self._postures["v2-only"],
            imds_off=self._postures["imds-off"],
            callers=self._callers,
            no_data=self._no_data,
            partial=partial,
        )


class _Heard(NamedTuple):
    """What is kept of an instance's calls: the days and hours of 20,000 would fill memory."""

    v1: int | None
    rejected: int | None
    last: datetime | None
    coverage: float


def _heard(calls: Calls) -> _Heard:
    last = [m.last_call for m in (calls.v1, calls.rejected) if m and m.last_call]
    return _Heard(
        v1=calls.v1.total if calls.v1 else None,
        rejected=calls.rejected.total if calls.rejected else None,
        last=max(last) if last else None,
        coverage=round(calls.coverage, 3),
    )


def _row(
    record: Recorded[Instance],
    heard: _Heard | None,
    judged: dict[tuple[str, str, str], Verdict],
) -> InstanceRow:
    item = record.item
    verdict = judged.get((item.account, item.region, item.id))
    return InstanceRow(
        id=item.id,
        account=item.account,
        region=item.region,
        name=item.name,
        state=item.state,
        group=item.group,
        posture=item.options.posture,
        http_tokens=item.options.http_tokens,
        http_put_response_hop_limit=item.options.http_put_response_hop_limit,
        http_endpoint=item.options.http_endpoint,
        http_protocol_ipv6=item.options.http_protocol_ipv6,
        instance_metadata_tags=item.options.instance_metadata_tags,
        calls=heard.v1 if heard else None,
        rejected=heard.rejected if heard else None,
        last_call=heard.last if heard else None,
        coverage=heard.coverage if heard else None,
        verdict=verdict.status if verdict else None,
        confidence=verdict.confidence if verdict else None,
        reasons=verdict.reasons if verdict else [],
    )


def _headline(store: Store, paths: Sequence[tuple[LaunchPath, Verdict]]) -> Headline:
    # A launch configuration that no group uses starts nothing.
    used = [path for path, _ in paths if path.kind != "launch-configuration"]
    return Headline(
        **structs.asdict(store.posture()),
        paths=len(used),
        paths_v1=sum(path.effective.posture == "v1-allowed" for path in used),
    )


def _as_of(readings: Iterable[Reading]) -> list[AsOf]:
    times: dict[str, list[datetime]] = defaultdict(list)
    for reading in readings:
        times[reading.what].append(reading.observed_at)
    return [
        AsOf(what=what, oldest=min(at), newest=max(at), cells=len(at)) for what, at in times.items()
    ]


def _gaps(readings: Iterable[Reading]) -> list[Gap]:
    return [
        Gap(
            account=r.account,
            region=r.region,
            what=r.what,
            why=r.why or "the reading was not finished",
            seen=r.count,
            observed_at=r.observed_at,
        )
        for r in readings
        if not r.complete
    ]


def _open_paths(paths: Sequence[tuple[LaunchPath, Verdict]]) -> list[PathRow]:
    rows = []
    for path, verdict in paths:
        if path.effective.posture != "v1-allowed":
            continue
        reason = verdict.reasons[0] if verdict.reasons else None
        if path.launch_configuration:
            source = f"launch configuration {path.launch_configuration}"
        else:
            number = (
                f" (now {path.number})" if path.number and path.version != str(path.number) else ""
            )
            source = (
                f"template {path.template_name or path.template} version {path.version}{number}"
            )
        rows.append(
            PathRow(
                id=path.id,
                kind=path.kind,
                account=path.account,
                region=path.region,
                group=path.group,
                source=source,
                decided_by=path.decided_by,
                members=len(path.members),
                status=verdict.status,
                summary=reason.summary if reason else "",
                fix=reason.fix if reason else "",
            )
        )
    return sorted(rows, key=lambda r: (-r.members, r.account, r.region, r.id))


def _images(
    store: Store,
    images: Sequence[Recorded[Image]],
    paths: Sequence[LaunchPath],
    born: Sequence[Instance],
) -> list[ImageRow]:
    uses = image_uses(
        images, paths, store.view("launch-templates"), store.view("launch-configurations"), born
    )
    rows = [
        ImageRow(
            id=use.image.id,
            account=use.image.account,
            region=use.image.region,
            name=use.image.name,
            launched=use.launched,
            launched_by=use.words(),
        )
        for use in uses
    ]
    return sorted(rows, key=lambda r: (not r.launched, r.account, r.region, r.name, r.id))


def _defaults(store: Store) -> list[DefaultsRow]:
    items: list[AccountDefaults] = [r.item for r in store.view("account-defaults")]
    rows = [
        DefaultsRow(
            account=item.account,
            region=item.region,
            http_tokens=item.options.http_tokens,
            http_put_response_hop_limit=item.options.http_put_response_hop_limit,
            http_endpoint=item.options.http_endpoint,
            instance_metadata_tags=item.options.instance_metadata_tags,
            enforced=item.enforced,
            managed_by=item.managed_by,
        )
        for item in items
    ]
    return sorted(rows, key=lambda r: (r.http_tokens == "required", r.account, r.region))
