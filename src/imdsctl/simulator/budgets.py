"""AWS's published API rates as token buckets (Amazon EC2 API Reference: "Request throttling").

Each API of each account and region has a bucket of its own, which refills in simulated time.
Launching, starting, stopping and terminating also draw on buckets that count instances.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from imdsctl.simulator.calls import Call


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket's size, and how many tokens it gains a second."""

    size: float
    refill: float


_NON_MUTATING = Rate(100, 20)
_UNBOUNDED_LIST = Rate(50, 10)
_MUTATING = Rate(50, 5)

# Lists that have a bucket of their own when they are asked with neither a filter nor a page size.
_COSTLY_LISTS = frozenset(
    {
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSnapshots",
        "DescribeSpotInstanceRequests",
        "DescribeVolumes",
    }
)

_EC2_RATES = MappingProxyType(
    {
        "CreateLaunchTemplateVersion": Rate(100, 5),
        "DescribeSpotFleetRequests": Rate(50, 3),
        "ModifyImageAttribute": Rate(100, 5),
        "ModifyInstanceMetadataDefaults": Rate(2, 2),
        "ModifyInstanceMetadataOptions": Rate(100, 5),
        "ModifyLaunchTemplate": Rate(100, 5),
        "RunInstances": Rate(5, 2),
        "StartDeclarativePoliciesReport": Rate(1, 1),
        "StartInstances": Rate(5, 2),
        "TerminateInstances": Rate(100, 5),
    }
)

_INSTANCE_RATES = MappingProxyType(
    {
        "RunInstances": Rate(1000, 2),
        "StartInstances": Rate(1000, 2),
        "StopInstances": Rate(1000, 20),
        "TerminateInstances": Rate(1000, 20),
    }
)

# CloudWatch User Guide, "CloudWatch service quotas": requests a second, per account and region.
_CLOUDWATCH_RATES = MappingProxyType(
    {
        "DescribeAlarms": Rate(9, 9),
        "GetMetricData": Rate(500, 500),
        "GetMetricStatistics": Rate(400, 400),
        "ListMetrics": Rate(25, 25),
        "PutMetricAlarm": Rate(3, 3),
    }
)


def request_rate(call: Call) -> Rate | None:
    """The published rate of a call; None where AWS publishes none."""
    if call.service == "monitoring":
        return _CLOUDWATCH_RATES.get(call.operation)
    if call.service != "ec2":
        return None
    if call.operation in _EC2_RATES:
        return _EC2_RATES[call.operation]
    if call.operation.startswith(("Describe", "Get", "List", "Search")):
        return _UNBOUNDED_LIST if _is_unbounded(call) else _NON_MUTATING
    return _MUTATING


def _is_unbounded(call: Call) -> bool:
    return call.operation in _COSTLY_LISTS and not any(
        name == "MaxResults" or name.startswith(("Filter.", "InstanceId."))
        for name in call.parameters
    )


def instance_count(call: Call) -> int:
    """How many instances a call launches, starts, stops or terminates."""
    if call.operation == "RunInstances":
        count = call.parameters.get("MaxCount", "1")
        return int(count) if count.isdigit() else 1
    return sum(1 for name in call.parameters if re.fullmatch(r"InstanceId\.\d+", name))


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: datetime


class Budgets:
    """The token buckets of every account, region and API; full until they are first drawn on."""

    def __init__(self) -> None:
        self.enforced = False
        self._buckets: dict[tuple[str, str, str, Rate], _Bucket] = {}

    def enforce(self, *, enforced: bool) -> None:
        """Enforce the published rates from now on, or no more; all buckets start full."""
        self.enforced = enforced
        self._buckets.clear()

    def admit(self, call: Call, now: datetime) -> bool:
        """Whether `call` is within its rates at the simulated time `now`; draws the tokens."""
        if not self.enforced:
            return True
        rate = request_rate(call)
        if rate is None:
            return True
        draws = [(self._refilled(call, rate, now), 1.0)]
        by_instance = _INSTANCE_RATES.get(call.operation) if call.service == "ec2" else None
        if by_instance is not None:
            draws.append((self._refilled(call, by_instance, now), float(instance_count(call))))
        if any(bucket.tokens < wanted for bucket, wanted in draws):
            return False
        for bucket, wanted in draws:
            bucket.tokens -= wanted
        return True

    def _refilled(self, call: Call, rate: Rate, now: datetime) -> _Bucket:
        key = (call.account, call.region, call.operation, rate)
        bucket = self._buckets.setdefault(key, _Bucket(rate.size, now))
        gained = (now - bucket.at).total_seconds() * rate.refill
        bucket.tokens = min(rate.size, bucket.tokens + gained)
        bucket.at = now
        return bucket
