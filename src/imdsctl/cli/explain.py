"""`imdsctl explain`."""

from typing import Any

import msgspec
from msgspec import structs

from imdsctl.cli.common import Common, Output
from imdsctl.cli.explain_settings import EVERY_DEFAULT, settings
from imdsctl.cli.screen import POSTURES, STYLES, Screen, at, count, joined
from imdsctl.cli.wiring import Desk, need_scan, opened
from imdsctl.judge.installed import old_on
from imdsctl.judge.owners import environment_names, environments_by_group, providers_by_group
from imdsctl.model.cell import JudgedCell
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.evidence import Calls, Cell, Instance, Metric, Recorded, Software, Trace
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import MetadataOptions
from imdsctl.model.verdict import Verdict
from imdsctl.planner.build import build_plan
from imdsctl.planner.draft import held_back
from imdsctl.scan.judged import judge_store

_SHOWN = 20
"""Documents that a table shows; there may be one for every account and region."""


def explain(
    resource: str,
    /,
    *,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Everything known of one resource, its verdict, why, and what to do.

    Args:
        resource: An instance id or name, a group, an EKS node group, a launch template id or name,
            a launch path as the plan names it, an image, account-defaults, or account/region.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        need_scan(desk)
        everywhere = resource == EVERY_DEFAULT
        found = list(desk.store.view("account-defaults")) if everywhere else _find(desk, resource)
        if not found:
            raise UsageError(
                f"nothing is known of {resource!r}",
                detail="no instance, group, launch template, launch configuration or image of the "
                "last scan has that id or name",
                hint="`imdsctl status` says what was scanned, and what could not be read",
            )
        cells = dict.fromkeys(Cell(r.item.account, r.item.region) for r in found)
        documents = [
            *(
                answer
                for cell in (() if everywhere else cells)
                for answer in _answers(_as_planned(desk, _judged(desk, cell)), resource)
            ),
            *settings(desk, found, enforcement=not everywhere),
        ]
    if not documents:
        kinds = joined(sorted({r.kind for r in found}))
        raise UsageError(
            f"{resource} is known, but not judged",
            detail=f"it was read as part of {kinds}; verdicts are on instances that are not "
            "terminated, and on what launches them",
            hint="`imdsctl status` says where the fleet stands",
        )
    if output == "json":
        screen.json("explain", {**documents[0], "others": documents[1:]})
        return Exit.OK
    for number, answer in enumerate(documents[:_SHOWN]):
        if number:
            screen.line("")
        _show(screen, answer)
    if len(documents) > _SHOWN:
        screen.line(f"and {len(documents) - _SHOWN:,} more: imdsctl explain {resource} -o json")
    open_ones = [one for one in documents if one["verdict"]["status"] != "done"]
    _next(screen, (open_ones or documents)[0])
    return Exit.OK


def _find(desk: Desk, resource: str) -> list[Recorded[Any]]:
    """What has that id or name, or belongs to the launch path that the plan calls so.

    A path's id begins with its group (`web/web:1`), else with its template (`web:$Default`).
    """
    return (
        desk.store.find(resource)
        or desk.store.find(resource.partition("/")[0])
        or desk.store.find(resource.rpartition(":")[0])
    )


def _judged(desk: Desk, cell: Cell) -> JudgedCell:
    return next(judge_store(desk.store, desk.store, desk.policy, desk.clock.now(), cell))


def _as_planned(desk: Desk, judged: JudgedCell) -> JudgedCell:
    """The same verdicts, save where the plan holds what is ready by itself: then the plan's word.

    A plan sees what no single verdict does: who else launches the same template, whether a group
    can be replaced as a whole, how sure the settings want it to be.
    """
    now = desk.clock.now()
    plan = build_plan([judged], desk.policy, now=now, scanned_at=now, caller="")
    held = {one.resource: one for one in plan.held}
    return JudgedCell(
        evidence=judged.evidence,
        instances={i: held_back(v, held.get(i)) for i, v in judged.instances.items()},
        paths=[
            structs.replace(p, verdict=held_back(p.verdict, held.get(p.path.id)))
            for p in judged.paths
        ],
    )


def _answers(judged: JudgedCell, resource: str) -> list[dict[str, Any]]:
    """One document for each instance and launch path that the name means."""
    answers = [
        _of_instance(judged, record)
        for record in judged.evidence.instances
        if resource in (record.item.id, record.item.name) and record.item.id in judged.instances
    ]
    if answers:
        return answers
    environments = environment_names(judged.evidence)
    for one in judged.paths:
        path = one.path
        names = (
            environments.get(path.group or ""),
            path.id,
            path.name,
            path.group,
            path.template,
            path.template_name,
            path.launch_configuration,
            *((path.nodegroup.id, path.nodegroup.name) if path.nodegroup else ()),
        )
        if resource in names:
            answers.append(_of_path(judged, path, one.verdict))
    return answers


def _of_instance(judged: JudgedCell, record: Recorded[Instance]) -> dict[str, Any]:
    instance = record.item
    calls = judged.evidence.calls.get(instance.id)
    path = next((p.path for p in judged.paths if p.path.group == instance.group), None)
    evidence = [_evidence(record, _instance_line(instance))]
    if calls is not None:
        evidence.append(_evidence(calls, _calls_line(calls.item)))
    if (trace := judged.evidence.traces.get(instance.id)) is not None:
        evidence.append(_evidence(trace, _trace_line(trace.item)))
    if (software := judged.evidence.software.get(instance.id)) is not None:
        evidence.append(_evidence(software, _software_line(software.item)))
    return {
        "resource": instance.id,
        "name": instance.name,
        "kind": "instance",
        "account": instance.account,
        "region": instance.region,
        "state": instance.state,
        "options": msgspec.to_builtins(instance.options),
        "verdict": _verdict(judged.instances[instance.id]),
        "evidence": evidence,
        "owner": instance.operator
        or (path.owner if path else None)
        or instance.tags.get("aws:cloudformation:stack-name"),
        "launch_path": _path(path) if path and instance.group else None,
        "launched_at": instance.launched_at,
        "tags": instance.tags,
    }


def _of_path(judged: JudgedCell, path: LaunchPath, verdict: Verdict) -> dict[str, Any]:
    records: list[Recorded[Any]] = [
        *judged.evidence.groups,
        *judged.evidence.templates,
        *judged.evidence.configurations,
        *judged.evidence.nodegroups,
        *([judged.evidence.defaults] if judged.evidence.defaults else []),
    ]
    return {
        "resource": path.id,
        "name": path.name,
        "kind": path.kind,
        "account": path.account,
        "region": path.region,
        "options": path.effective.members(),
        "verdict": _verdict(verdict),
        "evidence": [
            *(_evidence(r, "") for r in records if r.id in path.evidence),
            *_owners(judged, path),
        ],
        "owner": path.owner,
        "launch_path": _path(path),
        "members": path.members,
    }


def _owners(judged: JudgedCell, path: LaunchPath) -> list[dict[str, Any]]:
    """What is known of the services behind the path's group."""
    found = []
    environment = environments_by_group(judged.evidence).get(path.group or "")
    if environment is not None:
        item = environment.item
        found.append(
            _evidence(
                environment,
                f"{item.name}, {item.status}, health {item.health}, DisableIMDSv1 "
                f"{item.disable_imdsv1 or 'not set'}",
            )
        )
    provider = providers_by_group(judged.evidence).get(path.group or "")
    if provider is not None:
        found.append(
            _evidence(
                provider,
                f"{provider.item.name}, managed draining {provider.item.draining or 'not said'}, "
                f"termination protection {provider.item.termination_protection or 'not said'}",
            )
        )
    return found


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": verdict.status,
        "confidence": verdict.confidence,
        "reasons": msgspec.to_builtins(verdict.reasons),
    }


