"""After a failed gate there is a way forward: the owner's word, kept with a name and a reason."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from whole_run import Operator, changes_of, instances, one_region

FLEET = one_region(
    """\
[[account.region.instance]]
name = "report"
launched_days_ago = 26
booted_days_ago = 5
options = { http_tokens = "optional", http_put_response_hop_limit = 2 }
tags = { env = "dev" }
callers = [
  { program = "agent", behaviour = "v2" },
  { program = "monthly-report", behaviour = "v1-only", when = "monthly" },
]
""",
    start="2026-11-30T23:50:00Z",
)


def failed(operator: Operator, aws: Any) -> tuple[str, datetime]:
    """The instance after its gate has failed, and the time a little later."""
    (report,) = instances(aws, "report")
    operator.prepared()
    assert operator.apply().code == 4
    return report, datetime.fromisoformat(aws.control("clock")["now"])


def word(resource: str, at: datetime) -> str:
    return (
        f'[[mended]]\nresource = "{resource}"\nowner = "billing"\nreason = "SDK updated, BILL-42"\n'
        f"at = {at:%Y-%m-%dT%H:%M:%SZ}\n"
    )


def later(aws: Any, hours: int = 3) -> None:
    aws.control("clock", {"advance_seconds": hours * 3600})


@pytest.mark.parametrize("by", ["id", "name"])
def test_the_owners_word_releases_it_and_the_plan_says_whose_word_that_is(
    operator: Operator, simulated_aws: Any, by: str
) -> None:
    aws = simulated_aws(FLEET)
    report, at = failed(operator, aws)
    later(aws, 15 * 24)
    (held,) = operator.prepared()["held"]
    assert [r["rule"] for r in held["reasons"] if r["status"] == "blocked"] == ["failed-gate"]
    told = operator("explain", report)
    assert "[[mended]]" in told.out
    assert "held until 2027-01-05" in " ".join(told.out.split())
    assert "once it is mended: [[mended]] in imdsctl.toml, then imdsctl plan" in told.err

    operator.settings(word(report if by == "id" else "rep*", at + timedelta(hours=1)))
    assert "READY" in operator("explain", report).out
    plan = operator.plan()
    (change,) = changes_of(plan, "instance-options")
    assert change["resource"] == report
    (note,) = change["notes"]
    assert "billing says that it was mended by 2026-12-01" in note
    assert "SDK updated, BILL-42" in note
    assert "BILL-42" in operator("show", str(operator.plan_file)).out
    assert operator.apply().code == 0


def test_a_word_from_before_the_failure_or_from_the_future_says_nothing(
    operator: Operator, simulated_aws: Any
) -> None:
    aws = simulated_aws(FLEET)
    report, at = failed(operator, aws)
    later(aws)
    operator.prepared()
    for time in (at - timedelta(days=1), at + timedelta(days=1)):
        operator.settings(word(report, time))
        assert changes_of(operator.plan(), "instance-options") == []
        assert "BLOCKED" in operator("explain", report).out
    operator.settings(word("i-of-somebody-else", at + timedelta(hours=1)))
    assert changes_of(operator.plan(), "instance-options") == []


def test_calls_after_the_word_prove_it_wrong(operator: Operator, simulated_aws: Any) -> None:
    aws = simulated_aws(FLEET)
    report, at = failed(operator, aws)
    operator.settings(word(report, at + timedelta(hours=1)))
    later(aws, 31 * 24 + 1)  # the turn of the year: it calls again, and is answered
    (held,) = operator.prepared()["held"]
    assert "calls-seen" in [r["rule"] for r in held["reasons"] if r["status"] == "blocked"]


def test_a_time_without_a_zone_is_refused(operator: Operator) -> None:
    operator.settings(
        '[[mended]]\nresource = "i-1"\nowner = "o"\nreason = "r"\nat = 2026-12-01T10:00:00\n'
    )
    refused = operator("plan")
    assert refused.code == 2
    assert "mended[0].at" in refused.err
