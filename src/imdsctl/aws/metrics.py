"""The IMDSv1 calls of instances, from CloudWatch's two metrics.

Amazon EC2 User Guide, "CloudWatch metrics that are available for your instances":
`MetadataNoToken` counts calls without a token that were answered, `MetadataNoTokenRejected` those
that were refused because tokens are required. An instance reports one or the other. A period
without a data point says nothing; it is not zero.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import compress
from operator import itemgetter
from typing import Final

from msgspec.structs import replace

from imdsctl.aws.batches import in_batches
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, unreadable
from imdsctl.aws.own_calls import without
from imdsctl.aws.series import MalformedSeriesError, Query, Series, series_of, sum_query
from imdsctl.model.evidence import Calls, Cell, Metric, Unreadable
from imdsctl.model.host import OwnCalls
from imdsctl.ports import Counted, Watched

_ANSWERED: Final = "MetadataNoToken"
_REFUSED: Final = "MetadataNoTokenRejected"

# CloudWatch API Reference, GetMetricData.
_QUERIES: Final = 500
_POINTS: Final = 100_800

_HOUR: Final = 3600
_DAY: Final = 86400
_MINUTE: Final = 60
_FIVE_MINUTES: Final = 300
_NAMED: Final = 3
_FUTILE: Final = 2
_LISTED: Final = timedelta(days=14)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


def _floor(time: datetime, period: int) -> datetime:
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)


def _ceiling(time: datetime, period: int) -> datetime:
    return _floor(time + timedelta(seconds=period, microseconds=-1), period)


def _fine_period(start: datetime, end: datetime) -> int:
    """The finest period, in seconds, for which CloudWatch still has data as old as `start`.

    CloudWatch keeps one-minute points for 15 days, five-minute points for 63 days, and
    one-hour points for 455 days.
    """
    # A margin, because `end` is the caller's now and CloudWatch's may be a little later.
    age = end - start + timedelta(hours=1)
    if age < timedelta(days=15):
        return _MINUTE
    return _FIVE_MINUTES if age < timedelta(days=63) else _HOUR


def _per_call(start: datetime, end: datetime, period: int) -> int:
    """How many metrics to ask for in one call.

    500 at most; fewer where the answer would have more points than CloudWatch gives at once, so
    that an answer need not come in parts.
    """
    points = max(1, math.ceil((end - start).total_seconds() / period))
    return max(2, min(_QUERIES, _POINTS // points))


class AwsMetrics:
    """The `Metrics` port over CloudWatch's GetMetricData.

    Args:
        clients: the AWS clients.
        own_calls: the requests without a token that this tool's own probes made; they are taken
            out of what CloudWatch says.
    """

    def __init__(self, clients: Clients, own_calls: Callable[[], OwnCalls] = dict) -> None:
        self._clients = clients
        self._own_calls = own_calls

    def calls(
        self, cell: Cell, watched: Sequence[Watched], start: datetime, end: datetime
    ) -> Iterator[list[Calls] | Unreadable]:
        """Both metrics of each instance by the hour, in batches.

        MetadataNoTokenRejected is asked for only where ListMetrics knows it.

        The window is widened to full hours, because CloudWatch sums by the hour. What CloudWatch
        does not answer for is left out and named in one `Unreadable` at the end; the other
        instances are given. A `Metric` without any call has empty `per_day` and
        `per_hour_of_day` lists; the times of calls and data are the beginnings of their hours.
        """
        first, last = _floor(start, _HOUR), _ceiling(end, _HOUR)
        problems: list[str] = []
        seen = futile = 0
        refusing = self._refusing(cell, start, end) if watched else None
        share = 2 if refusing is None else 1
        own_calls = self._own_calls()
        for batch in in_batches(watched, _per_call(first, last, _HOUR) // share):
            queries = [
                sum_query(f"{letter}{index}", metric, item.id, _HOUR)
                for index, item in enumerate(batch)
                for letter, metric in (("a", _ANSWERED), ("r", _REFUSED))
                if metric == _ANSWERED or refusing is None or item.id in refusing
            ]
            try:
                answers, said = self._ask(cell, queries, first, last)
            except (*AWS_ERRORS, MalformedSeriesError) as problem:
                failure = self._unreadable(cell, problem)
                futile += 1
                problems.append(f"{failure.why} (asking for {len(batch)} instances)")
                if code_of(problem) in _DENIED or futile >= _FUTILE:
                    break  # the others would fare no better
                continue
            futile = 0
            found: list[Calls] = []
            bad: dict[str, list[str]] = {}
            for index, item in enumerate(batch):
                answered = answers.get(f"a{index}")
                refused = answers.get(f"r{index}")
                if refusing is not None and item.id not in refusing:
                    refused = _NOTHING
                status = _worst(answered, refused)
                if status != "Complete":
                    bad.setdefault(status, []).append(item.id)
                    continue
                own = own_calls.get((cell.account, cell.region, item.id), ())
                answered, less = without(answered, own, _HOUR, refused=False)
                refused, fewer = without(refused, own, _HOUR, refused=True)
                made = _calls(cell, item, start, end, first, answered, refused)
                found.append(replace(made, own=less + fewer) if less + fewer else made)
            seen += len(found)
            problems += [_names(status, ids) for status, ids in bad.items()] + said
            if found:
                yield found
        if problems:
            yield Unreadable(
                account=cell.account,
                region=cell.region,
                what="calls",
                why="; ".join(dict.fromkeys(problems)),
                seen=seen,
            )

    def _refusing(self, cell: Cell, start: datetime, end: datetime) -> set[str] | None:
        """The instances that have any point of MetadataNoTokenRejected, None if nobody can say.

        ListMetrics names the metrics that had data in the last two weeks (CloudWatch API
        Reference); it is free, and few instances have this one, so that asking first halves what
        a scan asks GetMetricData for. It may lag a quarter of an hour; gates do not rely on it.
        """
        if end - start > _LISTED:
            return None
        try:
            pages = self._clients.pages(
                cell, "cloudwatch", "ListMetrics", Namespace="AWS/EC2", MetricName=_REFUSED
            )
            return {
                dimension["Value"]
                for page in pages
                for metric in page.get("Metrics", ())
                for dimension in metric.get("Dimensions", ())
                if dimension["Name"] == "InstanceId"
            }
        except AWS_ERRORS:
            return None

    def rejected_since(
        self, cell: Cell, since: Mapping[str, datetime], end: datetime
    ) -> dict[str, int] | Unreadable:
        """Calls rejected per instance id after its own `since`, by the minute where possible.

        Counted are the points whose period begins at or after `since`: a call in a period that
        began before cannot be told from one made before. With basic monitoring a period has five
        minutes, so the first of them after a change may go by unseen. Ids without any data point
        are absent.
        """
        if not since:
            return {}
        period = _fine_period(min(since.values()), end)
        found = self._counted_since(cell, _REFUSED, since, end, period)
        if isinstance(found, Unreadable):
            return found
        return {instance: counted.calls for instance, counted in found.items()}

    def answered_since(
        self, cell: Cell, since: Mapping[str, datetime], end: datetime
    ) -> dict[str, Counted] | Unreadable:
        """IMDSv1 calls that were answered per instance id after its own `since`, up to `end`.

        Counted in periods of five minutes that begin at or after `since`. Ids without any data
        point are absent, which is no proof of silence.
        """
        if not since:
            return {}
        period = max(_FIVE_MINUTES, _fine_period(min(since.values()), end))
        # Of zeros only the number is known, so each is asked for from its own beginning on.
        together: dict[datetime, dict[str, datetime]] = {}
        for instance, begin in since.items():
            first = _ceiling(begin, period)
            together.setdefault(first, {})[instance] = first
        found: dict[str, Counted] = {}
        for some in together.values():
            counted = self._counted_since(cell, _ANSWERED, some, end, period)
            if isinstance(counted, Unreadable):
                return counted
            found.update(counted)
        return found

    def _counted_since(
        self, cell: Cell, metric: str, since: Mapping[str, datetime], end: datetime, period: int
    ) -> dict[str, Counted] | Unreadable:
        """The points of a metric whose period begins at or after each instance's `since`."""
        first, last = _floor(min(since.values()), period), _ceiling(end, period)
        found: dict[str, Counted] = {}
        if first >= last:
            return found
        own_calls = self._own_calls()
        letter = "r" if metric == _REFUSED else "a"
        for batch in in_batches(since.items(), _per_call(first, last, period)):
            queries = [
                sum_query(f"{letter}{index}", metric, instance, period)
                for index, (instance, _) in enumerate(batch)
            ]
            try:
                answers, said = self._ask(cell, queries, first, last)
            except (*AWS_ERRORS, MalformedSeriesError) as problem:
                return self._unreadable(cell, problem, len(found))
            for index, (instance, begin) in enumerate(batch):
                series = answers.get(f"{letter}{index}")
                status = _worst(series)
                if status != "Complete" or said:
                    why = "; ".join(said or [_names(status, [instance])])
                    return Unreadable(
                        account=cell.account,
                        region=cell.region,
                        what="calls",
                        why=why,
                        seen=len(found),
                    )
                own = own_calls.get((cell.account, cell.region, instance), ())
                series, _ = without(series, own, period, refused=metric == _REFUSED)
                if series is not None and series.points:
                    found[instance] = _counted(series, begin.timestamp())
        return found

    def _ask(
        self, cell: Cell, queries: list[Query], start: datetime, end: datetime
    ) -> tuple[dict[str, Series], list[str]]:
        """The series by query id, and what CloudWatch has to say about the answer as a whole."""
        answers: dict[str, Series] = {}
        said: list[str] = []
        for page in self._clients.pages(
            cell,
            "cloudwatch",
            "GetMetricData",
            MetricDataQueries=queries,
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        ):
            for series in series_of(page):
                earlier = answers.get(series.id)
                answers[series.id] = _joined(earlier, series) if earlier else series
            said += [_said(message) for message in page.get("Messages", ())]
        return answers, said

    def _unreadable(self, cell: Cell, problem: Exception, seen: int = 0) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, "calls", problem, own=own, seen=seen)