def _path(path: LaunchPath) -> dict[str, Any]:
    source = (
        f"launch configuration {path.launch_configuration}"
        if path.launch_configuration
        else f"template {path.template_name} version {path.version}"
    )
    nodegroup = path.nodegroup
    if nodegroup is not None and nodegroup.own is not None and nodegroup.own.id != path.template:
        source += f" (EKS's copy of template {nodegroup.own.name} version {nodegroup.own.version})"
    return {
        "id": path.id,
        "group": path.group,
        "launches_from": source,
        "version": path.number,
        "next_instance": path.effective.posture,
        "decided_by": path.decided_by,
        "explicit": path.explicit.members(),
        "effective": path.effective.members(),
    }


def _evidence(record: Recorded[Any], summary: str) -> dict[str, Any]:
    return {
        "id": record.id,
        "kind": record.kind,
        "source": record.source,
        "observed_at": record.observed_at,
        "summary": summary,
    }


def _instance_line(instance: Instance) -> str:
    return f"{instance.state}, tokens {instance.options.http_tokens}"


def _calls_line(calls: Calls) -> str:
    days = (calls.window_end - calls.window_start).days
    parts = []
    for name, metric in (
        ("MetadataNoToken", calls.v1),
        ("MetadataNoTokenRejected", calls.rejected),
    ):
        if metric is not None:
            parts.append(f"{name} {_metric(metric)}")
    return f"{days} days, {'; '.join(parts) or 'no data point at all'}"


def _trace_line(trace: Trace) -> str:
    hours = (trace.end - trace.start).total_seconds() / 3600
    parts = [f"{trace.tracer}, {hours:,.0f} h", count(trace.requests, "request")]
    parts.append(f"{trace.v1:,} on v1" if trace.v1 else "none on v1")
    if trace.lost:
        parts.append(f"{trace.lost:,} lost")
    return ", ".join(parts)


