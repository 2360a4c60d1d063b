"""CloudWatch over the wire: the two metadata metrics, as boto3 and the query protocol see them."""

import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from imdsctl.simulator import metricdata
from imdsctl.simulator.life import Caller, Life, Options
from imdsctl.simulator.server import SimulatedAws

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

FLEET = """
history_days = 30
start = 2026-11-01T00:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "busy"
callers = [{ program = "app", behaviour = "v1-only", per_hour = 6 }]
[[account.region.instance]]
name = "quiet"
callers = [{ program = "app", behaviour = "v2" }]
[[account.region.instance]]
name = "dark"
metrics = false
callers = [{ program = "app", behaviour = "v1-only" }]
[[account.region.instance]]
name = "refused"
options = { http_tokens = "required" }
callers = [{ program = "app", behaviour = "v1-first", per_hour = 1 }]
[[account]]
id = "222222222222"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "elsewhere"
"""

Start = Callable[..., SimulatedAws]
MakeClient = Callable[..., Any]


@pytest.fixture
def aws(simulated_aws: Start) -> SimulatedAws:
    return simulated_aws(FLEET)


def named(aws: SimulatedAws, name: str) -> str:
    return next(key for key, life in aws.world.lives.items() if life.name == name)


def query(
    instance: str,
    metric: str = "MetadataNoToken",
    *,
    name: str = "q",
    period: int = 3600,
    stat: str = "Sum",
) -> dict[str, Any]:
    dimensions = [{"Name": "InstanceId", "Value": instance}]
    found = {"Namespace": "AWS/EC2", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": found, "Period": period, "Stat": stat}}


def ask(client: Any, *queries: dict[str, Any], hours: int = 24, **more: Any) -> Any:
    more.setdefault("ScanBy", "TimestampAscending")
    return client.get_metric_data(
        MetricDataQueries=queries, StartTime=START - hours * HOUR, EndTime=START, **more
    )


def test_calls_without_a_token_are_counted_by_the_hour(aws: SimulatedAws, boto: MakeClient) -> None:
    (result,) = ask(boto("cloudwatch"), query(named(aws, "busy")))["MetricDataResults"]

    assert result["Values"] == [6.0] * 24
    assert result["Timestamps"] == [START - (24 - hour) * HOUR for hour in range(24)]
    assert (result["StatusCode"], result["Label"]) == ("Complete", "MetadataNoToken")


def test_newest_first_is_the_default_order(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")
    answer = client.get_metric_data(
        MetricDataQueries=[query(named(aws, "busy"))], StartTime=START - 3 * HOUR, EndTime=START
    )

    times = answer["MetricDataResults"][0]["Timestamps"]
    assert times == [START - HOUR, START - 2 * HOUR, START - 3 * HOUR]


def test_quiet_is_zero_and_dark_is_nothing(aws: SimulatedAws, boto: MakeClient) -> None:
    quiet, dark, unknown = ask(
        boto("cloudwatch"),
        query(named(aws, "quiet"), name="a", period=86_400),
        query(named(aws, "dark"), name="b", period=86_400),
        query("i-00000000000000000", name="c", period=86_400),
    )["MetricDataResults"]

    assert quiet["Values"] == [0.0]
    assert dark["Values"] == []
    assert unknown["Values"] == []


def test_refused_calls_show_in_the_other_metric_only(aws: SimulatedAws, boto: MakeClient) -> None:
    instance = named(aws, "refused")
    no_token, rejected = ask(
        boto("cloudwatch"),
        query(instance, name="a", period=300),
        query(instance, "MetadataNoTokenRejected", name="b", period=300),
    )["MetricDataResults"]

    assert no_token["Values"] == []
    assert rejected["Values"] == [1.0] * 24


def test_every_statistic_is_that_of_the_five_minute_points(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    stats = ["Sum", "SampleCount", "Average", "Minimum", "Maximum", "p50", "p99.9"]
    instance = named(aws, "busy")
    results = ask(
        boto("cloudwatch"),
        *(query(instance, name=f"s{n}", stat=stat) for n, stat in enumerate(stats)),
        hours=1,
    )["MetricDataResults"]

    values = dict(zip(stats, (one["Values"][0] for one in results), strict=True))
    assert values == {
        "Sum": 6.0,
        "SampleCount": 12.0,
        "Average": 0.5,
        "Minimum": 0.0,
        "Maximum": 1.0,
        "p50": 0.5,
        "p99.9": 1.0,
    }


def test_points_appear_when_their_five_minutes_are_over(
    aws: SimulatedAws, boto: MakeClient
) -> None:
    client = boto("cloudwatch")

    def seen() -> int:
        answer = client.get_metric_data(
            MetricDataQueries=[query(named(aws, "quiet"), period=300)],
            StartTime=START,
            EndTime=START + DAY,
        )
        return len(answer["MetricDataResults"][0]["Values"])

    assert seen() == 0
    aws.world.advance(601)
    assert seen() == 2


def test_metrics_change_over_when_tokens_are_required(aws: SimulatedAws, boto: MakeClient) -> None:
    instance = named(aws, "busy")
    boto("ec2").modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
    aws.world.advance(7200)

    answer = boto("cloudwatch").get_metric_data(
        MetricDataQueries=[
            query(instance, name="a"),
            query(instance, "MetadataNoTokenRejected", name="b"),
        ],
        StartTime=START - HOUR,
        EndTime=START + 2 * HOUR,
        ScanBy="TimestampAscending",
    )

    no_token, rejected = answer["MetricDataResults"]
    assert no_token["Values"][0] == 6.0
    assert len(no_token["Values"]) <= 2
    assert sum(rejected["Values"]) in {11.0, 12.0}
    assert min(rejected["Timestamps"]) == START


def test_pages_carry_on_where_the_last_one_ended(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")
    busy, quiet = named(aws, "busy"), named(aws, "quiet")
    queries = [query(busy, name="a"), query(quiet, name="b"), query(busy, name="c", stat="Average")]
    whole = {one["Id"]: one for one in ask(client, *queries)["MetricDataResults"]}

    pages, statuses = 0, []
    token: dict[str, Any] = {}
    times: dict[str, list[datetime]] = {}
    while True:
        page = ask(client, *queries, MaxDatapoints=10, **token)
        pages += 1
        assert sum(len(one["Values"]) for one in page["MetricDataResults"]) <= 10
        for one in page["MetricDataResults"]:
            times.setdefault(one["Id"], []).extend(one["Timestamps"])
            statuses.append(one["StatusCode"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert pages == 8
    assert {name: one["Timestamps"] for name, one in whole.items()} == times
    assert statuses.count("Complete") == 3
    assert "PartialData" in statuses


def test_fine_data_is_kept_63_days_and_hourly_data_455(aws: SimulatedAws, boto: MakeClient) -> None:
    (instance, *_) = _grow(aws, 1)
    fine, hourly = ask(
        boto("cloudwatch"),
        query(instance, name="a", period=86_400 + 300),
        query(instance, name="b", period=86_400),
        hours=24 * 90,
    )["MetricDataResults"]

    assert len(hourly["Values"]) == 90
    assert len(fine["Values"]) < 65
    assert min(fine["Timestamps"]) > START - 65 * DAY


def test_a_page_token_belongs_to_its_request(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")
    token = ask(client, query(named(aws, "busy")), MaxDatapoints=10)["NextToken"]

    with pytest.raises(ClientError, match="InvalidNextToken"):
        ask(client, query(named(aws, "quiet")), MaxDatapoints=10, NextToken=token)
    with pytest.raises(ClientError, match="InvalidNextToken"):
        ask(client, query(named(aws, "busy")), NextToken="nonsense")


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([query("i-1", name="i-1")], "MetricDataQueries.member.1.Id"),
        ([query("i-1", name="Upper")], "MetricDataQueries.member.1.Id"),
        ([query("i-1"), query("i-2")], "must be unique"),
        ([query("i-1", period=90)], "multiple of 60"),
        ([query("i-1", stat="Mode")], "Mode"),
        ([query("i-1", name=f"q{n}") for n in range(501)], "greater than 500"),
        ([{"Id": "a"}], "MetricStat is required"),
    ],
)
def test_bad_queries_are_refused(
    aws: SimulatedAws, boto: MakeClient, queries: list[dict[str, Any]], message: str
) -> None:
    assert aws.url
    with pytest.raises(ClientError, match=message) as refused:
        ask(boto("cloudwatch"), *queries)

    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_times_must_go_forward(aws: SimulatedAws, boto: MakeClient) -> None:
    assert aws.url
    with pytest.raises(ClientError, match="StartTime"):
        ask(boto("cloudwatch"), query("i-1"), hours=0)


def test_each_account_sees_its_own(aws: SimulatedAws, boto: MakeClient) -> None:
    other = named(aws, "elsewhere")
    own = boto("cloudwatch")
    theirs = boto("cloudwatch", account="222222222222")

    assert ask(own, query(other))["MetricDataResults"][0]["Values"] == []
    assert ask(theirs, query(other))["MetricDataResults"][0]["Values"] == [0.0] * 24
    listed = theirs.list_metrics(Namespace="AWS/EC2")["Metrics"]
    assert [one["Dimensions"][0]["Value"] for one in listed] == [other]


def test_statistics_give_the_same_numbers(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")
    wanted: dict[str, Any] = {
        "Namespace": "AWS/EC2",
        "MetricName": "MetadataNoToken",
        "Dimensions": [{"Name": "InstanceId", "Value": named(aws, "busy")}],
        "StartTime": START - 2 * HOUR,
        "EndTime": START,
        "Period": 3600,
    }

    answer = client.get_metric_statistics(
        **wanted, Statistics=["Sum", "Maximum"], ExtendedStatistics=["p50"]
    )

    assert answer["Label"] == "MetadataNoToken"
    assert answer["Datapoints"] == [
        {
            "Timestamp": START - hours * HOUR,
            "Unit": "Count",
            "Sum": 6.0,
            "Maximum": 1.0,
            "ExtendedStatistics": {"p50": 0.5},
        }
        for hours in (2, 1)
    ]
    with pytest.raises(ClientError, match="exceeds the limit of 1,440"):
        client.get_metric_statistics(
            **{**wanted, "StartTime": START - 30 * DAY, "Period": 300}, Statistics=["Sum"]
        )
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        client.get_metric_statistics(**wanted)


def test_metrics_with_data_are_listed(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")

    listed = {
        (one["MetricName"], one["Dimensions"][0]["Value"])
        for one in client.list_metrics(Namespace="AWS/EC2")["Metrics"]
    }

    assert listed == {
        ("MetadataNoToken", named(aws, "busy")),
        ("MetadataNoToken", named(aws, "quiet")),
        ("MetadataNoTokenRejected", named(aws, "refused")),
    }
    dimension = {"Name": "InstanceId", "Value": named(aws, "quiet")}
    found = client.list_metrics(MetricName="MetadataNoToken", Dimensions=[dimension])["Metrics"]
    assert [one["Dimensions"] for one in found] == [[dimension]]


def test_only_recent_metrics_are_listed(aws: SimulatedAws, boto: MakeClient) -> None:
    boto("ec2").stop_instances(InstanceIds=[named(aws, "quiet")])
    aws.world.advance(4 * 3600)
    client = boto("cloudwatch")

    def listed(**more: str) -> int:
        wanted = {"Namespace": "AWS/EC2", "MetricName": "MetadataNoToken", **more}
        return len(client.list_metrics(**wanted)["Metrics"])

    assert listed() == 2
    assert listed(RecentlyActive="PT3H") == 1
    aws.world.advance(14 * 86_400)
    assert listed() == 1


def test_lists_come_in_pages_of_at_most_500(aws: SimulatedAws, boto: MakeClient) -> None:
    _grow(aws, 1200)
    pages = list(boto("cloudwatch").get_paginator("list_metrics").paginate(Namespace="AWS/EC2"))

    assert all(len(page["Metrics"]) <= 500 for page in pages)
    found = [one["Dimensions"][0]["Value"] for page in pages for one in page["Metrics"]]
    assert len(found) == len(set(found)) == 1203


def test_other_metrics_stay_what_they_were(aws: SimulatedAws, boto: MakeClient) -> None:
    client = boto("cloudwatch")
    now = datetime.now(UTC).replace(microsecond=0)
    client.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "Orders", "Value": 7, "Timestamp": now}]
    )
    orders = {"Metric": {"Namespace": "Shop", "MetricName": "Orders"}, "Period": 60, "Stat": "Sum"}

    answer = client.get_metric_data(
        MetricDataQueries=[
            {"Id": "theirs", "MetricStat": orders},
            query(named(aws, "busy"), name="ours"),
        ],
        StartTime=now - HOUR,
        EndTime=now + HOUR,
    )

    results = {one["Id"]: one["Values"] for one in answer["MetricDataResults"]}
    assert results["theirs"] == [7.0]
    assert set(results) == {"theirs", "ours"}
    assert client.list_metrics(Namespace="Shop")["Metrics"][0]["MetricName"] == "Orders"
    everything = client.list_metrics()["Metrics"]
    assert {one["Namespace"] for one in everything} == {"AWS/EC2", "Shop"}


def test_the_query_protocol_gives_the_same_numbers(aws: SimulatedAws) -> None:
    form = {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2026-10-31T22:00:00Z",
        "EndTime": "2026-11-01T00:00:00Z",
        "ScanBy": "TimestampAscending",
        "MetricDataQueries.member.1.Id": "q",
        "MetricDataQueries.member.1.MetricStat.Metric.Namespace": "AWS/EC2",
        "MetricDataQueries.member.1.MetricStat.Metric.MetricName": "MetadataNoToken",
        "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name": "InstanceId",
        "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value": named(
            aws, "busy"
        ),
        "MetricDataQueries.member.1.MetricStat.Period": "3600",
        "MetricDataQueries.member.1.MetricStat.Stat": "Sum",
    }
    scope = "AKIAOPERATOROPERATOR/20261101/eu-west-1/monitoring/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(
        aws.url, urllib.parse.urlencode(form).encode(), {"Authorization": signed}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as response:
        answer = {"status_code": 200, "headers": {}, "body": response.read()}

    model = boto3.Session().client("cloudwatch", region_name="eu-west-1").meta.service_model
    shape = model.operation_model("GetMetricData").output_shape
    (result,) = create_parser("query").parse(answer, shape)["MetricDataResults"]

    assert result["Values"] == [6.0, 6.0]
    assert result["Timestamps"] == [START - 2 * HOUR, START - HOUR]
    assert result["StatusCode"] == "Complete"


def _grow(aws: SimulatedAws, count: int) -> list[str]:
    born = START - 100 * DAY
    ids = [f"i-{number:017x}" for number in range(count)]
    with aws.world.lock:
        for number, instance in enumerate(ids):
            busy = number % 10 == 0
            caller = Caller("app", behaviour="v1-only" if busy else "v2")
            aws.world.lives[instance] = Life(
                instance_id=instance,
                account="111111111111",
                region="eu-west-1",
                name="grown",
                asg=None,
                launched_at=born,
                callers=(caller,),
                options=[(born, Options())],
                runs=[(born, None)],
                boots=[born],
            )
    return ids


def test_five_hundred_queries_of_two_weeks_are_rendered_in_well_under_half_a_second(
    aws: SimulatedAws,
) -> None:
    ids = _grow(aws, 300)
    now = int(START.timestamp())
    span = (now - 14 * 86_400, now)
    started = time.process_time()
    results = [
        metricdata.Result(
            f"q{number}",
            "MetadataNoToken",
            *metricdata.evaluate(
                aws.world.lives[instance], "MetadataNoToken", "Sum", 3600, span, now
            ),
        )
        for number, instance in enumerate(ids)
    ]
    body = metricdata.to_json(results, None)
    spent = time.process_time() - started

    assert sum(len(one.values) for one in results) == metricdata.MAX_DATAPOINTS
    assert len(body) > 1_000_000
    assert spent < 0.25
