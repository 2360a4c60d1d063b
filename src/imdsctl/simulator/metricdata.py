"""GetMetricData over the lives of instances: queries, statistics, pages and fast rendering."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape

from imdsctl.simulator.life import Life
from imdsctl.simulator.lifespan import METRICS, SLOT_SECONDS, Points, points

MAX_QUERIES: Final = 500
MAX_DATAPOINTS: Final = 100_800
_DAY: Final = 86_400
_ID: Final = re.compile(r"[a-z][A-Za-z0-9_]*")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0+)?)")
_SUMMED: Final = ("Sum", "SampleCount", "Average")
_NAMESPACE: Final = "http://monitoring.amazonaws.com/doc/2010-08-01/"


class InvalidQueryError(ValueError):
    """A request that CloudWatch refuses; the text is the message it gives."""


class InvalidTokenError(ValueError):
    """A NextToken that does not belong to the request."""


@dataclass(frozen=True, slots=True)
class Result:
    """One MetricDataResult, oldest point first; times are seconds since the epoch."""

    id: str
    label: str
    times: tuple[int, ...]
    values: tuple[float, ...]
    complete: bool = True


def seconds(value: datetime | float | str) -> int:
    """A time of a request, in whatever form its protocol gave it, in seconds since the epoch."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return int(value)


def window(start: int, end: int, now: int) -> tuple[int, int]:
    """The times in which points can lie: rounded as AWS says, and not beyond the last full slot.

    StartTime is rounded down to the minute, from 15 days ago on to five minutes, from 63 days
    ago on to the hour (CloudWatch API Reference, GetMetricData).
    """
    age = (now - start) / _DAY
    grain = 60 if age < 15 else SLOT_SECONDS if age < 63 else 3600  # noqa: PLR2004 - AWS's days
    return start - start % grain, min(end, now - now % SLOT_SECONDS)


def oldest(period: int, now: int) -> int:
    """Before which there are no points: hourly ones are kept 455 days, finer ones 63."""
    return now - (455 if period % 3600 == 0 else 63) * _DAY


def check(queries: Sequence[Mapping[str, Any]], start: int, end: int) -> None:
    """Refuse what GetMetricData refuses.

    Raises:
        InvalidQueryError: with AWS's message.
    """
    if start >= end:
        relation = "not equal" if start == end else "be less than"
        raise InvalidQueryError(f"The parameter StartTime must {relation} parameter EndTime.")
    if len(queries) > MAX_QUERIES:
        raise InvalidQueryError(
            f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        )
    seen: set[str] = set()
    for number, query in enumerate(queries, 1):
        member = f"MetricDataQueries.member.{number}"
        name = query.get("Id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise InvalidQueryError(
                f'The value {name} for parameter {member}.Id is not matched by the pattern "'
                f'^[a-z][a-zA-Z0-9_]*$".'
            )
        if name in seen:
            raise InvalidQueryError(
                "The values for parameter id in MetricDataQueries must be unique."
            )
        seen.add(name)
        if ("MetricStat" in query) == ("Expression" in query):
            raise InvalidQueryError(
                f"The parameter {member} must have either MetricStat or Expression.\n"
                if "MetricStat" in query
                else f"The parameter {member}.MetricStat is required.\n"
            )
        if "MetricStat" in query:
            check_period(int(query["MetricStat"].get("Period") or 0), f"{member}.MetricStat.Period")


def check_period(period: int, member: str) -> None:
    """Refuse a period that CloudWatch does not know.

    Raises:
        InvalidQueryError: with AWS's message.
    """
    if period not in {1, 5, 10, 30} and (period < 1 or period % 60):
        raise InvalidQueryError(
            f"The parameter {member} must be 1, 5, 10, 30 or a multiple of 60, not {period}."
        )


def instance_of(namespace: str | None, name: str | None, dimensions: Any) -> str | None:
    """The instance that a metric of ours is about, or None for a metric of anyone else's.

    CloudWatch matches dimensions exactly: with none, or with others, there is no such metric,
    which the empty text says.
    """
    if namespace != "AWS/EC2" or name not in METRICS:
        return None
    given = [(one.get("Name"), one.get("Value")) for one in dimensions or ()]
    return given[0][1] if len(given) == 1 and given[0][0] == "InstanceId" else ""


def known_statistic(stat: str) -> bool:
    """Whether `stat` is one that can be computed here: Sum, Average, p99 and so on."""
    return stat in {*_SUMMED, "Minimum", "Maximum"} or _PERCENTILE.fullmatch(stat) is not None