_NOTHING: Final = Series("", "Complete", 0, 0.0, 0.0)


def _worst(*series: Series | None) -> str:
    """The first status that is not Complete; a metric that was not answered for at all is none."""
    for one in series:
        if one is None:
            return "NoAnswer"
        if one.status != "Complete":
            return one.status
    return "Complete"


def _names(status: str, ids: Sequence[str]) -> str:
    some = ", ".join(ids[:_NAMED])
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"CloudWatch answers {status} for {some}{more}"


def _said(message: dict[str, str]) -> str:
    return f"{message.get('Code', '')}: {message.get('Value', '')}"


def _joined(earlier: Series, later: Series) -> Series:
    """A metric's points from two pages of one answer."""
    # PartialData means that the next page has more of it; so the last status counts.
    if not earlier.points or not later.points:
        filled = earlier if earlier.points else later
        return replace(filled, status=later.status)
    return Series(
        later.id,
        later.status,
        earlier.points + later.points,
        min(earlier.first, later.first),
        max(earlier.last, later.last),
        earlier.times + later.times,
        earlier.values + later.values,
    )


def _counted(series: Series, begin: float) -> Counted:
    if not series.values:
        return Counted(calls=0, periods=series.points)
    points = [v for t, v in zip(series.times, series.values, strict=True) if t >= begin]
    return Counted(calls=round(sum(points)), periods=len(points))


