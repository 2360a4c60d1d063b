"""A hand-made fleet with every case in it, and the smallest store and journal that can hold it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import (
    AccountDefaults,
    Calls,
    Cell,
    Instance,
    Item,
    Metric,
    Reading,
    Recorded,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change, Held, Plan, Wave
from imdsctl.model.run import Entry, Event, RunState, RunSummary
from imdsctl.model.verdict import Reason, Status, Verdict
from imdsctl.ports import Journal, Posture, ScanRecord, Store

NOW = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
START = NOW - timedelta(days=14)
PROD, TEST = "111111111111", "222222222222"
OPTIONAL = MetadataOptions(
    http_tokens="optional",
    http_put_response_hop_limit=1,
    http_endpoint="enabled",
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
    state="applied",
)
REQUIRED = MetadataOptions(
    http_tokens="required",
    http_put_response_hop_limit=2,
    http_endpoint="enabled",
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
    state="applied",
)
OFF = MetadataOptions(
    http_tokens="optional",
    http_put_response_hop_limit=1,
    http_endpoint="disabled",
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
    state="applied",
)
HOSTILE = "<script>alert(1)</script>"


class MemoryStore:
    """The part of the Store port that a report reads, in memory."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, Cell], list[Recorded[Any]]] = {}
        self.kept_readings: list[Reading] = []
        self.days: list[tuple[str, int, int]] = []
        self.kept_scans: list[ScanRecord] = []
        self._next = 0

    def hold(self, what: str, cell: Cell, items: Iterable[Item], why: str | None = None) -> None:
        """Keep one reading."""
        records = []
        for item in items:
            self._next += 1
            records.append(
                Recorded(id=f"e{self._next}", kind=what, source="ec2", observed_at=NOW, item=item)
            )
        self.items[what, cell] = records
        self.kept_readings.append(
            Reading(
                scan=1,
                account=cell.account,
                region=cell.region,
                what=what,
                observed_at=NOW,
                complete=why is None,
                count=len(records),
                why=why,
            )
        )

    def readings(self) -> list[Reading]:
        return self.kept_readings

    def scans(self) -> list[ScanRecord]:
        return self.kept_scans

    def cells(self) -> list[Cell]:
        return list(dict.fromkeys(cell for _, cell in self.items))

    def view(self, what: str, cell: Cell | None = None) -> Iterator[Recorded[Any]]:
        for (kind, where), records in self.items.items():
            if kind == what and cell in (None, where):
                yield from records

    def posture(self) -> Posture:
        rows = [r.item for r in self.view("instances") if r.item.state != "terminated"]
        v1 = [i for i in rows if i.options.posture == "v1-allowed"]
        calls = {r.item.id: r.item for r in self.view("calls")}
        heard = [calls.get(i.id) for i in v1]
        return Posture(
            total=len(rows),
            v1_allowed=len(v1),
            v2_only=sum(i.options.posture == "v2-only" for i in rows),
            imds_off=sum(i.options.posture == "imds-off" for i in rows),
            pending=sum(i.options.state == "pending" for i in rows),
            v1_called=sum(bool(c and c.v1 and c.v1.total) for c in heard),
            v1_quiet=sum(bool(c and c.v1 and not c.v1.total) for c in heard),
            v1_no_data=sum(bool(c and not c.v1) for c in heard),
            v1_not_watched=sum(c is None for c in heard),
        )

    def calls_per_day(self) -> list[tuple[str, int, int]]:
        return self.days


class MemoryJournal:
    """The part of the Journal port that a report reads, in memory."""

    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan
        self.kept: dict[str, list[Entry]] = {}
        self.states: dict[str, RunState] = {}

    def tell(self, run: str, state: RunState, *events: tuple[Event, str, str]) -> None:
        """Keep a run's entries: (event, subject, detail)."""
        self.states[run] = state
        self.kept[run] = [
            Entry(seq=n, run=run, at=NOW, event=event, subject=subject, data={"detail": detail})
            for n, (event, subject, detail) in enumerate(events, 1)
        ]

    def runs(self) -> list[RunSummary]:
        digest = self.plan.digest if self.plan else "0" * 64
        return [
            RunSummary(id=run, started_at=NOW, digest=digest, state=state)
            for run, state in self.states.items()
        ]

    def entries(self, run: str) -> list[Entry]:
        return self.kept[run]

    def plan_of(self, run: str) -> Plan:
        if self.plan is None:
            raise UsageError(f"there is no run {run}")
        return self.plan


