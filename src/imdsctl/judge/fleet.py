"""A whole cell judged at once: its instances in the light of their siblings, then its paths."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import structs

from imdsctl.judge.facts import InstanceFacts, PathFacts, Siblings, is_mature, saw_boot
from imdsctl.judge.failures import held_until, mended_for, remembered, without_the_failure
from imdsctl.judge.installed import fresh_software
from imdsctl.judge.instances import judge_instance
from imdsctl.judge.launch import judge_path
from imdsctl.judge.names import instance_names, means, path_names
from imdsctl.judge.owners import environment_names, environment_templates, environments_by_group
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
from imdsctl.model.policy import Exemption, Mended, Policy


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
    mended = {
        record.item.id: word
        for record in present
        if (failed := evidence.failed_gates.get(record.item.id))
        and (word := mended_for(instance_names(record.item), failed, policy, now))
    }
    calls = _calls(evidence, mended)
    siblings = _siblings(present, calls, traces, policy)
    verdicts = {
        record.item.id: judge_instance(
            InstanceFacts(
                record=record,
                now=now,
                policy=policy,
                calls=calls.get(record.item.id),
                calls_unreadable=evidence.unreadable.get("calls"),
                siblings=siblings.get(_origin(record.item)),
                paths=tuple(paths_of_group.get(record.item.group or "", ())),
                exemption=exemption_for(record.item, policy.exemptions),
                failed_gate=evidence.failed_gates.get(record.item.id),
                mended=mended.get(record.item.id),
                trace=traces.get(record.item.id),
                software=fresh_software(evidence.software.get(record.item.id), now, policy),
            )
        )
        for record in present
    }
    by_id = {record.item.id: record.item for record in present}
    environments, names = environments_by_group(evidence), environment_names(evidence)
    templates = environment_templates(evidence)
    judged = []
    for path in paths:
        failed = _failed_gate(path, names, evidence, policy, now)
        judged.append(
            judge_path(
                PathFacts(
                    path=path,
                    siblings=_path_siblings(path, siblings, by_id),
                    members={m: verdicts[m] for m in path.members if m in verdicts},
                    unreadable=evidence.unreadable,
                    failed_gate=failed,
                    held_until=held_until(failed, policy) if failed else "",
                    mended=mended_for(path_names(path, names), failed, policy, now),
                    environment=environments.get(path.group or ""),
                    template_of=None if path.group else templates.get(path.template or ""),
                )
            )
        )
    return JudgedCell(evidence=evidence, instances=verdicts, paths=judged)


def _calls(evidence: CellEvidence, mended: Mapping[str, Mended]) -> Mapping[str, Recorded[Calls]]:
    """The calls, of what was mended less those that were its failure."""
    changed = {
        i: structs.replace(
            evidence.calls[i],
            item=without_the_failure(evidence.calls[i].item, evidence.failed_gates[i]),
        )
        for i in mended
        if i in evidence.calls
    }
    return {**evidence.calls, **changed} if changed else evidence.calls


def _failed_gate(
    path: LaunchPath,
    environments: Mapping[str, str],
    evidence: CellEvidence,
    policy: Policy,
    now: datetime,
) -> FailedGate | None:
    """What a run had to take back of the path's group, or of the service that owns it."""
    found = (evidence.failed_gates.get(name or "") for name in path_names(path, environments))
    known = [gate for gate in found if remembered(gate, now, policy)]
    return max((gate for gate in known if gate), key=lambda gate: gate.at, default=None)


def exemption_for(instance: Instance, exemptions: Iterable[Exemption]) -> Exemption | None:
    """The exemption whose `resource` matches the instance's id, name or group.

    Of several, the one that lasts longest: a renewal may stand below what it renews.
    """
    names = instance_names(instance)
    matching = [e for e in exemptions if means(e.resource, names)]
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
