"""A scan: every kind of reading in every cell, each whole or with the reason why not."""

import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec import Struct, field

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import (
    Cell,
    Group,
    Instance,
    Item,
    LaunchConfiguration,
    Nodegroup,
    TemplateVersion,
    Unreadable,
)
from imdsctl.ports import Clock, Fleet, Metrics, Store, Watched

EVERY_REGION = "all"
_WRITE_ITEMS = 2000
_SELDOM = 50_000
_EC2, _AUTOSCALING, _CLOUDWATCH = "ec2", "autoscaling", "cloudwatch"
_EKS, _BEANSTALK, _ECS = "eks", "elasticbeanstalk", "ecs"
_SSM = "ssm"


class ScanRequest(Struct, frozen=True, kw_only=True):
    """What to read: accounts, regions (`all` for every enabled one), days of metrics.

    `software` says whether Systems Manager is asked for agents and installed packages.
    """

    accounts: Sequence[str]
    regions: Sequence[str]
    days: int = 14
    software: bool = True
    workers: int = 16


class ScanResult(Struct, kw_only=True):
    """What a scan came to; `unreadable` names everything that it could not read whole."""

    scan: int
    cells: list[Cell] = field(default_factory=list)
    instances: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


CellDone = Callable[[Cell, int], None]
"""Told after each cell: which, and how many instances it has."""


class _Found:
    """What the first readings of a cell tell the later ones to look for."""

    def __init__(self) -> None:
        self.count = 0
        self.watched: list[Watched] = []
        self.images: set[str] = set()
        self.pinned: set[tuple[str, str]] = set()
        self.nodegroups: set[tuple[str, str]] = set()
        self.environments: set[str] = set()
        self.container_groups: set[str] = set()

    def instances(self, page: Iterable[Item]) -> None:
        """Who has metrics worth reading."""
        for item in page:
            if not isinstance(item, Instance) or item.state in ("terminated", "shutting-down"):
                continue
            self.count += 1
            if item.options.http_endpoint != "disabled":
                self.watched.append(Watched(id=item.id, since=item.launched_at))

    def groups(self, page: Iterable[Item]) -> None:
        """Which launch template versions are pinned by number, and which services own groups.

        The owners are asked for by the tags that they put on their groups, so that a region
        without any costs no call.
        """
        for item in page:
            if not isinstance(item, Group):
                continue
            for spec in item.specs:
                if spec.template.version.isdigit():
                    self.pinned.add((spec.template.id, spec.template.version))
            tags = item.tags
            if "eks:nodegroup-name" in tags and "eks:cluster-name" in tags:
                self.nodegroups.add((tags["eks:cluster-name"], tags["eks:nodegroup-name"]))
            if "elasticbeanstalk:environment-name" in tags:
                self.environments.add(tags["elasticbeanstalk:environment-name"])
            if "AmazonECSManaged" in tags:
                self.container_groups.add(item.name)

    def owned(self, page: Iterable[Item]) -> None:
        """Which versions of launch templates their owners gave to EKS node groups."""
        for item in page:
            if isinstance(item, Nodegroup) and item.template and item.template.version.isdigit():
                self.pinned.add((item.template.id, item.template.version))

    def launches(self, page: Iterable[Item]) -> None:
        """Which images are launched."""
        for item in page:
            if isinstance(item, TemplateVersion | LaunchConfiguration) and item.image:
                self.images.update([item.image] if item.image.startswith("ami-") else [])