class World:
    """Everything that `collect` asks for."""

    def __init__(
        self,
        store: MemoryStore,
        journal: MemoryJournal,
        verdicts: list[Verdict],
        paths: list[tuple[LaunchPath, Verdict]],
        plan: Plan | None,
    ) -> None:
        self.memory = store
        self.verdicts, self.paths, self.plan = verdicts, paths, plan
        # The rest of the ports belongs to scans and applies, which no report starts.
        self.store, self.journal = cast("Store", store), cast("Journal", journal)


def instance(number: int, cell: Cell, options: MetadataOptions, **more: Any) -> Instance:
    return Instance(
        id=f"i-{number:017x}",
        account=cell.account,
        region=cell.region,
        state=more.pop("state", "running"),
        options=options,
        launched_at=START - timedelta(days=90),
        **more,
    )


def calls(item: Instance, v1: int | None, rejected: int | None = None) -> Calls:
    def metric(total: int | None) -> Metric | None:
        if total is None:
            return None
        return Metric(
            total=total,
            hours_with_data=330,
            hours_with_calls=min(total, 300),
            last_call=NOW - timedelta(hours=3) if total else None,
        )

    return Calls(
        id=item.id,
        account=item.account,
        region=item.region,
        window_start=START,
        window_end=NOW,
        hours_running=336,
        v1=metric(v1),
        rejected=metric(rejected),
    )


def verdict(item: Instance, status: Status, rule: str, summary: str, fix: str = "") -> Verdict:
    return Verdict(
        resource=item.id,
        account=item.account,
        region=item.region,
        status=status,
        confidence="high",
        reasons=[Reason(rule=rule, summary=summary, fix=fix, evidence=["e1"])],
    )


FIX_CALLS = (
    "Find the caller with `imdsctl host trace` on the instance, update its SDK or make its "
    "script fetch a token, then scan again."
)


