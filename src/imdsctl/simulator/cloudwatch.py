"""CloudWatch for AWS/EC2's two metadata metrics, answered from the lives of the instances.

Everything else is left to moto: other namespaces, alarms, dashboards.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from moto.cloudwatch.exceptions import (
    CloudWatchException,
    InvalidParameterCombination,
    ValidationError,
)
from moto.cloudwatch.metric_data_expression_parser import parse_expression
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from imdsctl.simulator import metricdata as md
from imdsctl.simulator.life import Life
from imdsctl.simulator.lifespan import METRICS, SLOT_SECONDS, points
from imdsctl.simulator.world import current

_PAGE: Final = 500
_STATISTICS_LIMIT: Final = 1440
_THREE_HOURS: Final = 3 * 3600
_TWO_WEEKS: Final = 14 * 86_400

_stock: dict[str, Callable[[Any], Any]] = {}


class _InvalidNextToken(CloudWatchException):
    code = "InvalidNextToken"


def install() -> None:
    """Let moto's CloudWatch answer for the simulated instances. May be called again."""
    for name, ours in (
        ("get_metric_data", get_metric_data),
        ("get_metric_statistics", get_metric_statistics),
        ("list_metrics", list_metrics),
    ):
        _stock.setdefault(name, getattr(CloudWatchResponse, name))
        setattr(CloudWatchResponse, name, ours)


def _life(self: Any, instance_id: str) -> Life | None:
    life = current().lives.get(instance_id)
    here = life is not None and (life.account, life.region) == (self.current_account, self.region)
    return life if here else None


def _now() -> int:
    return int(current().now.timestamp())


def get_metric_data(self: Any) -> Any:
    """GetMetricData: 500 queries, pages of at most 100,800 points, both of moto's protocols."""
    request = self._get_params()
    queries: list[Mapping[str, Any]] = request.get("MetricDataQueries") or []
    start, end = md.seconds(request["StartTime"]), md.seconds(request["EndTime"])
    limit = int(request.get("MaxDatapoints") or md.MAX_DATAPOINTS)
    token = request.get("NextToken")
    owner = md.digest([self.current_account, self.region, start, end, limit, queries])
    try:
        md.check(queries, start, end)
        position = md.read_token(token, owner) if token else md.Position(0, 0, _now())
    except md.InvalidQueryError as refusal:
        raise ValidationError(str(refusal)) from refusal
    except md.InvalidTokenError as refusal:
        raise _InvalidNextToken(str(refusal)) from refusal
    if not 1 <= limit <= md.MAX_DATAPOINTS:
        raise ValidationError(
            f"The parameter MaxDatapoints must be between 1 and {md.MAX_DATAPOINTS}."
        )

    results = _results(self, queries, start, end, position.now)
    descending = request.get("ScanBy") != "TimestampAscending"
    taken, following = md.page(results, position, limit, descending=descending)
    next_token = md.write_token(owner, following) if following else None
    if "x-amz-target" in self.headers:
        body = md.to_json(taken, next_token)
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, body
    return 200, {"Content-Type": "text/xml"}, md.to_xml(taken, next_token)


def _results(
    self: Any, queries: Sequence[Mapping[str, Any]], start: int, end: int, now: int
) -> list[Callable[[], md.Result]]:
    """The results of the queries that return data, in the order of the queries, on demand."""
    span = md.window(start, end, now)
    found: dict[str, Callable[[], md.Result]] = {}
    others = []
    for number, query in enumerate(queries, 1):
        if "MetricStat" not in query:
            continue
        metric = query["MetricStat"].get("Metric") or {}
        instance = md.instance_of(
            metric.get("Namespace"), metric.get("MetricName"), metric.get("Dimensions")
        )
        statistic = query["MetricStat"].get("Stat") or ""
        if instance is None:
            others.append(query)
        elif md.known_statistic(statistic):
            found[query["Id"]] = partial(_result, self, query, instance, span, now)
        else:
            raise ValidationError(
                f"The value {statistic} for parameter MetricDataQueries.member.{number}"
                ".MetricStat.Stat is not supported."
            )
    expressions = [query for query in queries if "Expression" in query]
    if others or expressions:
        ours = {name: make() for name, make in found.items()} if expressions else {}
        for one in _of_moto(self, [*others, *expressions], ours, (start, end)):
            found[one.id] = partial(_given, one)
    return [found[query["Id"]] for query in queries if query.get("ReturnData", True)]


def _given(result: md.Result) -> md.Result:
    return result


def _result(
    self: Any, query: Mapping[str, Any], instance: str, span: tuple[int, int], now: int
) -> md.Result:
    stat = query["MetricStat"]
    name = stat["Metric"]["MetricName"]
    life = _life(self, instance) if stat.get("Unit", "Count") == "Count" else None
    times, values = md.evaluate(life, name, stat["Stat"], int(stat["Period"]), span, now)
    return md.Result(query["Id"], query.get("Label") or name, times, values)


def _of_moto(
    self: Any,
    queries: Sequence[Mapping[str, Any]],
    ours: Mapping[str, md.Result],
    span: tuple[int, int],
) -> list[md.Result]:
    """What moto makes of the queries that are not about our metrics."""
    # moto keeps its times without a zone.
    start, end = (datetime.fromtimestamp(time, UTC).replace(tzinfo=None) for time in span)
    asked = [{**query, "ReturnData": True} for query in queries]
    found = {}
    for one in self.cloudwatch_backend.get_metric_data(
        start_time=start, end_time=end, queries=asked, scan_by="TimestampAscending"
    ):
        times = tuple(md.seconds(time) for time in one["timestamps"])
        values = tuple(float(value) for value in one["values"])
        found[one["id"]] = md.Result(one["id"], one["label"], times, values)
    # moto's metric math sees its own results only; ours are given to it here.
    known = [{"id": one.id, "values": one.values, "timestamps": one.times} for one in ours.values()]
    for query in queries:
        if "Expression" in query and query["Expression"] in ours:
            values, times = parse_expression(query["Expression"], known)
            label = query.get("Label") or query["Id"]
            found[query["Id"]] = md.Result(query["Id"], label, tuple(times), tuple(values))
    return list(found.values())