def _calls(
    cell: Cell,
    item: Watched,
    start: datetime,
    end: datetime,
    first: datetime,
    answered: Series | None,
    refused: Series | None,
) -> Calls:
    running = (end - max(start, item.since)).total_seconds()
    return Calls(
        id=item.id,
        account=cell.account,
        region=cell.region,
        window_start=start,
        window_end=end,
        hours_running=max(0, math.ceil(running / _HOUR)),
        v1=_metric(answered, first, end),
        rejected=_metric(refused, first, end),
    )


def _metric(series: Series | None, first: datetime, end: datetime) -> Metric | None:
    """The sums of one metric; None where there is no data point at all."""
    if series is None or not series.points:
        return None
    if not series.values:
        return _quiet(series.points, series.first, series.last)
    midnight = int(first.timestamp()) // _DAY
    days = int(end.timestamp()) // _DAY - midnight + 1
    by_day, by_hour = _places(series.times, midnight, days)
    per_day = _sums(series.values, by_day)
    called = list(compress(series.times, series.values))
    return Metric(
        total=sum(per_day),
        hours_with_data=series.points,
        hours_with_calls=len(called),
        first_call=_time(min(called)),
        last_call=_time(max(called)),
        first_data=_time(series.first),
        last_data=_time(series.last),
        per_day=per_day,
        per_hour_of_day=_sums(series.values, by_hour),
    )


@lru_cache(maxsize=1024)
def _quiet(points: int, first: float, last: float) -> Metric:
    """A metric without any call: most are, and most of those look the same."""
    return Metric(hours_with_data=points, first_data=_time(first), last_data=_time(last))


_Places = list[Callable[[tuple[float, ...]], tuple[float, ...]]]
"""What takes the values of each day, or of each hour of the day, out of a metric's values."""


@lru_cache(maxsize=64)
def _places(times: tuple[float, ...], midnight: int, days: int) -> tuple[_Places, _Places]:
    """Which of a metric's points belong to each day from `midnight` on, and to each UTC hour.

    Metrics mostly have the same times, and then this is found out once.
    """
    by_day: list[list[int]] = [[] for _ in range(days)]
    by_hour: list[list[int]] = [[] for _ in range(24)]
    for place, time in enumerate(times):
        hour = int(time) // _HOUR
        by_day[hour // 24 - midnight].append(place)
        by_hour[hour % 24].append(place)
    return [_getter(day) for day in by_day], [_getter(hour) for hour in by_hour]


def _getter(places: list[int]) -> Callable[[tuple[float, ...]], tuple[float, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    # Of a single place, itemgetter would give the value itself.
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0))


def _sums(values: tuple[float, ...], places: _Places) -> list[int]:
    return [round(sum(values_at(values))) for values_at in places]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
