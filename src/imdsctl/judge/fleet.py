"""A whole cell judged at once: its instances in the light of their siblings, then its paths."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from imdsctl.judge.facts import InstanceFacts, PathFacts, Siblings, is_mature, saw_boot
from imdsctl.judge.installed import fresh_software
from imdsctl.judge.instances import judge_instance
from imdsctl.judge.launch import judge_path
from imdsctl.judge.owners import environment_names, environments_by_group
from imdsctl.judge.paths import PathFinder
from imdsctl.judge.traced import fresh, v1_first_explains
from imdsctl.model.cell import CellEvidence, FailedGate, JudgedCell
from imdsctl.model.evidence import (
    Calls,
    Instance,
    Recorded,
    Trace,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.policy import Exemption, Policy


def judge_cell(evidence: CellEvidence, policy: Policy, now: datetime) -> JudgedCell:
    """Judge every instance and every launch path of a cell; pure."""
    # In an order of their own, so that the same evidence always gives the same words.
    present = sorted(
        (r for r in evidence.instances if r.item.state not in ("terminated", "shutting-down")),
        key=lambda r: r.item.id,
    )
    finder = PathFinder(
        templates=evidence.templates,
        configurations=evidence.configurations,
        groups=evidence.groups,
        defaults=evidence.defaults,
        images=evidence.images,
        instances=[record.item for record in present],
        nodegroups=evidence.nodegroups,
    )
    paths = finder.paths()
    paths_of_group: dict[str, list[LaunchPath]] = defaultdict(list)
    for path in paths:
        if path.group:
            paths_of_group[path.group].append(path)
    traces = {
        i: kept for i, t in evidence.traces.items() if (kept := fresh(t, now, policy)) is not None
    }
    siblings = _siblings(present, evidence.calls, traces, policy)
    verdicts = {
        record.item.id: judge_instance(
            InstanceFacts(
                record=record,
                now=now,
                policy=policy,
                calls=evidence.calls.get(record.item.id),
                calls_unreadable=evidence.unreadable.get("calls"),
                siblings=siblings.get(_origin(record.item)),
                paths=tuple(paths_of_group.get(record.item.group or "", ())),
                exemption=exemption_for(record.item, policy.exemptions),
                failed_gate=evidence.failed_gates.get(record.item.id),
                trace=traces.get(record.item.id),
                software=fresh_software(evidence.software.get(record.item.id), now, policy),
            )
        )
        for record in present
    }
    by_id = {record.item.id: record.item for record in present}
    memory = timedelta(days=policy.judge.remember_days)
    remembered = {k: g for k, g in evidence.failed_gates.items() if now - g.at <= memory}
    environments = environments_by_group(evidence)
    judged = [
        judge_path(
            PathFacts(
                path=path,
                siblings=_path_siblings(path, siblings, by_id),
                members={m: verdicts[m] for m in path.members if m in verdicts},
                unreadable=evidence.unreadable,
                failed_gate=_failed_gate(path, remembered)
                or remembered.get(environment_names(evidence).get(path.group or "", "")),
                environment=environments.get(path.group or ""),
            )
        )
        for path in paths
    ]
    return JudgedCell(evidence=evidence, instances=verdicts, paths=judged)


def _failed_gate(path: LaunchPath, remembered: Mapping[str, FailedGate]) -> FailedGate | None:
    """What a run had to take back of the path's group, or of the node group that owns it."""
    owner = path.nodegroup.id if path.nodegroup else ""
    return remembered.get(path.group or "") or remembered.get(owner)


def exemption_for(instance: Instance, exemptions: Iterable[Exemption]) -> Exemption | None:
    """The exemption whose `resource` matches the instance's id, name or group.

    Of several, the one that lasts longest: a renewal may stand below what it renews.
    """
    names = (instance.id, instance.name, instance.group or "")
    matching = [e for e in exemptions if any(n and fnmatchcase(n, e.resource) for n in names)]
    return max(matching, key=lambda e: e.expires, default=None)


def _origin(instance: Instance) -> str:
    """What an instance shares with its siblings: its group, else its template, else nothing."""
    if instance.group:
        return f"group {instance.group}"
    if instance.template:
        return f"template {instance.template.id}"
    return f"instance {instance.id}"


def _siblings(
    records: Iterable[Recorded[Instance]],
    calls: Mapping[str, Recorded[Calls]],
    traces: Mapping[str, Recorded[Trace]],
    policy: Policy,
) -> dict[str, Siblings]:
    callers: dict[str, list[str]] = defaultdict(list)
    evidence: dict[str, list[str]] = defaultdict(list)
    quiet: dict[str, int] = defaultdict(int)
    booted: dict[str, int] = defaultdict(int)
    origins = set()
    for record in records:
        instance, origin = record.item, _origin(record.item)
        origins.add(origin)
        observed = calls.get(instance.id)
        if observed is None:
            continue
        seen = observed.item
        total = (seen.v1.total if seen.v1 else 0) + (seen.rejected.total if seen.rejected else 0)
        trace = traces.get(instance.id)
        if total and not v1_first_explains(trace.item if trace else None, seen, policy):
            callers[origin].append(instance.id)
            evidence[origin].append(observed.id)
        else:
            quiet[origin] += is_mature(seen, policy)
            booted[origin] += saw_boot(instance, seen)
    return {
        origin: Siblings(
            callers=tuple(callers[origin]),
            quiet=quiet[origin],
            booted_quiet=booted[origin],
            evidence=tuple(evidence[origin][:3]),
        )
        for origin in origins
    }


def _path_siblings(
    path: LaunchPath, siblings: Mapping[str, Siblings], instances: Mapping[str, Instance]
) -> Siblings:
    if path.group:
        return siblings.get(f"group {path.group}", Siblings())
    member = next((instances[m] for m in path.members if m in instances), None)
    return siblings.get(_origin(member), Siblings()) if member else Siblings()