class Scanner:
    """Reads cells side by side and appends what it finds, one store write at a time."""

    def __init__(
        self, fleet: Fleet, metrics: Metrics, store: Store, clock: Clock, source: str = "aws"
    ) -> None:
        self._fleet = fleet
        self._metrics = metrics
        self._store = store
        self._clock = clock
        self._source = source
        self._lock = threading.Lock()

    def cells(self, request: ScanRequest) -> tuple[list[Cell], list[Unreadable]]:
        """The cells that a request means, and the accounts whose regions could not be listed.

        Raises:
            UsageError: a region that no account has enabled.
        """
        found: list[Cell] = []
        unreadable: list[Unreadable] = []
        enabled_anywhere: set[str] = set()
        for account in request.accounts:
            enabled = self._fleet.regions(account)
            if isinstance(enabled, Unreadable):
                unreadable.append(enabled)
                continue
            enabled_anywhere.update(enabled)
            wanted = enabled if EVERY_REGION in request.regions else request.regions
            found.extend(Cell(account, region) for region in wanted if region in enabled)
        if EVERY_REGION not in request.regions and len(unreadable) < len(request.accounts):
            for region in request.regions:
                if region not in enabled_anywhere:
                    near = [r for r in sorted(enabled_anywhere) if r[:2] == region[:2]]
                    raise UsageError(
                        f"no region {region!r} is enabled for "
                        f"{', '.join(str(a) for a in request.accounts)}",
                        hint="enabled are, for example: "
                        + ", ".join(near or sorted(enabled_anywhere)[:5]),
                    )
        return found, unreadable

    def run(
        self,
        request: ScanRequest,
        caller: str,
        cells: Sequence[Cell],
        unlisted: Sequence[Unreadable],
        done: CellDone,
        *,
        role_name: str | None = None,
    ) -> ScanResult:
        """Read the cells; a failure in one never stops the others."""
        at = self._clock.now()
        result = ScanResult(
            scan=self._store.begin_scan(at, caller, request.days, role_name), cells=list(cells)
        )
        for failure in unlisted:
            cell = Cell(failure.account, failure.region)
            self._record(result, cell, "instances", _EC2, iter([failure]), lambda _: None)
        start = at - timedelta(days=request.days)
        workers = request.workers
        with _seldom_collecting(), ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
            futures = [
                (cell, pool.submit(self._cell, result, request, cell, start, at)) for cell in cells
            ]
            try:
                for cell, future in futures:
                    done(cell, future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._store.end_scan(result.scan, self._clock.now())
        return result

    def _cell(
        self, result: ScanResult, request: ScanRequest, cell: Cell, start: datetime, end: datetime
    ) -> int:
        """All readings of one cell; returns how many instances were seen."""
        found = _Found()
        fleet = self._fleet
        instances = fleet.instances(cell)
        whole = self._record(result, cell, "instances", _EC2, instances, found.instances)
        self._record(result, cell, "groups", _AUTOSCALING, fleet.groups(cell), found.groups)
        self._owners(result, cell, found)
        self._record(
            result,
            cell,
            "launch-templates",
            _EC2,
            fleet.launch_templates(cell, sorted(found.pinned)),
            found.launches,
        )
        self._record(
            result,
            cell,
            "launch-configurations",
            _AUTOSCALING,
            fleet.launch_configurations(cell),
            found.launches,
        )
        self._record(
            result,
            cell,
            "images",
            _EC2,
            fleet.images(cell, sorted(found.images), own=True),
            lambda _: None,
        )
        defaults = fleet.account_defaults(cell)
        one = iter([defaults if isinstance(defaults, Unreadable) else [defaults]])
        self._record(result, cell, "account-defaults", _EC2, one, lambda _: None)
        calls = self._metrics.calls(cell, found.watched, start, end)
        self._record(result, cell, "calls", _CLOUDWATCH, calls, lambda _: None)
        # Where nothing runs, Systems Manager has nothing to tell that anybody would ask for.
        wanted = request.software and (found.count > 0 or not whole)
        software = fleet.software(cell) if wanted else iter(())
        self._record(result, cell, "software", _SSM, software, lambda _: None)
        with self._lock:
            result.instances += found.count
        return found.count

    def _owners(self, result: ScanResult, cell: Cell, found: _Found) -> None:
        """The services that own some of the groups."""
        fleet = self._fleet
        owners: tuple[tuple[str, str, Iterator[Sequence[Item] | Unreadable]], ...] = (
            ("nodegroups", _EKS, fleet.nodegroups(cell, sorted(found.nodegroups))),
            ("environments", _BEANSTALK, fleet.environments(cell, sorted(found.environments))),
            (
                "capacity-providers",
                _ECS,
                fleet.capacity_providers(cell, sorted(found.container_groups)),
            ),
        )
        for what, source, pages in owners:
            self._record(result, cell, what, source, pages, found.owned)

    def _flush(self, reading: int, waiting: list[Item]) -> None:
        """Write what has gathered; each write is a transaction, so small pages wait for more."""
        if waiting:
            with self._lock:
                self._store.add(reading, waiting)
            waiting.clear()

    def _record(
        self,
        result: ScanResult,
        cell: Cell,
        what: str,
        source: str,
        pages: Iterator[Sequence[Item] | Unreadable],
        on_page: Callable[[Iterable[Item]], None],
    ) -> bool:
        """Append one reading page by page, and close it with what became of it: whether whole."""
        at = self._clock.now()
        with self._lock:
            reading = self._store.begin_reading(result.scan, cell, what, source, at)
        failure: Unreadable | None = None
        waiting: list[Item] = []
        for page in pages:
            if isinstance(page, Unreadable):
                failure = page
                continue
            on_page(page)
            waiting.extend(page)
            if len(waiting) >= _WRITE_ITEMS:
                self._flush(reading, waiting)
        self._flush(reading, waiting)
        with self._lock:
            self._store.end_reading(
                reading, complete=failure is None, why=failure.why if failure else None
            )
            if failure is not None:
                result.unreadable.append(
                    Unreadable(
                        account=cell.account,
                        region=cell.region,
                        what=what,
                        why=failure.why,
                        seen=failure.seen,
                    )
                )
        return failure is None


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cyclic garbage less often, as long as the block runs.

    A scan makes objects by the hundred thousand, and next to none in cycles; by its usual measure
    the collector would look through them all the time, for a tenth of a scan's CPU time. What is
    there already, mostly modules and service models, stays to the end of the process and is not
    looked at again, not even then; once, so that nothing else can add up.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