def evaluate(
    life: Life | None, name: str, stat: str, period: int, span: tuple[int, int], now: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """One statistic of one instance's metric: times and values, oldest first.

    Sums of five-minute points are the samples: Average is the sum over the number of points,
    Minimum, Maximum and the percentiles are taken over the points of a period.
    """
    start, end = span
    if life is None:
        return (), ()
    metric = METRICS[METRICS.index(name)]
    period = max(period, 60)
    kept = oldest(period, now)
    # Whole buckets from before anything was kept need not be looked at.
    start += max(0, kept - start) // period * period
    if stat in _SUMMED:
        found = points(life, metric, start, end, period, kept)
        return found.times, _summed(found, stat)
    fine = points(life, metric, start, end, 60, kept)
    buckets: dict[int, list[float]] = {}
    for time, value in zip(fine.times, fine.sums, strict=True):
        buckets.setdefault(time - (time - start) % period, []).append(value)
    return tuple(buckets), tuple(_ranked(sorted(values), stat) for values in buckets.values())


def _summed(found: Points, stat: str) -> tuple[float, ...]:
    if stat == "Sum":
        return found.sums
    if stat == "SampleCount":
        return tuple(float(count) for count in found.samples)
    return tuple(total / count for total, count in zip(found.sums, found.samples, strict=True))


def _ranked(values: list[float], stat: str) -> float:
    """A value of a sorted list; percentiles are interpolated between neighbours."""
    if stat == "Minimum":
        return values[0]
    if stat == "Maximum":
        return values[-1]
    position = float(stat[1:]) / 100 * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (position - below)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: at which result and which of its points, as of which simulated time."""

    result: int
    point: int
    now: int


def digest(parts: Iterable[object]) -> str:
    """What ties a NextToken to its request."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_token(request: str, position: Position) -> str:
    """An opaque NextToken."""
    value = [request, position.result, position.point, position.now]
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def read_token(token: str, request: str) -> Position:
    """The position that `write_token` wrote.

    Raises:
        InvalidTokenError: it is none, or one of another request.
    """
    try:
        owner, result, point, now = json.loads(base64.urlsafe_b64decode(token))
        position = Position(int(result), int(point), int(now))
    except (ValueError, TypeError) as error:
        raise InvalidTokenError("The NextToken is not valid.") from error
    if owner != request or min(result, point, now) < 0:
        raise InvalidTokenError("The NextToken belongs to another request.")
    return position


def page(
    results: Sequence[Callable[[], Result]], position: Position, limit: int, *, descending: bool
) -> tuple[list[Result], Position | None]:
    """At most `limit` points of `results` from `position` on, and where the next page begins.

    Only the results that the page shows are computed.

    A result that goes on in the next page is marked as not complete (PartialData). Points stay
    in the order asked for across pages.
    """
    taken: list[Result] = []
    point = position.point
    for index in range(position.result, len(results)):
        one = results[index]()
        times, values = (
            (one.times[::-1], one.values[::-1]) if descending else (one.times, one.values)
        )
        if point or len(times) > limit:
            times, values = times[point : point + limit], values[point : point + limit]
        reached = point + len(times)
        complete = reached >= len(one.times)
        if times or complete:
            taken.append(Result(one.id, one.label, times, values, complete))
        if not complete:
            return taken, Position(index, reached, position.now)
        limit -= len(times)
        point = 0
        if limit <= 0 and index + 1 < len(results):
            return taken, Position(index + 1, 0, position.now)
    return taken, None


@lru_cache(maxsize=256)
def _json_numbers(numbers: tuple[float, ...]) -> str:
    return "[" + ",".join(map(repr, numbers)) + "]"


def _json_values(values: tuple[float, ...]) -> str:
    # Most of a fleet is quiet: the same run of zeros, again and again.
    return "[" + ",".join(map(repr, values)) + "]" if any(values) else _json_numbers(values)


def to_json(results: Sequence[Result], token: str | None) -> str:
    """The body of a GetMetricData answer in AWS's JSON protocol."""
    members = ",".join(
        f'{{"Id":{json.dumps(one.id)},"Label":{json.dumps(one.label)},'
        f'"Timestamps":{_json_numbers(one.times)},"Values":{_json_values(one.values)},'
        f'"StatusCode":"{_status(one)}"}}'
        for one in results
    )
    more = f',"NextToken":{json.dumps(token)}' if token else ""
    return f'{{"MetricDataResults":[{members}],"Messages":[]{more}}}'


@lru_cache(maxsize=64)
def _xml_times(times: tuple[int, ...]) -> str:
    return "".join(
        f"<member>{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}</member>" for time in times
    )


def to_xml(results: Sequence[Result], token: str | None) -> str:
    """The body of a GetMetricData answer in AWS's query protocol."""
    members = "".join(
        f"<member><Id>{one.id}</Id><Label>{escape(one.label)}</Label>"
        f"<Timestamps>{_xml_times(one.times)}</Timestamps>"
        f"<Values>{''.join(f'<member>{value!r}</member>' for value in one.values)}</Values>"
        f"<StatusCode>{_status(one)}</StatusCode></member>"
        for one in results
    )
    more = f"<NextToken>{escape(token)}</NextToken>" if token else ""
    return (
        f'<GetMetricDataResponse xmlns="{_NAMESPACE}"><GetMetricDataResult>'
        f"<MetricDataResults>{members}</MetricDataResults><Messages/>{more}</GetMetricDataResult>"
        f"<ResponseMetadata><RequestId></RequestId></ResponseMetadata></GetMetricDataResponse>"
    )


def _status(one: Result) -> str:
    return "Complete" if one.complete else "PartialData"
