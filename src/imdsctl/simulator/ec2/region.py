"""What this simulator keeps about one account in one region, beside moto's own backend."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any

from imdsctl.simulator.ec2.errors import no_instances
from imdsctl.simulator.life import Options
from imdsctl.simulator.world import current

TERMINATED_VISIBLE = timedelta(hours=1)
"""How long DescribeInstances still shows a terminated instance ("usually less than one hour")."""

_ATTRIBUTE = "imdsctl_region"


class InstanceOptions:
    """An instance's metadata options, and when their last change has settled.

    `settles_at` None means not before the instance is started: a change to a stopped instance
    stays pending until then (API Reference, ModifyInstanceMetadataOptions).
    """

    __slots__ = ("settles_at", "values")

    def __init__(self, values: Options, settles_at: datetime | None) -> None:
        self.values = values
        self.settles_at = settles_at

    @property
    def state(self) -> str:
        """`pending` or `applied`, by the simulated clock."""
        settled = self.settles_at is not None and current().now >= self.settles_at
        return "applied" if settled else "pending"

    def __getattr__(self, name: str) -> Any:
        # moto's own code and serializer read the five members from this object.
        return getattr(self.values, name)


@dataclass(slots=True)
class RegionState:
    """One account in one region: its instances by id and in order, defaults, and remembered tokens.

    `replies` remembers answers by operation and client token, as (request, answer), so that a
    repeated request creates nothing twice.
    """

    account: str
    region: str
    instances: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, object] = field(default_factory=dict)
    defaults_managed_by: str = "account"
    defaults_message: str = ""
    replies: dict[tuple[str, str], tuple[str, Any]] = field(default_factory=dict)
    prototypes: list[Any] = field(default_factory=list)
    addresses: int = 0
    _order: list[Any] = field(default_factory=list)
    _born: int = 0
    _named: Counter[str] = field(default_factory=Counter)
    _dead: list[tuple[datetime, str]] = field(default_factory=list)

    def new_id(self, prefix: str, key: str) -> str:
        """The next id of a resource that `key` describes; the same in every run."""
        self._named[f"{prefix}{key}"] += 1
        text = f"{self.account}/{self.region}/{prefix}/{key}/{self._named[f'{prefix}{key}']}"
        return f"{prefix}-0{blake2b(text.encode(), digest_size=8).hexdigest()}"

    def add(self, instance: Any) -> None:
        """Take in a new instance."""
        self._born += 1
        instance.imdsctl_number = self._born
        self.instances[instance.id] = instance
        self._order.append(instance)

    def bury(self, instance: Any, when: datetime) -> None:
        """Let a terminated instance go out of sight an hour after `when`."""
        heappush(self._dead, (when + TERMINATED_VISIBLE, instance.id))

    def forget_the_dead(self, backend: Any) -> None:
        """Drop what was terminated more than an hour ago."""
        if not self._dead or self._dead[0][0] > current().now:
            return
        now = current().now
        gone = set()
        while self._dead and self._dead[0][0] <= now:
            gone.add(heappop(self._dead)[1])
        self._order = [instance for instance in self._order if instance.id not in gone]
        for instance_id in gone:
            instance = self.instances.pop(instance_id, None)
            backend.tags.pop(instance_id, None)
            if instance is None:
                continue
            reservation = instance.imdsctl_reservation
            reservation.instances.remove(instance)
            if not reservation.instances:
                backend.reservations.pop(reservation.id, None)

    def after(self, number: int) -> Iterator[Any]:
        """The instances born after the `number`th, in the order of their birth."""
        start = bisect_right(self._order, number, key=lambda instance: instance.imdsctl_number)
        for position in range(start, len(self._order)):
            yield self._order[position]

    def find(self, ids: list[str]) -> list[Any]:
        """The instances with these ids, in this order.

        Raises:
            Refused: InvalidInstanceID.NotFound or .Malformed, naming those that do not exist.
        """
        missing = [instance_id for instance_id in ids if instance_id not in self.instances]
        if missing:
            raise no_instances(missing)
        return [self.instances[instance_id] for instance_id in ids]

    @property
    def enforced(self) -> bool:
        """Whether launches and changes that leave tokens optional are refused."""
        return self.defaults.get("http_tokens_enforced") == "enabled"


def backend_of(account: str, region: str) -> Any:
    """The EC2 backend of moto for an account and region."""
    from moto.ec2.models import ec2_backends  # noqa: PLC0415 - moto is slow to import

    return ec2_backends[account][region]


def state_of(backend: Any) -> RegionState:
    """What the simulator keeps beside this backend; created when first asked for."""
    state = backend.__dict__.get(_ATTRIBUTE)
    if state is None:
        state = RegionState(backend.account_id, backend.region_name)
        setattr(backend, _ATTRIBUTE, state)
    return state  # type: ignore[no-any-return]


def set_defaults(
    account: str,
    region: str,
    defaults: Mapping[str, object],
    *,
    managed_by: str = "account",
    message: str = "",
) -> None:
    """Set an account's metadata defaults in a region, as a declarative policy or a seeder does.

    Args:
        account: the account's id.
        region: the region's name.
        defaults: `http_tokens`, `http_put_response_hop_limit`, `http_endpoint`,
            `instance_metadata_tags`, `http_tokens_enforced`; what is left out has no preference.
        managed_by: "account", or "declarative-policy", which refuses later changes by the account.
        message: the policy's own exception message.
    """
    state = state_of(backend_of(account, region))
    unset = {None, "no-preference", "no_preference", -1}
    state.defaults = {name: value for name, value in defaults.items() if value not in unset}
    state.defaults_managed_by = managed_by
    state.defaults_message = message


def naive(when: datetime) -> datetime:
    """`when` as moto keeps its times: UTC without a zone."""
    return when.astimezone(UTC).replace(tzinfo=None)