def _software_line(software: Software) -> str:
    """What Systems Manager lists as too old."""
    agent = f"agent {software.agent_version} {software.status}".rstrip()
    old = [f"{one.package} {one.match.version}" for one in old_on(software)]
    return f"{software.platform}, {agent}; too old or v1 first: {joined(old) or 'nothing any more'}"


def _metric(metric: Metric) -> str:
    return f"{count(metric.total, 'call')}, data in {count(metric.hours_with_data, 'hour')}"


def _options(kind: str, options: dict[str, Any]) -> str:
    if kind == "image":
        return f"ImdsSupport {options['imds_support'] or '–'}"
    if kind == "account-enforcement":
        return f"HttpTokensEnforced {options['http_tokens_enforced'] or '–'}"
    known = MetadataOptions(**options)
    text = (
        f"tokens {known.http_tokens or '–'} · hop limit "
        f"{known.http_put_response_hop_limit or '–'} · endpoint "
        f"{_switch(known.http_endpoint)} · ipv6 {_switch(known.http_protocol_ipv6)} · tags "
        f"{_switch(known.instance_metadata_tags)}"
    )
    return f"{text} · {known.state}" if known.state == "pending" else text


def _switch(value: str | None) -> str:
    return {"enabled": "on", "disabled": "off"}.get(value or "", "–")


def _show(screen: Screen, answer: dict[str, Any]) -> None:
    own = answer["kind"] == "instance"
    title = answer["resource"] if own else f"{answer['kind']} {answer['resource']}"
    rest = [
        answer["name"] if answer["kind"] in ("instance", "image") else "",
        f"{answer['account']} {answer['region']}",
        answer.get("state", ""),
    ]
    screen.line((title, "bold"), *(f"  {part}" for part in rest if part))
    _row(screen, "options", _options(answer["kind"], answer["options"]))
    if answer.get("launched_by"):
        _row(screen, "launched", f"by {', '.join(answer['launched_by'])}")
    if path := answer["launch_path"]:
        group = f"group {path['group']} → " if path["group"] and own else ""
        _row(
            screen,
            "born from" if own else "launches",
            f"{group}{path['launches_from']}; its next instance: "
            f"{POSTURES[path['next_instance']]} (decided by: {path['decided_by']})",
        )
    if answer["owner"]:
        _row(screen, "owner", answer["owner"])
    verdict = answer["verdict"]
    status = verdict["status"]
    screen.line("")
    screen.line(
        (f"  {status.upper():9}", f"bold {STYLES[status]}"),
        f"  confidence {verdict['confidence']}",
    )
    for number, reason in enumerate(verdict["reasons"]):
        cited = f"  [{', '.join(reason['evidence'])}]" if reason["evidence"] else ""
        _row(screen, "also" if number else "why", f"{reason['summary']}{cited}")
        if reason["fix"]:
            _row(screen, "fix", reason["fix"])
    for number, piece in enumerate(answer["evidence"]):
        summary = f": {piece['summary']}" if piece["summary"] else ""
        _row(
            screen,
            "" if number else "evidence",
            f"{piece['id']} {piece['kind']} ({piece['source']}), "
            f"{at(piece['observed_at'])}{summary}",
        )


def _row(screen: Screen, label: str, text: str) -> None:
    screen.line(f"  {label:9}  {text}", hang=13)


def _held_by_a_failure(verdict: dict[str, Any]) -> bool:
    """Whether a failed gate is all that blocks it."""
    blocking = {r["rule"] for r in verdict["reasons"] if r["status"] == "blocked"}
    return blocking == {"failed-gate"}


def _next(screen: Screen, answer: dict[str, Any]) -> None:
    """What one would do about it."""
    name = answer["resource"] if answer["kind"] == "instance" else answer["name"]
    door = answer["kind"] in ("image", "account-enforcement")
    if door:
        name = answer["resource"]
    enforce = " --enforce" if answer["kind"] == "account-enforcement" else ""
    step = {
        "ready": f"imdsctl plan{enforce} --only {name} -f plan.json",
        "blocked": "once it is fixed, imdsctl scan",
        "unknown": "imdsctl scan, when there is more to see",
        "exempt": "imdsctl plan --held",
        "done": "imdsctl status",
    }[answer["verdict"]["status"]]
    if answer["verdict"]["status"] == "blocked" and _held_by_a_failure(answer["verdict"]):
        step = "once it is mended: [[mended]] in imdsctl.toml, then imdsctl plan"
    by_name = door and answer["verdict"]["status"] == "ready"
    screen.next(
        step, *([f"imdsctl apply plan.json --allow-irreversible {name}"] if by_name else [])
    )
