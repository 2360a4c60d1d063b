"""`imdsctl explain`."""

from typing import Any

import msgspec

from imdsctl.cli.common import Common, Output
from imdsctl.cli.screen import STYLES, Screen, at
from imdsctl.cli.wiring import Desk, need_scan, opened
from imdsctl.model.cell import JudgedCell
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.evidence import Calls, Cell, Instance, Metric, Recorded
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import MetadataOptions
from imdsctl.model.verdict import Verdict
from imdsctl.scan.judged import judge_store


def explain(
    resource: str,
    /,
    *,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Everything known of one resource, its verdict, why, and what to do.

    Args:
        resource: An instance id or name, a group, a launch template id or name.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    with opened(common) as desk:
        need_scan(desk)
        found = desk.store.find(resource)
        if not found:
            raise UsageError(
                f"nothing is known of {resource!r}",
                detail="no instance, group, launch template or launch configuration of the last "
                "scan has that id or name",
                hint="`imdsctl status` says what was scanned, and what could not be read",
            )
        cells = dict.fromkeys(Cell(r.item.account, r.item.region) for r in found)
        documents = [answer for cell in cells for answer in _answers(_judged(desk, cell), resource)]
    if output == "json":
        screen.json("explain", documents[0] if len(documents) == 1 else {"resources": documents})
        return Exit.OK
    for number, answer in enumerate(documents):
        if number:
            screen.line("")
        _show(screen, answer)
    return Exit.OK


def _judged(desk: Desk, cell: Cell) -> JudgedCell:
    return next(judge_store(desk.store, desk.store, desk.policy, desk.clock.now(), cell))


def _answers(judged: JudgedCell, resource: str) -> list[dict[str, Any]]:
    """One document for each instance and launch path that the name means."""
    answers = [
        _of_instance(judged, record)
        for record in judged.evidence.instances
        if resource in (record.item.id, record.item.name) and record.item.id in judged.instances
    ]
    if answers:
        return answers
    for one in judged.paths:
        path = one.path
        names = (
            path.id,
            path.name,
            path.group,
            path.template,
            path.template_name,
            path.launch_configuration,
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
        "evidence": [_evidence(r, "") for r in records if r.id in path.evidence],
        "owner": path.owner,
        "launch_path": _path(path),
        "members": path.members,
    }


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


def _metric(metric: Metric) -> str:
    return f"{metric.total:,} calls, data in {metric.hours_with_data} h"


def _options(options: dict[str, Any]) -> str:
    known = MetadataOptions(**options)
    text = (
        f"tokens {known.http_tokens} · hop limit {known.http_put_response_hop_limit} · endpoint "
        f"{known.http_endpoint} · ipv6 {'on' if known.http_protocol_ipv6 == 'enabled' else 'off'}"
        f" · tags {'on' if known.instance_metadata_tags == 'enabled' else 'off'}"
    )
    return f"{text} · {known.state}" if known.state == "pending" else text


def _show(screen: Screen, answer: dict[str, Any]) -> None:
    screen.line(
        (answer["resource"], "bold"),
        f"  {answer['name']}   {answer['account']} {answer['region']}  {answer.get('state', '')}",
    )
    screen.line(f"  options    {_options(answer['options'])}")
    if path := answer["launch_path"]:
        screen.line(
            f"  born from  {'group ' + path['group'] + ' → ' if path['group'] else ''}"
            f"{path['launches_from']}; its next instance: {path['next_instance']} "
            f"(by {path['decided_by']})"
        )
    if answer["owner"]:
        screen.line(f"  owner      {answer['owner']}")
    verdict = answer["verdict"]
    first, *others = verdict["reasons"]
    screen.line("")
    screen.line(
        (f"  {verdict['status'].upper()}", f"bold {STYLES[verdict['status']]}"),
        f"  confidence {verdict['confidence']}",
    )
    for label, reason in [("Why ", first), *(("Also", other) for other in others)]:
        cited = f"  [{', '.join(reason['evidence'])}]" if reason["evidence"] else ""
        screen.line(f"  {label}     {reason['summary']}{cited}")
        if reason["fix"]:
            screen.line(f"  Fix      {reason['fix']}")
    for number, piece in enumerate(answer["evidence"]):
        label = "Evidence" if number == 0 else "        "
        summary = f": {piece['summary']}" if piece["summary"] else ""
        screen.line(
            f"  {label} {piece['id']} {piece['kind']} ({piece['source']}), "
            f"{at(piece['observed_at'])}{summary}"
        )
