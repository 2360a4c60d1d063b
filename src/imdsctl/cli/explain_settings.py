"""What `imdsctl explain` says of account defaults, enforcement and images.

Their verdict is the planner's word: done, planned, or held with its reasons.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from imdsctl.cli.plan import enforcing
from imdsctl.cli.wiring import Desk
from imdsctl.judge.images import ImageUse
from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import AccountDefaults, Cell, Image, Recorded
from imdsctl.model.plan import Plan
from imdsctl.model.verdict import Confidence, Reason, Status
from imdsctl.planner.build import build_plan
from imdsctl.planner.images import region_uses
from imdsctl.scan.judged import judge_store

EVERY_DEFAULT = "account-defaults"
"""The name that means the account defaults everywhere."""


def settings(
    desk: Desk, found: Iterable[Recorded[Any]], *, enforcement: bool
) -> list[dict[str, Any]]:
    """A document for each account default (with `enforcement`, two) and image among `found`."""
    known = [r for r in found if isinstance(r.item, AccountDefaults | Image)]
    answers: list[dict[str, Any]] = []
    for region in dict.fromkeys(record.item.region for record in known):
        here = [r for r in known if r.item.region == region]
        # An image may be launched by any account of its region.
        whole = any(isinstance(r.item, Image) for r in here)
        cells = _judged(desk, region, None if whole else {r.item.account for r in here})
        plan = _planned(desk, cells)
        uses = {use.image.id: use for use in region_uses(cells)} if whole else {}
        for record in here:
            if isinstance(record.item, Image):
                answers.append(_of_image(record, plan, uses.get(record.item.id)))
            else:
                answers.append(_of_defaults(record, plan))
                if enforcement:
                    answers.append(_of_enforcement(record, plan))
    return answers


def _judged(desk: Desk, region: str, accounts: set[str] | None) -> list[JudgedCell]:
    cells = [
        cell
        for cell in desk.store.cells()
        if cell.region == region and (accounts is None or cell.account in accounts)
    ]
    now = desk.clock.now()
    return list(judge_store(desk.store, desk.store, desk.policy, now, cells=cells))


class _Word(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner says of one resource."""

    status: Status
    reasons: list[Reason]
    confidence: Confidence = "medium"


def _planned(desk: Desk, cells: Sequence[JudgedCell]) -> Plan:
    now = desk.clock.now()
    return build_plan(cells, enforcing(desk.policy), now=now, scanned_at=now, caller="")


def _word(plan: Plan, cell: Cell, kind: str, resource: str) -> _Word:
    for change in plan.changes().values():
        if (change.cell, change.kind, change.resource) == (cell, kind, resource):
            return _Word(status="ready", reasons=[Reason(rule=kind, summary=change.reason)])
    for one in plan.held:
        if (one.account, one.region, one.resource) == (*cell, resource):
            return _Word(status=one.status, reasons=one.reasons)
    return _Word(status="unknown", reasons=[Reason(rule=kind, summary="Nothing is planned.")])


def _done(rule: str, summary: str, record: Recorded[Any]) -> _Word:
    reason = Reason(rule=rule, summary=summary, evidence=[record.id])
    return _Word(status="done", reasons=[reason], confidence="high")


def _of_defaults(record: Recorded[AccountDefaults], plan: Plan) -> dict[str, Any]:
    item = record.item
    if item.options.http_tokens == "required":
        word = _done(
            "default-required", "Launches that name no tokens are on V2 only already.", record
        )
    else:
        word = _word(plan, Cell(item.account, item.region), "account-defaults", EVERY_DEFAULT)
    return _document(record, "account-defaults", EVERY_DEFAULT, word, item.options.members())


def _of_enforcement(record: Recorded[AccountDefaults], plan: Plan) -> dict[str, Any]:
    item = record.item
    if item.enforced == "enabled":
        word = _done("enforced", "EC2 refuses v1 here, and every way back to it.", record)
    else:
        word = _word(plan, Cell(item.account, item.region), "account-enforcement", item.id)
    return _document(
        record,
        "account-enforcement",
        "HttpTokensEnforced",
        word,
        {"http_tokens_enforced": item.enforced},
    )


def _of_image(record: Recorded[Image], plan: Plan, use: ImageUse | None) -> dict[str, Any]:
    item = record.item
    if item.imds_support is not None:
        word = _done(
            "imds-support",
            "It asks for IMDSv2 itself, where neither launch template nor account default says "
            "otherwise.",
            record,
        )
    elif not item.own:
        reason = Reason(
            rule="image-of-another",
            summary=f"It belongs to account {item.owner or 'unknown'}: only its owner can set "
            "ImdsSupport.",
            fix="Require tokens in the launch template, or by the account default.",
            evidence=[record.id],
        )
        word = _Word(status="blocked", reasons=[reason], confidence="high")
    else:
        word = _word(plan, Cell(item.account, item.region), "image-imds-support", item.id)
    answer = _document(record, "image", item.name, word, {"imds_support": item.imds_support})
    return {**answer, "launched_by": use.words() if use else []}


def _document(
    record: Recorded[Any], kind: str, name: str, word: _Word, options: dict[str, Any]
) -> dict[str, Any]:
    item = record.item
    managed = isinstance(item, AccountDefaults) and item.managed_by == "declarative-policy"
    return {
        "resource": item.id,
        "name": name,
        "kind": kind,
        "account": item.account,
        "region": item.region,
        "options": options,
        "verdict": {
            "status": word.status,
            "confidence": word.confidence,
            "reasons": msgspec.to_builtins(word.reasons),
        },
        "evidence": [
            {
                "id": record.id,
                "kind": record.kind,
                "source": record.source,
                "observed_at": record.observed_at,
                "summary": "",
            }
        ],
        "owner": "a declarative policy of the organization" if managed else None,
        "launch_path": None,
    }