def demo_world() -> World:
    """Three cells, one of them unreadable; callers, silence, no data, a plan, two runs."""
    store = MemoryStore()
    eu, us, south = Cell(PROD, "eu-west-1"), Cell(TEST, "us-east-1"), Cell(TEST, "eu-south-2")
    verdicts: list[Verdict] = []
    heard: list[Calls] = []
    fleet: list[Instance] = []
    for n in range(18):
        item = instance(n, eu, REQUIRED, name=f"web-{n}", group="web")
        fleet.append(item)
        heard.append(calls(item, None, 3 if n == 4 else 0))
        verdicts.append(verdict(item, "done", "v2-only", "Only IMDSv2 is answered."))
    for n in range(18, 34):
        item = instance(n, eu, OPTIONAL, name=f"batch-{n}", group="batch-workers")
        fleet.append(item)
        heard.append(calls(item, 164 + n))
        summary = f"{164 + n} IMDSv1 calls in 14 days, around the clock."
        verdicts.append(verdict(item, "blocked", "calls-seen", summary, FIX_CALLS))
    for n in range(34, 40):
        item = instance(n, eu, OPTIONAL, name=f"quiet-{n}")
        fleet.append(item)
        heard.append(calls(item, 0))
        summary = "No IMDSv1 call in the window, with data throughout."
        verdicts.append(verdict(item, "ready", "quiet", summary))
    off = instance(40, eu, OFF, name="bastion")
    fleet.append(off)
    verdicts.append(verdict(off, "done", "imds-off", "The metadata service is off."))
    gone = instance(41, eu, OPTIONAL, name="long-gone", state="terminated")
    fleet.append(gone)
    store.hold("instances", eu, fleet)
    store.hold("calls", eu, heard)
    silent = [instance(n, us, OPTIONAL, name=f"silent-{n}") for n in range(50, 55)]
    exempt = instance(60, us, OPTIONAL, name="legacy-appliance")
    hostile = instance(61, us, OPTIONAL, name=HOSTILE)
    store.hold("instances", us, [*silent, exempt, hostile])
    store.hold("calls", us, [*(calls(i, None) for i in silent), calls(exempt, 9)])
    verdicts += [
        verdict(
            item,
            "unknown",
            "no-data",
            "CloudWatch has no MetadataNoToken data point for it. No data is not zero.",
            "Watch it on the host (`imdsctl host trace`), or find out why it has no metrics.",
        )
        for item in [*silent, hostile]
    ]
    verdicts.append(
        verdict(exempt, "exempt", "exempted", "Exempt until 2027-03-31: vendor image (ops).")
    )
    store.hold(
        "instances", south, [], why="UnauthorizedOperation: not allowed (ec2:DescribeInstances)"
    )
    defaults = MetadataOptions()
    store.hold("account-defaults", eu, [AccountDefaults(account=PROD, region="eu-west-1")])
    store.hold(
        "account-defaults",
        us,
        [
            AccountDefaults(
                account=TEST,
                region="us-east-1",
                options=MetadataOptions(http_tokens="required", http_put_response_hop_limit=2),
                enforced="enabled",
                managed_by="declarative-policy",
            )
        ],
    )
    store.days = [
        (f"{START + timedelta(days=d):%Y-%m-%d}", 180 + 37 * (d % 5), 3 * (d > 10))
        for d in range(14)
    ]
    store.kept_scans = [
        ScanRecord(id=1, started_at=NOW, finished_at=NOW, caller="arn:aws:iam::1:user/x", days=14)
    ]
    path = LaunchPath(
        id="group/batch-workers",
        kind="group",
        account=PROD,
        region="eu-west-1",
        effective=OPTIONAL,
        explicit=defaults,
        decided_by="template",
        group="batch-workers",
        template="lt-0f00000000000001",
        template_name="batch",
        version="5",
        number=5,
        members=[i.id for i in fleet[18:34]],
    )
    path_verdict = Verdict(
        resource=path.id,
        account=PROD,
        region="eu-west-1",
        status="ready",
        confidence="high",
        reasons=[
            Reason(rule="path", summary="Version 5 is pinned and optional.", fix="The freeze.")
        ],
    )
    ready = fleet[34:40]
    plan = Plan(
        created_at=NOW,
        scanned_at=NOW,
        caller="arn:aws:iam::111111111111:user/x",
        instances=48,
        waves=[
            Wave(
                number=-1,
                name="freeze",
                changes=[
                    Change(
                        id="c1",
                        kind="account-defaults",
                        resource=f"{PROD}/eu-west-1",
                        account=PROD,
                        region="eu-west-1",
                        before={},
                        after={"http_tokens": "required", "http_put_response_hop_limit": 2},
                        inverse={"http_tokens": "no-preference"},
                        reason="New launches get V2 only where nothing else decides.",
                    )
                ],
                soak_seconds=0,
            ),
            Wave(
                number=0,
                name="disposable",
                canaries=["c2", "c3"],
                changes=[
                    Change(
                        id=f"c{n}",
                        kind="instance-options",
                        resource=item.id,
                        name=item.name,
                        account=PROD,
                        region="eu-west-1",
                        before={"options": {"http_tokens": "optional"}},
                        after={"options": {"http_tokens": "required"}},
                        inverse={"options": {"http_tokens": "optional"}},
                        reason="Quiet for 14 days, with data throughout.",
                        gates=["rejected", "status"],
                    )
                    for n, item in enumerate(ready, 2)
                ],
            ),
        ],
        held=[
            Held(
                resource=v.resource,
                account=v.account,
                region=v.region,
                status=v.status,
                reasons=v.reasons,
            )
            for v in verdicts
            if v.status in ("blocked", "unknown", "exempt")
        ],
    ).sealed()
    journal = MemoryJournal(plan)
    journal.tell(
        "20261121-1409-7c41",
        "stopped",
        ("started", "", ""),
        ("intent", "c1", ""),
        ("applied", "c1", ""),
        ("intent", "c2", ""),
        ("applied", "c2", ""),
        ("intent", "c3", ""),
        ("applied", "c3", ""),
        ("gate-waiting", "wave 0 canaries", ""),
        ("gate-failed", "wave 0 canaries", "3 rejected v1 calls from quiet-35"),
        ("undo-intent", "c3", ""),
        ("undone", "c3", "rolled back to tokens optional, hop 1, as recorded"),
        ("intent", "c4", ""),
        ("stopped", "", ""),
    )
    return World(store, journal, verdicts, [(path, path_verdict)], plan)


def empty_world() -> World:
    """A store in which nothing was ever read."""
    return World(MemoryStore(), MemoryJournal(None), [], [], None)


def large_world(size: int) -> World:
    """One cell with `size` instances on v1, each with its own numbers in its reason."""
    store = MemoryStore()
    cell = Cell(PROD, "eu-west-1")
    fleet = [instance(n, cell, OPTIONAL, name=f"worker-{n}") for n in range(size)]
    store.hold("instances", cell, fleet)
    store.hold("calls", cell, [calls(i, n + 1) for n, i in enumerate(fleet)])
    verdicts = [
        verdict(i, "blocked", "calls-seen", f"{n + 1:,} IMDSv1 calls in 14 days.", FIX_CALLS)
        for n, i in enumerate(fleet)
    ]
    return World(store, MemoryJournal(None), verdicts, [], None)
