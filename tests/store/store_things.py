"""Instances, calls, plans and a clock for the store's tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imdsctl.model.evidence import (
    Calls,
    Cell,
    Instance,
    Item,
    Metric,
    Recorded,
    TemplateVersion,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change, Plan, Wave
from imdsctl.model.verdict import Reason, Status, Verdict
from imdsctl.store import open_store
from imdsctl.store.store import SqlStore

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
IRELAND = Cell("111111111111", "eu-west-1")
OHIO = Cell("222222222222", "us-east-2")


class SteppingClock:
    """A clock that goes on by a second with every look at it."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def instance(
    number: int,
    *,
    cell: Cell = IRELAND,
    name: str = "",
    tokens: str = "optional",
    endpoint: str = "enabled",
    state: str = "running",
    change: str = "applied",
) -> Instance:
    return Instance(
        id=f"i-{number:017x}",
        account=cell.account,
        region=cell.region,
        state=state,
        options=MetadataOptions(
            http_tokens=tokens,
            http_put_response_hop_limit=1,
            http_endpoint=endpoint,
            http_protocol_ipv6="disabled",
            instance_metadata_tags="disabled",
            state=change,
        ),
        launched_at=NOON - timedelta(days=30),
        name=name,
        tags={"Name": name} if name else {},
    )


def calls(
    number: int,
    *,
    cell: Cell = IRELAND,
    v1: list[int] | None = None,
    rejected: list[int] | None = None,
    start: datetime = NOON - timedelta(days=3),
) -> Calls:
    def metric(per_day: list[int] | None) -> Metric | None:
        if per_day is None:
            return None
        return Metric(total=sum(per_day), hours_with_data=24 * len(per_day), per_day=per_day)

    return Calls(
        id=f"i-{number:017x}",
        account=cell.account,
        region=cell.region,
        window_start=start,
        window_end=start + timedelta(days=3),
        hours_running=72,
        v1=metric(v1),
        rejected=metric(rejected),
    )


def template(number: int, *, name: str = "base", at: datetime | None = None) -> TemplateVersion:
    return TemplateVersion(
        template_id="lt-1",
        template_name=name,
        account=IRELAND.account,
        region=IRELAND.region,
        number=number,
        created_at=at,
    )


def verdict(number: int, status: Status = "ready") -> Verdict:
    return Verdict(
        resource=f"i-{number:017x}",
        account=IRELAND.account,
        region=IRELAND.region,
        status=status,
        confidence="high",
        reasons=[Reason(rule="quiet", summary="Nothing called.", evidence=["e1"])],
    )


def sealed_plan(reason: str = "quiet for 14 days") -> Plan:
    change = Change(
        id="c1",
        kind="instance-options",
        resource=instance(1).id,
        account=IRELAND.account,
        region=IRELAND.region,
        before={"http_tokens": "optional"},
        after={"http_tokens": "required"},
        inverse={"http_tokens": "optional"},
        reason=reason,
    )
    return Plan(
        created_at=NOON,
        scanned_at=NOON,
        caller="arn:aws:iam::111111111111:user/ada",
        instances=1,
        waves=[Wave(number=0, name="disposable", changes=[change], canaries=["c1"])],
        held=[],
    ).sealed()


def look(
    store: SqlStore,
    what: str,
    items: Sequence[Item],
    *,
    cell: Cell = IRELAND,
    whole: bool = True,
    why: str | None = None,
    scan: int | None = None,
) -> int:
    """One reading from beginning to end; `why` makes it an incomplete one."""
    if scan is None:
        scan = store.begin_scan(NOON, "ada", 14)
    reading = store.begin_reading(scan, cell, what, "ec2", NOON, whole=whole)
    store.add(reading, items)
    store.end_reading(reading, complete=why is None, why=why)
    return reading


def seen(store: SqlStore, what: str = "instances", cell: Cell | None = None) -> set[str]:
    """The names (or ids, without one) in the current view."""
    return {called(recorded) for recorded in store.view(what, cell)}


def called(recorded: Recorded[Item]) -> str:
    return getattr(recorded.item, "name", "") or recorded.item.id


def reopened(address: str) -> SqlStore:
    return open_store(address, create=False, clock=SteppingClock())


CHILD = """
import sys
from store_things import SteppingClock, sealed_plan
from imdsctl.store import open_store
store = open_store(sys.argv[1], clock=SteppingClock())
"""
"""What a child process starts with: the store at its first argument."""


def child(script: str, address: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
