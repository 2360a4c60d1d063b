"""GetMetricData's questions and answers in JSON, by msgspec, and only what is used of them.

Two weeks of hours for some hundred metrics are tens of thousands of points. botocore's own parser
makes a datetime object of each time stamp: seconds an answer, against some thousandths here. As
most instances never call, most values are zero; of those only the number is kept, and the first
and last time. The question, a few hundred times the same structure, is written the same way.

As with the instances, what is not as expected is left to botocore, and a contract test compares.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

_OK: Final = 200
_KEY: Final = "imdsctl.series"
_QUERIES: Final = "imdsctl.queries"


class MalformedSeriesError(Exception):
    """Times and values do not belong together."""


class _Dimension(Struct, gc=False):
    Name: str
    Value: str


class _Metric(Struct, gc=False):
    Namespace: str
    MetricName: str
    Dimensions: tuple[_Dimension, ...]


class _Statistic(Struct, gc=False):
    Metric: _Metric
    Period: int
    Stat: str


class Query(Struct, gc=False):
    """A MetricDataQuery, with the member names of the CloudWatch API."""

    Id: str
    MetricStat: _Statistic
    ReturnData: bool = True


def sum_query(query_id: str, metric: str, instance: str, period: int) -> Query:
    """The sums of one of EC2's metrics of one instance, by `period` seconds."""
    dimension = _Dimension("InstanceId", instance)
    return Query(query_id, _Statistic(_Metric("AWS/EC2", metric, (dimension,)), period, "Sum"))


class Series(Struct, frozen=True, gc=False):
    """One metric's points in one answer.

    `points` counts them; `first` and `last` are the earliest and the latest time (0 where
    there is none); `times` and `values` are the points themselves where any value is not zero,
    and empty otherwise. Times are seconds since the epoch, in UTC.
    """

    id: str
    status: str
    points: int
    first: float
    last: float
    times: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


def summarise(
    metric: str, status: str, times: tuple[float, ...], values: tuple[float, ...]
) -> Series:
    """The series with these points.

    Raises:
        MalformedSeriesError: there are not as many times as values.
    """
    if len(times) != len(values):
        raise MalformedSeriesError(metric)
    if not times:
        return Series(metric, status, 0, 0.0, 0.0)
    first, last = min(times), max(times)
    if not any(values):
        return Series(metric, status, len(times), first, last)
    return Series(metric, status, len(times), first, last, times, values)


_EMPTY: Final = Raw(b"[]")


class _Result(Struct, gc=False):
    Id: str
    StatusCode: str = "Complete"
    Timestamps: Raw = field(default_factory=lambda: _EMPTY)
    Values: Raw = field(default_factory=lambda: _EMPTY)


class _Message(Struct):
    Code: str | None = None
    Value: str | None = None


class _Answer(Struct):
    MetricDataResults: list[_Result]
    NextToken: str | None = None
    Messages: list[_Message] = field(default_factory=list)


_answer = msgspec.json.Decoder(_Answer)
_numbers = msgspec.json.Decoder(tuple[float, ...])


def _all_series(results: list[_Result]) -> Iterator[Series]:
    """The points of each metric of an answer.

    Most instances run all the time and never call, so that most metrics are, to the byte, what the
    one before was: then it is not read again.
    """
    times = values = b""
    numbers: tuple[float, ...] | None = None
    series = Series("", "", 0, 0.0, 0.0)
    for result in results:
        same_times = bytes(result.Timestamps) == times
        if same_times and bytes(result.Values) == values:
            yield replace(series, id=result.Id, status=result.StatusCode)
            continue
        if not same_times:
            times, numbers = bytes(result.Timestamps), None
        values = bytes(result.Values)
        if (zeros := _zeros(result, times, values)) is None:
            numbers = _numbers.decode(times) if numbers is None else numbers
            series = summarise(result.Id, result.StatusCode, numbers, _numbers.decode(values))
        else:
            series = zeros
        yield series


def _zeros(result: _Result, times: bytes, values: bytes) -> Series | None:
    """A series whose values are all zero, found without making numbers of them; else None."""
    count = values.count(b",")
    # Nothing but these characters is a list of zeros, and then its commas say how many.
    zeros = not values.translate(None, b"[]0., ")
    if not (zeros and b"0" in values and times.count(b",") == count):
        return None
    # The first and the last of them, without making numbers of those between.
    one = float(times[1 : times.index(b",") if count else -1])
    other = float(times[times.rindex(b",") + 1 : -1]) if count else one
    return Series(result.Id, result.StatusCode, count + 1, min(one, other), max(one, other))


def take_series(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Botocore's `before-parse.cloudwatch.GetMetricData` event: decode here, and leave a stub."""
    content_type = response_dict["headers"].get("content-type", "")
    if response_dict["status_code"] != _OK or "json" not in content_type:
        return
    try:
        answer = _answer.decode(response_dict["body"])
        series = list(_all_series(answer.MetricDataResults))
    except (msgspec.DecodeError, MalformedSeriesError, ValueError):
        # botocore's own parser decides whether it is garbled, or merely unusual.
        return
    customized_response_dict[_KEY] = series
    customized_response_dict["MetricDataResults"] = []
    customized_response_dict["Messages"] = [
        {"Code": m.Code or "", "Value": m.Value or ""} for m in answer.Messages
    ]
    if answer.NextToken is not None:
        customized_response_dict["NextToken"] = answer.NextToken
    response_dict["body"] = b"{}"


def series_of(answer: dict[str, Any]) -> Iterator[Series]:
    """The series in an answer, whether the hook read it or botocore's own parser.

    Raises:
        MalformedSeriesError: there are not as many times as values.
    """
    if _KEY in answer:
        yield from answer[_KEY]
        return
    for result in answer.get("MetricDataResults", ()):
        yield summarise(
            result["Id"],
            result.get("StatusCode", "Complete"),
            tuple(time.timestamp() for time in result.get("Timestamps", ())),
            tuple(result.get("Values", ())),
        )


def set_queries_aside(
    params: dict[str, Any], model: Any, context: dict[str, Any], **_: object
) -> dict[str, Any]:
    """Botocore's `provide-client-params.cloudwatch.GetMetricData` event: keep the queries back.

    So botocore checks and writes the question without them; `put_queries_in` adds them.
    """
    queries = params["MetricDataQueries"]
    if model.service_model.resolved_protocol != "json":
        return {**params, "MetricDataQueries": msgspec.to_builtins(queries)}
    context[_QUERIES] = queries
    return {**params, "MetricDataQueries": []}


def put_queries_in(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Botocore's `before-call.cloudwatch.GetMetricData` event: the queries into the body."""
    queries = context.pop(_QUERIES, None)
    if queries is not None:
        body = msgspec.json.decode(params["body"])
        params["body"] = msgspec.json.encode({**body, "MetricDataQueries": queries})