def get_metric_statistics(self: Any) -> Any:
    """GetMetricStatistics, with at most 1,440 points."""
    request = self._get_params()
    name = request.get("MetricName")
    instance = md.instance_of(request.get("Namespace"), name, request.get("Dimensions"))
    if instance is None:
        return _stock["get_metric_statistics"](self)
    statistics, start, end, period = _statistics_request(request)
    now = _now()
    life = _life(self, instance) if request.get("Unit", "Count") == "Count" else None
    rows: dict[int, dict[str, Any]] = {}
    for statistic in statistics:
        span = md.window(start, end, now)
        times, values = md.evaluate(life, name, statistic, period, span, now)
        for time, value in zip(times, values, strict=True):
            row = rows.setdefault(
                time, {"Timestamp": datetime.fromtimestamp(time, UTC), "Unit": "Count"}
            )
            if statistic.startswith("p"):
                row.setdefault("ExtendedStatistics", {})[statistic] = value
            else:
                row[statistic] = value
    return ActionResult({"Label": name, "Datapoints": list(rows.values())})


def _statistics_request(request: Mapping[str, Any]) -> tuple[list[str], int, int, int]:
    """The statistics, start, end and period that GetMetricStatistics is asked for."""
    statistics = [*(request.get("Statistics") or ()), *(request.get("ExtendedStatistics") or ())]
    start, end = md.seconds(request["StartTime"]), md.seconds(request["EndTime"])
    period = int(request["Period"])
    if not statistics:
        raise InvalidParameterCombination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    for statistic in statistics:
        if not md.known_statistic(statistic):
            raise ValidationError(f"The statistic {statistic} is not supported.")
    if start >= end:
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    try:
        md.check_period(period, "Period")
    except md.InvalidQueryError as refusal:
        raise ValidationError(str(refusal)) from refusal
    if (end - start) / period > _STATISTICS_LIMIT:
        raise InvalidParameterCombination(
            f"You have requested up to {-(-(end - start) // period):,} datapoints, which exceeds "
            f"the limit of {_STATISTICS_LIMIT:,}. You may reduce the datapoints requested by "
            "increasing Period, or decreasing the time range."
        )
    return statistics, start, end, period


def list_metrics(self: Any) -> Any:
    """ListMetrics, 500 a page: metrics with data in the last two weeks, or in three hours."""
    request = self._get_params()
    namespace, name = request.get("Namespace"), request.get("MetricName")
    dimensions = request.get("Dimensions") or []
    at, skip = _listed(request.get("NextToken"))
    recent = _THREE_HOURS if request.get("RecentlyActive") else _TWO_WEEKS

    metrics: list[dict[str, Any]] = []
    if namespace in {None, "", "AWS/EC2"}:
        wanted = [metric for metric in METRICS if name in {None, "", metric}]
        for number, life in _lives_from(self, at, dimensions):
            metrics += [
                _listing("AWS/EC2", metric, [("InstanceId", life.instance_id)])
                for metric in wanted
                if _active(life, metric, recent)
            ]
            if len(metrics) > _PAGE - len(METRICS):
                return ActionResult({"Metrics": metrics, "NextToken": _list_token(number + 1, 0)})
    at = len(current().lives)
    others = self.cloudwatch_backend.get_filtered_metrics(name, namespace, dimensions)
    room = _PAGE - len(metrics)
    metrics += [
        _listing(one.namespace, one.name, [(each.name, each.value) for each in one.dimensions])
        for one in others[skip : skip + room]
    ]
    more = len(others) > skip + room
    token = _list_token(at, skip + room) if more else None
    return ActionResult({"Metrics": metrics, "NextToken": token})


def _lives_from(
    self: Any, at: int, dimensions: Sequence[Mapping[str, str]]
) -> Iterator[tuple[int, Life]]:
    """The lives of this account and region from number `at` on that match the dimensions."""
    lives = current().lives
    if any(one.get("Name") != "InstanceId" for one in dimensions):
        return
    named = {one["Value"] for one in dimensions if one.get("Value")}
    if named:
        if at == 0 and len(named) == 1 and (life := _life(self, named.pop())) is not None:
            yield 0, life
        return
    for number, life in enumerate(itertools.islice(lives.values(), at, None), at):
        if (life.account, life.region) == (self.current_account, self.region):
            yield number, life


def _active(life: Life, metric: Any, recent: int) -> bool:
    now = _now()
    end = now - now % SLOT_SECONDS
    return bool(points(life, metric, end - recent, end, recent).times)


def _listing(namespace: str, name: str, dimensions: list[tuple[str, str]]) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": named}


def _list_token(at: int, skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([at, skip]).encode()).decode()


def _listed(token: str | None) -> tuple[int, int]:
    if not token:
        return 0, 0
    try:
        at, skip = json.loads(base64.urlsafe_b64decode(token))
        return max(0, int(at)), max(0, int(skip))
    except (ValueError, TypeError) as error:
        raise _InvalidNextToken("Request parameter NextToken is invalid") from error
