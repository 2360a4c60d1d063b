"""HttpTokensEnforced: the last step of an account in a region, and the end of every way back.

While it is on, EC2 refuses launches that would come out on v1 and refuses to set tokens back to
optional (EC2 User Guide, "Configure instance metadata options for existing instances" and
"Troubleshoot instance launch issues"). So it waits until nothing could need either any more.
"""

from collections.abc import Iterator, Sequence

from imdsctl.model.cell import JudgedCell
from imdsctl.model.evidence import ADVISORY
from imdsctl.model.plan import LosesWayBack
from imdsctl.model.verdict import Reason, Status
from imdsctl.planner.defaults import declarative_policy
from imdsctl.planner.draft import Draft

_WORST: tuple[Status, ...] = ("blocked", "exempt", "unknown")

Against = tuple[Status, Reason]
"""What speaks against enforcing."""


def plan_enforcement(judged: JudgedCell, draft: Draft) -> None:
    """Enforce tokens where everything else is done, if the policy asks for it; else hold it."""
    record = judged.evidence.defaults
    if not draft.policy.enforce or (record is not None and record.item.enforced == "enabled"):
        return
    resource = "/".join(draft.cell)
    against = list(_against(judged, draft))
    if against or record is None:
        statuses = {status for status, _ in against}
        draft.hold(
            resource,
            next(status for status in _WORST if status in statuses),
            [reason for _, reason in sorted(against, key=lambda found: _WORST.index(found[0]))],
            "HttpTokensEnforced",
        )
        return
    draft.one_way.append(
        draft.change(
            "account-enforcement",
            resource,
            name="HttpTokensEnforced",
            before={"http_tokens_enforced": record.item.enforced},
            after={"http_tokens_enforced": "enabled"},
            inverse={"http_tokens_enforced": record.item.enforced or "no-preference"},
            irreversible=True,
            needs=[change.id for change in draft.freeze],
            loses=[
                LosesWayBack(run=s.run, instances=len(s.instances), launches=len(s.launches))
                for s in judged.evidence.standing
                if s.instances or s.launches
            ],
            reason="From then on EC2 refuses every launch that would come out on v1, and every "
            "way back to optional tokens: no rollback works there while it is on.",
        )
    )


def _against(judged: JudgedCell, draft: Draft) -> Iterator[Against]:
    evidence = judged.evidence
    record = evidence.defaults
    if record is not None and record.item.managed_by == "declarative-policy":
        yield "blocked", declarative_policy(record, "to enforce tokens")
        return
    if record is None:
        yield (
            "unknown",
            Reason(
                rule="defaults-unread",
                summary="The account default could not be read: "
                f"{evidence.unreadable.get('account-defaults', 'not read')}.",
                fix="Allow ec2:GetInstanceMetadataDefaults and scan again.",
            ),
        )
    elif record.item.options.http_tokens != "required" and not any(
        change.kind == "account-defaults" for change in draft.freeze
    ):
        yield (
            "blocked",
            Reason(
                rule="default-not-required",
                summary="The account default does not require tokens: launches that leave them to "
                "it would be refused.",
                fix="See `imdsctl explain account-defaults` first.",
                evidence=[record.id],
            ),
        )
    for what, why in sorted(evidence.unreadable.items()):
        if what in ADVISORY:
            continue
        yield (
            "unknown",
            Reason(
                rule="not-read",
                summary=f"The {what.replace('-', ' ')} here could not be read whole ({why}): what "
                "enforcing would stop is not known.",
                fix="Scan again with the right to read them.",
            ),
        )
    yield from _runs(judged)
    yield from _instances(judged)
    yield from _paths(judged, draft)


def _runs(judged: JudgedCell) -> Iterator[Against]:
    """A run that is not through may have to take something back."""
    for run in judged.evidence.standing:
        if not run.finished:
            yield (
                "blocked",
                Reason(
                    rule="run-open",
                    summary=f"Run {run.run} is not through here, and could not take anything back "
                    "any more.",
                    fix=f"Finish it (imdsctl apply --resume {run.run}) or take it back (imdsctl "
                    f"rollback {run.run}).",
                ),
            )


def _instances(judged: JudgedCell) -> Iterator[Against]:
    """Instances that are not on V2 only, and those that may have to leave it again."""
    verdicts = sorted(judged.instances.values(), key=lambda v: v.resource)
    for status in ("blocked", "exempt", "unknown", "ready"):
        found = [v for v in verdicts if v.status == status]
        if found:
            yield (
                # Ready is not done: it may still turn out to need its way back.
                "blocked" if status == "ready" else found[0].status,
                Reason(
                    rule="instances-not-done",
                    summary=f"{_first([v.resource for v in found])} still "
                    f"{'allows' if len(found) == 1 else 'allow'} IMDSv1 ({status}).",
                    fix=f"See `imdsctl explain {found[0].resource}`, apply a plan, and plan again.",
                    evidence=[e for r in found[0].reasons[:1] for e in r.evidence],
                ),
            )
    rejected = [
        (v.resource, reason)
        for v in verdicts
        if v.status == "done"
        for reason in v.reasons
        if reason.rule == "rejected-calls"
    ]
    if rejected:
        yield (
            "blocked",
            Reason(
                rule="rejected-calls",
                summary=f"{_first([resource for resource, _ in rejected])} on V2 only: "
                f"{rejected[0][1].summary} What calls may need its way back.",
                fix=f"See `imdsctl explain {rejected[0][0]}`, mend the caller, and scan again.",
                evidence=rejected[0][1].evidence,
            ),
        )


def _paths(judged: JudgedCell, draft: Draft) -> Iterator[Against]:
    """What would launch nothing any more; a launch configuration without a group launches none."""
    paths = [p for p in judged.paths if p.path.kind != "launch-configuration"]
    late = [p for p in paths if p.verdict.status != "done" and p.path.id not in draft.frozen]
    if late:
        yield (
            "unknown" if all(p.verdict.status == "unknown" for p in late) else "blocked",
            Reason(
                rule="launches-refused",
                summary=f"{_first([p.path.name for p in late])} would start instances on v1: those "
                "launches would be refused.",
                fix=f"See `imdsctl explain {late[0].path.name}` first.",
                evidence=late[0].path.evidence,
            ),
        )
    unclear = [
        p
        for p in paths
        if p.verdict.status == "done" and p.path.effective.http_tokens == "optional"
    ]
    if unclear:
        yield (
            "unknown",
            Reason(
                rule="optional-while-off",
                summary=f"{_first([p.path.name for p in unclear])} launches with the metadata "
                "service off and tokens optional; AWS does not say whether enforcing refuses that.",
                fix="Let it say that tokens are required, too.",
                evidence=unclear[0].path.evidence,
            ),
        )


def _first(names: Sequence[str]) -> str:
    more = len(set(names)) - 1
    return f"{names[0]} and {more:,} more" if more else names[0]
