"""CloudWatch's two counts: what they say, and what they do not say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import Session
from botocore.validate import validate_parameters

from aws.scripted_aws import CELL, ManualClock, Reply, ScriptedAws, json_reply
from imdsctl.aws.series import put_queries_in, series_of, set_queries_aside, sum_query, take_series
from imdsctl.aws.wiring import Aws
from imdsctl.model.evidence import Calls, Unreadable
from imdsctl.ports import Watched

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD = datetime(2026, 1, 1, tzinfo=UTC)
OUTPUT = Session().get_service_model("cloudwatch").operation_model("GetMetricData").output_shape


def result(
    query: str, points: dict[datetime, float] | None = None, status: str = "Complete"
) -> dict[str, Any]:
    points = points or {}
    return {
        "Id": query,
        "Label": query,
        "StatusCode": status,
        "Timestamps": [time.timestamp() for time in points],
        "Values": list(points.values()),
    }


def data(*results: dict[str, Any], token: str | None = None, **more: Any) -> Reply:
    answer = {"MetricDataResults": list(results), **more}
    return json_reply({**answer, "NextToken": token} if token else answer)


def hours(start: datetime, *values: float) -> dict[datetime, float]:
    return {start + timedelta(hours=n): value for n, value in enumerate(values)}


def read(aws: Aws, *ids: str, days: float = 1, since: datetime = OLD) -> list[Any]:
    watched = [Watched(id=instance, since=since) for instance in ids]
    return list(aws.metrics.calls(CELL, watched, NOON - timedelta(days=days), NOON))


def calls_of(pages: list[Any]) -> list[Calls]:
    return [item for page in pages if isinstance(page, list) for item in page]


def test_sums_are_by_day_and_by_hour_of_day(aws: Aws, scripted: ScriptedAws) -> None:
    start = NOON - timedelta(days=2)
    points = {**hours(start, 0, 3, 0, 0), **hours(start + timedelta(days=1, hours=1), 4, 5)}
    scripted.answers("GetMetricData", data(result("a0", points), result("r0")))
    (calls,) = calls_of(read(aws, "i-1", days=2))
    assert calls.v1 is not None
    assert (calls.v1.total, calls.v1.hours_with_data, calls.v1.hours_with_calls) == (12, 6, 3)
    assert calls.v1.per_day == [3, 9, 0]
    assert {h: n for h, n in enumerate(calls.v1.per_hour_of_day) if n} == {13: 7, 14: 5}
    assert calls.v1.first_call == start + timedelta(hours=1)
    assert calls.v1.last_call == start + timedelta(days=1, hours=2)
    assert calls.v1.first_data == start
    assert calls.v1.last_data == start + timedelta(days=1, hours=2)
    assert calls.rejected is None
    assert (calls.hours_running, calls.coverage) == (48, 6 / 48)


def test_no_data_is_not_zero(aws: Aws, scripted: ScriptedAws) -> None:
    zeros = hours(NOON - timedelta(days=1), *[0.0] * 24)
    scripted.answers(
        "GetMetricData",
        data(result("a0", zeros), result("r0"), result("a1"), result("r1"), result("a2"),
             result("r2", hours(NOON - timedelta(hours=1), 0))),
    )  # fmt: skip
    quiet, silent, required = calls_of(read(aws, "i-1", "i-2", "i-3"))
    assert quiet.v1 is not None
    assert (quiet.v1.total, quiet.v1.hours_with_data, quiet.coverage) == (0, 24, 1.0)
    assert (silent.v1, silent.rejected, silent.coverage) == (None, None, 0.0)
    assert required.v1 is None
    assert required.rejected is not None
    assert required.rejected.hours_with_data == 1


def test_hours_running_begin_with_the_last_start(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("GetMetricData", data(result("a0"), result("r0")))
    for since, expected in (
        (NOON - timedelta(minutes=90), 2),
        (NOON, 0),
        (NOON + timedelta(hours=1), 0),
        (OLD, 24),
    ):
        (calls,) = calls_of(read(aws, "i-1", since=since))
        assert calls.hours_running == expected


def test_the_question_is_asked_by_the_hour_on_full_hours(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("GetMetricData", data(result("a0"), result("r0")))
    begin, end = NOON - timedelta(hours=3, minutes=20), NOON - timedelta(minutes=1)
    list(aws.metrics.calls(CELL, [Watched(id="i-0abc", since=OLD)], begin, end))
    (asked,) = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    assert asked["StartTime"] == (NOON - timedelta(hours=4)).timestamp()
    assert asked["EndTime"] == NOON.timestamp()
    answered, refused = asked["MetricDataQueries"]
    assert answered["MetricStat"] == {
        "Metric": {
            "Namespace": "AWS/EC2",
            "MetricName": "MetadataNoToken",
            "Dimensions": [{"Name": "InstanceId", "Value": "i-0abc"}],
        },
        "Period": 3600,
        "Stat": "Sum",
    }
    assert refused["MetricStat"]["Metric"]["MetricName"] == "MetadataNoTokenRejected"


@pytest.mark.parametrize(("days", "per_call"), [(1, 500), (8, 500), (14, 300), (63, 66)])
def test_a_call_asks_for_no_more_than_cloudwatch_answers_at_once(
    aws: Aws, scripted: ScriptedAws, days: int, per_call: int
) -> None:
    scripted.answers("GetMetricData", data())
    read(aws, *[f"i-{n}" for n in range(400)], days=days)
    asked = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    assert len(asked[0]["MetricDataQueries"]) == per_call
    assert per_call * days * 24 <= 100_800


def test_an_answer_in_parts_is_put_together(aws: Aws, scripted: ScriptedAws) -> None:
    start = NOON - timedelta(hours=4)
    scripted.answers(
        "GetMetricData",
        data(result("a0", hours(start, 0, 1), "PartialData"), token="more"),
        data(result("a0", hours(start + timedelta(hours=2), 2, 0)), result("r0")),
    )
    (calls,) = calls_of(read(aws, "i-1"))
    assert calls.v1 is not None
    assert (calls.v1.total, calls.v1.hours_with_data) == (3, 4)
    assert (calls.v1.first_data, calls.v1.last_data) == (start, start + timedelta(hours=3))
    asked = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    assert asked[1]["NextToken"] == "more"
    assert len(asked[1]["MetricDataQueries"]) == 2, "the second page must repeat the question"


@pytest.mark.parametrize("status", ["InternalError", "Forbidden", "PartialData"])
def test_a_metric_that_cloudwatch_does_not_answer_for_is_named(
    aws: Aws, scripted: ScriptedAws, status: str
) -> None:
    scripted.answers(
        "GetMetricData",
        data(result("a0"), result("r0", status=status), result("a1"), result("r1")),
    )
    pages = read(aws, "i-bad", "i-good")
    assert [item.id for item in calls_of(pages)] == ["i-good"]
    assert isinstance(pages[-1], Unreadable)
    assert (pages[-1].what, pages[-1].seen) == ("calls", 1)
    assert status in pages[-1].why
    assert "i-bad" in pages[-1].why


def test_a_metric_that_is_missing_in_the_answer_is_named(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("GetMetricData", data(result("a0")))
    (only,) = read(aws, "i-1")
    assert isinstance(only, Unreadable)
    assert "i-1" in only.why


def test_one_batch_that_fails_does_not_hide_the_others(aws: Aws, scripted: ScriptedAws) -> None:
    failing = json_reply({"__type": "InternalServiceFault", "message": "oops"}, 500)
    good = data(*[result(f"{letter}{n}") for n in range(250) for letter in "ar"])
    scripted.answers("GetMetricData", good, *[failing] * 5, good)
    pages = read(aws, *[f"i-{n}" for n in range(750)])
    assert len(calls_of(pages)) == 500
    assert isinstance(pages[-1], Unreadable)
    assert pages[-1].seen == 500
    assert "250 instances" in pages[-1].why


def test_a_denial_ends_it_at_once(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("GetMetricData", json_reply({"__type": "AccessDenied", "message": "no"}, 403))
    (only,) = read(aws, *[f"i-{n}" for n in range(750)])
    assert isinstance(only, Unreadable)
    assert "AccessDenied: no" in only.why
    assert scripted.operations() == ["ListMetrics", "GetMetricData"]


def listed(*ids: str) -> Reply:
    metrics = [{"Dimensions": [{"Name": "InstanceId", "Value": one}]} for one in ids]
    return json_reply({"Metrics": metrics})


def asked_for(scripted: ScriptedAws) -> list[str]:
    (asked,) = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    return [query["Id"] for query in asked["MetricDataQueries"]]


def test_rejected_calls_are_asked_for_only_where_cloudwatch_lists_any(
    aws: Aws, scripted: ScriptedAws
) -> None:
    start = NOON - timedelta(days=1)
    scripted.answers("ListMetrics", listed("i-2", "i-gone"))
    scripted.answers(
        "GetMetricData",
        data(result("a0", hours(start, 0)), result("a1"), result("r1", hours(start, 4))),
    )
    first, second = calls_of(read(aws, "i-1", "i-2"))
    assert asked_for(scripted) == ["a0", "a1", "r1"]
    assert first.rejected is None
    assert second.rejected is not None
    assert second.rejected.total == 4


def test_rejected_calls_older_than_cloudwatch_lists_are_asked_for_everywhere(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("ListMetrics", listed())
    scripted.answers("GetMetricData", data(result("a0"), result("r0")))
    read(aws, "i-1", days=15)
    assert asked_for(scripted) == ["a0", "r0"]


def test_rejected_calls_count_from_the_first_whole_period_after_each_change(
    aws: Aws, scripted: ScriptedAws
) -> None:
    def minutes(*values: int) -> dict[datetime, float]:
        return {NOON + timedelta(minutes=5 * n): value for n, value in enumerate(values)}

    scripted.answers(
        "GetMetricData",
        data(result("r0", minutes(7, 1, 2)), result("r1", minutes(7, 1, 2)), result("r2")),
    )
    since = {"i-1": NOON, "i-2": NOON + timedelta(seconds=1), "i-3": NOON}
    counted = aws.metrics.rejected_since(CELL, since, NOON + timedelta(minutes=15))
    assert counted == {"i-1": 10, "i-2": 3}
    (asked,) = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    stats = [query["MetricStat"] for query in asked["MetricDataQueries"]]
    assert {s["Period"] for s in stats} == {60}
    assert {s["Metric"]["MetricName"] for s in stats} == {"MetadataNoTokenRejected"}


@pytest.mark.parametrize(
    ("age", "period"),
    [
        (timedelta(days=14), 60),
        (timedelta(days=15), 300),
        (timedelta(days=62), 300),
        (timedelta(days=63), 3600),
    ],
)
def test_the_finest_period_is_one_that_cloudwatch_still_has(
    aws: Aws, scripted: ScriptedAws, age: timedelta, period: int
) -> None:
    scripted.answers("GetMetricData", data(result("r0")))
    aws.metrics.rejected_since(CELL, {"i-1": NOON - age}, NOON)
    (asked,) = [a.parameters for a in scripted.asked if a.operation == "GetMetricData"]
    assert asked["MetricDataQueries"][0]["MetricStat"]["Period"] == period


def test_rejected_calls_that_cannot_be_read_are_no_zero(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("GetMetricData", data(result("r0", status="InternalError")))
    answer = aws.metrics.rejected_since(CELL, {"i-1": NOON}, NOON + timedelta(hours=1))
    assert isinstance(answer, Unreadable)


def test_nobody_watched_is_nobody_asked(aws: Aws, scripted: ScriptedAws) -> None:
    assert aws.metrics.rejected_since(CELL, {}, NOON) == {}
    assert read(aws) == []
    assert scripted.asked == []


POINTS = hours(NOON, 0, 1, 2.5, 0)
ANSWERS = {
    "zeros": [result("a", hours(NOON, 0, 0.0, 0))],
    "one zero": [result("a", hours(NOON, 0))],
    "calls": [result("a", POINTS)],
    "none": [result("a")],
    "newest first": [result("a", dict(reversed(POINTS.items())))],
    "zeros, newest first": [result("a", dict(reversed(hours(NOON, 0, 0, 0).items())))],
    "several": [result("a", POINTS, "PartialData"), result("r", status="Forbidden")],
    "negative zero and exponents": [result("a", hours(NOON, -0.0, 1e3, 1e-300))],
}


@pytest.mark.parametrize("spaces", [(",", ":"), (" , ", " : ")], ids=["dense", "spaced"])
@pytest.mark.parametrize("name", ANSWERS)
def test_every_series_is_what_botocore_would_say(name: str, spaces: tuple[str, str]) -> None:
    body = json.dumps(
        {"MetricDataResults": ANSWERS[name], "NextToken": "t", "Messages": [{"Code": "c"}]},
        separators=spaces,
    ).encode()
    answer: dict[str, Any] = {
        "status_code": 200,
        "headers": {"content-type": "application/x-amz-json-1.0"},
        "body": body,
        "context": {},
    }
    expected = create_parser("json").parse(dict(answer), OUTPUT)
    taken: dict[str, Any] = {}
    take_series(response_dict=answer, customized_response_dict=taken)
    assert answer["body"] == b"{}", "the hook did not read this answer at all"
    assert list(series_of(taken)) == list(series_of(expected))
    assert taken["NextToken"] == expected["NextToken"]
    assert taken["Messages"][0]["Code"] == expected["Messages"][0]["Code"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"MetricDataResults": [{"Id": 5}]}',
        b'{"MetricDataResults": [{"Id": "a", "Timestamps": [1], "Values": [0, 0]}]}',
        b'{"MetricDataResults": [{"Id": "a", "Timestamps": ["x"], "Values": [1]}]}',
    ],
)
def test_an_unexpected_answer_is_left_to_botocore(body: bytes) -> None:
    headers = {"content-type": "application/x-amz-json-1.0"}
    answer: dict[str, Any] = {"status_code": 200, "headers": headers, "body": body}
    taken: dict[str, Any] = {}
    take_series(response_dict=answer, customized_response_dict=taken)
    assert (taken, answer["body"]) == ({}, body)


def test_an_answer_with_more_values_than_times_is_unreadable(
    aws: Aws, scripted: ScriptedAws
) -> None:
    broken = {**result("a0", POINTS), "Values": [0.0]}
    scripted.answers("GetMetricData", data(broken, result("r0")))
    (only,) = read(aws, "i-1")
    assert isinstance(only, Unreadable)
    assert "do not belong together" in only.why


def test_asking_for_much_stays_within_the_budget(
    aws: Aws, scripted: ScriptedAws, clock: ManualClock
) -> None:
    scripted.answers("GetMetricData", data())
    read(aws, *[f"i-{n}" for n in range(20)], days=1)
    assert clock.slept == []


def test_in_any_other_protocol_botocore_writes_the_question_itself() -> None:
    class Model:
        class service_model:  # noqa: N801 - botocore's name for it
            resolved_protocol = "smithy-rpc-v2-cbor"

    operation = Session().get_service_model("cloudwatch").operation_model("GetMetricData")
    query = sum_query("a0", "MetadataNoToken", "i-1", 3600)
    context: dict[str, Any] = {}
    asked = {"StartTime": OLD, "EndTime": NOON, "MetricDataQueries": [query]}
    params = set_queries_aside(params=asked, model=Model, context=context)
    validate_parameters(params, operation.input_shape)
    (written,) = params["MetricDataQueries"]
    assert written["MetricStat"]["Metric"]["MetricName"] == "MetadataNoToken"
    body = {"body": b"untouched"}
    put_queries_in(params=body, context=context)
    assert body == {"body": b"untouched"}
