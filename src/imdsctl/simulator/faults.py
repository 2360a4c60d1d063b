"""Faults that the simulated AWS shows when asked to: throttling, silence, refusals, garbage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from imdsctl.simulator.calls import Call

Kind = Literal[
    "throttle",
    "500",
    "503",
    "timeout",
    "lost-response",
    "denied",
    "expired",
    "garbled",
    "slow",
    "duplicated",
]
KINDS: tuple[str, ...] = get_args(Kind)
ANY_OPERATION = "*"
_MEMBERS = {"operation", "account", "region", "after", "times", "fault", "seconds"}


class BadRequestError(Exception):
    """A request to the control endpoint that makes no sense; its text says what was expected."""


@dataclass(slots=True)
class Fault:
    """One fault, and how often it was met.

    The first `after` matching calls pass, the next `times` meet the fault (all of them if None).
    `seconds` are real seconds: the latency of `slow` (default 1), the silence of `timeout`
    (default 1) before the connection is closed.
    """

    operation: str
    fault: Kind
    account: str | None = None
    region: str | None = None
    after: int = 0
    times: int | None = None
    seconds: float = 1.0
    matched: int = 0

    def strikes(self, call: Call) -> bool:
        """Whether `call` meets this fault; counts it if it is one this fault is meant for."""
        if self.operation not in {ANY_OPERATION, call.operation}:
            return False
        if self.account not in {None, call.account} or self.region not in {None, call.region}:
            return False
        self.matched += 1
        struck = self.matched - self.after
        return struck > 0 and (self.times is None or struck <= self.times)


def parse_faults(value: object) -> list[Fault]:
    """Read the list that a client posts.

    Raises:
        BadRequestError: it is no list of faults; the text names the item and the member.
    """
    if not isinstance(value, list):
        raise BadRequestError(f"expected a list of faults, got {type(value).__name__}")
    return [_parse_fault(item, f"fault {number}") for number, item in enumerate(value, 1)]


def _parse_fault(item: object, where: str) -> Fault:
    if not isinstance(item, Mapping):
        raise BadRequestError(f"{where}: expected an object, got {type(item).__name__}")
    unknown = sorted(set(item) - _MEMBERS)
    if unknown:
        known = ", ".join(sorted(_MEMBERS))
        raise BadRequestError(f"{where}: unknown key {unknown[0]!r}; the keys are {known}")
    operation, kind = item.get("operation"), item.get("fault")
    if not isinstance(operation, str) or not operation:
        raise BadRequestError(f"{where}: operation must name an API operation, or be '*'")
    if kind not in KINDS:
        raise BadRequestError(f"{where}: fault must be one of {', '.join(KINDS)}, not {kind!r}")
    for key in ("account", "region"):
        if item.get(key) is not None and not isinstance(item[key], str):
            raise BadRequestError(f"{where}: {key} must be a string, not {item[key]!r}")
    seconds = item.get("seconds", 1.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 600:  # noqa: PLR2004 - ten minutes is longer than any client waits
        raise BadRequestError(f"{where}: seconds must be a number from 0 to 600, not {seconds!r}")
    times = item.get("times")
    return Fault(
        operation=operation,
        fault=kind,
        account=item.get("account"),
        region=item.get("region"),
        after=_count(item.get("after", 0), f"{where}: after"),
        times=None if times is None else _count(times, f"{where}: times"),
        seconds=float(seconds),
    )


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadRequestError(f"{where} must be a whole number from 0, not {value!r}")
    return value


class Faults:
    """The faults in force. The first one that strikes decides a call's fate."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put `faults` in the place of all earlier ones."""
        self._faults = faults

    def strike(self, call: Call) -> Fault | None:
        """The fault that `call` meets, if any."""
        for fault in self._faults:
            if fault.strikes(call):
                return fault
        return None
