"""CloudWatch has no data for the instance: silence that proves nothing."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.rules.traced_callers import when
from imdsctl.judge.traced import long_enough
from imdsctl.model.evidence import Trace


def judge(facts: InstanceFacts) -> Finding | None:
    """`unknown` for an instance without a single data point: no data is not zero.

    Of a stopped instance the rule `stopped` speaks.
    """
    if facts.instance.options.posture != "v1-allowed":
        return None
    if facts.instance.state in ("stopped", "stopping"):
        return None
    calls = facts.observed
    if calls is None:
        return Finding(
            status="unknown",
            summary="Its IMDSv1 metric was not read"
            + (f": {facts.calls_unreadable}." if facts.calls_unreadable else "."),
            fix="Scan again with the right to call cloudwatch:GetMetricData.",
            evidence=(facts.record.id,),
        )
    if calls.v1 is None and facts.trace is not None and _silent(facts.trace.item, facts):
        return Finding(
            confidence="medium",
            summary="CloudWatch has no MetadataNoToken data point for it, but a trace on the host "
            f"saw no IMDSv1 call ({when(facts.trace.item)}).",
            evidence=(*facts.evidence, facts.trace.id),
        )
    if calls.v1 is None:
        return Finding(
            status="unknown",
            summary="CloudWatch has no MetadataNoToken data point for it. No data is not zero.",
            fix="Watch it on the host (`imdsctl host trace`), or find out why it has no metrics.",
            evidence=facts.evidence,
        )
    return None


def _silent(trace: Trace, facts: InstanceFacts) -> bool:
    return not trace.v1 and long_enough(trace, facts.policy)
