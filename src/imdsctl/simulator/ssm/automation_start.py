"""StartAutomationExecution: what is refused, and what is made of what is not.

Sources: API Reference, StartAutomationExecution; botocore's service model for the bounds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from moto.core.exceptions import ServiceException

from imdsctl.simulator import (
    _moto_env,  # noqa: F401 - must come before moto
    accounts,
)
from imdsctl.simulator.ec2.region import backend_of, state_of
from imdsctl.simulator.ssm import automation_book
from imdsctl.simulator.ssm.automation_book import book_of
from imdsctl.simulator.ssm.automation_documents import (
    content_of,
    problem_with,
    problem_with_value,
)
from imdsctl.simulator.ssm.automation_execution import Execution, Single
from imdsctl.simulator.ssm.automation_rate import Many, limit_of, rate_controlled
from imdsctl.simulator.ssm.automation_steps import Acting

EXECUTION_ROLE: Final = "AWS-SystemsManager-AutomationExecutionRole"
"""The role in every account where none is named (API Reference, TargetLocation)."""

_TOKEN: Final = re.compile(r"[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")
_COUNT: Final = re.compile(r"[1-9][0-9]*|[1-9][0-9]?%|100%")
_ERRORS: Final = re.compile(r"[1-9][0-9]*|0|[1-9][0-9]%|[0-9]%|100%")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")
_MOST_MAPS: Final = 300
_MOST_VALUES: Final = 50

Row = Mapping[str, Any]


class RefusedError(ServiceException):
    """A call that Systems Manager refuses, with its code."""


def _invalid(message: str) -> RefusedError:
    return RefusedError("InvalidAutomationExecutionParametersException", message)


def start(account: str, region: str, request: Row, who: str) -> Execution:
    """Start an execution, or find the one that the same request started before.

    Raises:
        RefusedError: the request makes no sense, or too much is under way.
    """
    book = book_of(account, region)
    name = str(request.get("DocumentName") or "").rsplit("/", 1)[-1]
    if content_of(name) is None:
        raise RefusedError(
            "AutomationDefinitionNotFoundException",
            f"Automation definition {request.get('DocumentName')} not found.",
        )
    if request.get("DocumentVersion", "1") not in {"1", "$DEFAULT", "$LATEST"}:
        raise RefusedError(
            "AutomationDefinitionVersionNotFoundException",
            f"Automation definition {name} has no version {request['DocumentVersion']}.",
        )
    token = str(request.get("ClientToken") or "").lower()
    if token and not _TOKEN.fullmatch(token):
        raise RefusedError(
            "ValidationException",
            f"Value '{token}' at 'clientToken' failed to satisfy constraint: a UUID is needed",
        )
    if earlier := book.tokens.get(token):
        if earlier.request != request:
            raise RefusedError(
                "IdempotentParameterMismatch",
                "The client token was used before with different parameters.",
            )
        return earlier
    made = _Plan(account, region, request, who, name).execution()
    if book.busy >= automation_book.LIMIT:
        raise RefusedError(
            "AutomationExecutionLimitExceededException",
            "The number of simultaneously running Automation executions exceeded the allowable "
            "limit.",
        )
    book.keep(made)
    if token:
        book.tokens[token] = made
    made.begin()
    return made


class _Plan:
    """One request, read and checked."""

    def __init__(self, account: str, region: str, request: Row, who: str, name: str) -> None:
        self._account, self._region, self._request = account, region, request
        self._who, self._name = who, name
        self._given: dict[str, list[str]] = dict(request.get("Parameters") or {})
        self._targets = request.get("Targets") or []
        self._maps = request.get("TargetMaps") or []
        self._locations = request.get("TargetLocations") or []
        self._targeted = str(request.get("TargetParameterName") or "")
        self._check()
        content = content_of(name)
        assert content is not None
        self._values = {
            key: str(rule["default"])
            for key, rule in content["parameters"].items()
            if "default" in rule
        } | {key: value[0] for key, value in self._given.items()}

    def _check(self) -> None:
        mapped = {key for row in self._maps for key in row}
        own = self._targeted if not self._maps else ""
        given = {k: v for k, v in self._given.items() if k not in mapped}
        given |= {key: self._maps[0][key][:1] for key in mapped}
        if why := problem_with(self._name, given, own):
            raise _invalid(why)
        located = any(row.get("Targets") for row in self._locations)
        if self._targets and self._maps:
            raise _invalid("Both Targets and TargetMaps cannot be specified together.")
        if (self._targets or self._maps or located) and not self._targeted:
            raise _invalid("TargetParameterName is required when targets are specified.")
        if self._targeted:
            content = content_of(self._name)
            assert content is not None
            if self._targeted not in content["parameters"]:
                raise _invalid(f"TargetParameterName {self._targeted} is no parameter.")
            if not (self._targets or self._maps or located):
                raise _invalid("Targets are required when TargetParameterName is specified.")
        if len(self._targets) > 1 or len(self._maps) > _MOST_MAPS:
            raise _invalid("Too many targets: one Targets entry, 300 TargetMaps.")
        for row in (self._request, *self._locations):
            self._check_limits(row)
        self._check_role()

    @staticmethod
    def _check_limits(row: Row) -> None:
        for key, value in row.items():
            pattern = _COUNT if key.endswith("MaxConcurrency") else _ERRORS
            if key.endswith(("MaxConcurrency", "MaxErrors")) and not pattern.fullmatch(str(value)):
                raise _invalid(f"{key} {value} is no number and no percentage.")

    def _check_role(self) -> None:
        arn = (self._given.get("AutomationAssumeRole") or [""])[0]
        if not arn:
            return
        matched = _ROLE_ARN.fullmatch(arn)
        known = accounts.current()
        if matched is None or matched[1] != self._account or known.no_role(matched[1], matched[2]):
            raise _invalid(f"The defined assume role is unable to be assumed: {arn}")

    def execution(self) -> Execution:
        """What is to run: one execution, or a parent of many."""
        arn = self._values.get("AutomationAssumeRole", "")
        acting = Acting(self._account, self._region, arn or self._who)
        if self._locations:
            return self._everywhere(acting)
        if self._targeted:
            return self._many(acting, self._targets, self._request)
        return Single(
            document=self._name,
            values=self._values,
            given=self._given,
            acting=acting,
            request=self._request,
        )

    def _many(
        self,
        acting: Acting,
        targets: Sequence[Row],
        limits: Row,
        prefix: str = "Max",
        **more: Any,
    ) -> Many:
        names, rows = self._resolve(acting, targets)
        more.setdefault("request", self._request)
        return rate_controlled(
            {"document": self._name, "values": self._values, "given": self._given},
            acting,
            rows,
            names,
            str(limits.get(f"{prefix}Concurrency") or "10"),
            str(limits.get(f"{prefix}Errors") or "0"),
            book_of(acting.account, acting.region).keep,
            **more,
        )

    def _resolve(
        self, acting: Acting, targets: Sequence[Row]
    ) -> tuple[list[str], list[dict[str, str]]]:
        """The targets by name, and the parameters that each has of its own."""
        if self._maps:
            rows = [{key: row[key][0] for key in row} for row in self._maps]
            names = [row.get(self._targeted, "") for row in rows]
        else:
            names = _instances(acting, targets[0])
            rows = [{self._targeted: one} for one in names]
        for row in rows:
            for key, value in row.items():
                if why := problem_with_value(self._name, key, value):
                    raise _invalid(why)
        return names, rows

    def _everywhere(self, acting: Acting) -> Many:
        """A parent with a child in each account and region."""
        known = accounts.current()
        waiting: list[Callable[[], Execution]] = []
        at_once = errors = 0
        parent = Many(
            document=self._name,
            values=self._values,
            given=self._given,
            acting=acting,
            request=self._request,
            waiting=waiting,
            concurrency=1,
            errors=0,
        )
        for row in self._locations:
            if not row.get("Accounts") or not row.get("Regions"):
                raise _invalid("TargetLocations need Accounts and Regions.")
            strange = [a for a in row["Accounts"] if not re.fullmatch(r"\d{12}", a)]
            unknown = [r for r in row["Regions"] if r not in known.regions]
            if strange or unknown:
                raise _invalid(f"Unknown accounts or regions: {', '.join(strange + unknown)}")
            cells = [(a, r) for a in row["Accounts"] for r in row["Regions"]]
            limit = str(row.get("TargetLocationMaxConcurrency") or "1")
            at_once += limit_of(limit, len(cells), errors=False)
            allowed = str(row.get("TargetLocationMaxErrors") or "0")
            errors += limit_of(allowed, len(cells), errors=True)
            waiting += [partial(self._there, parent, row, *cell) for cell in cells]
        # Each entry has limits of its own; they are added up, as if the entries ran side by side.
        parent.concurrency, parent.errors = at_once, errors
        return parent

    def _there(self, parent: Many, row: Row, account: str, region: str) -> Execution:
        """The child in one account and region."""
        role = str(row.get("ExecutionRoleName") or EXECUTION_ROLE)
        who = f"arn:aws:sts::{account}:assumed-role/{role}/Automation-{parent.id}"
        acting = Acting(account, region, who)
        more: dict[str, Any] = {
            "parent": parent,
            "settled": parent.child_settled,
            "gate": partial(_unreachable, role, account, region),
            "request": {
                "TargetParameterName": self._targeted,
                "Targets": row.get("Targets") or self._targets,
            },
        }
        child: Execution
        if self._targeted:
            own = row.get("Targets")
            limits, prefix = (row, "TargetsMax") if own else (self._request, "Max")
            child = self._many(acting, own or self._targets, limits, prefix, **more)
        else:
            child = Single(
                document=self._name, values=self._values, given=self._given, acting=acting, **more
            )
        book_of(account, region).keep(child)
        return child


def _unreachable(role: str, account: str, region: str) -> str:
    """Why Automation cannot work in an account's region, or nothing if it can."""
    known = accounts.current()
    why = known.no_role(account, role)
    if not why and known.denied(account, region):
        why = "a service control policy refuses every call there"
    return (
        f"Execution role {role} could not be assumed in account {account}, region {region}: {why}."
        if why
        else ""
    )


def _instances(acting: Acting, target: Row) -> list[str]:
    """The instances that a target means."""
    key, values = str(target.get("Key") or ""), list(target.get("Values") or [])
    if len(values) > _MOST_VALUES or not values:
        raise _invalid(f"Targets take from 1 to {_MOST_VALUES} values.")
    if key == "ParameterValues":
        return values
    backend = backend_of(acting.account, acting.region)
    living = [i for i in state_of(backend).instances.values() if i.state != "terminated"]
    if key == "AWS::EC2::Instance" and values == ["*"]:
        return sorted(one.id for one in living)
    if key.startswith("tag:"):
        tag = key.removeprefix("tag:")
        return sorted(i.id for i in living if backend.tags.get(i.id, {}).get(tag) in values)
    raise RefusedError(
        "InvalidTarget", f"The target {key} isn't valid, or it isn't simulated: {values}"
    )
