"""Systems Manager Automation: what an execution is asked to do, and what became of it."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from imdsctl.model.evidence import Cell
from imdsctl.model.plan import Change

Document = Literal[
    "AWSSupport-ConfigureEC2Metadata", "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"
]

CONFIGURE: Final[Document] = "AWSSupport-ConfigureEC2Metadata"
ENFORCE: Final[Document] = "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"
"""Only ever requires tokens: there is no way back in it (Automation runbook reference)."""

MOST_TARGETS: Final = 50
"""Values of one target (Systems Manager API Reference, Target)."""

OVER: Final = frozenset(
    {
        *("Success", "Failed", "TimedOut", "Cancelled", "Rejected", "Exited"),
        *("CompletedWithSuccess", "CompletedWithFailure"),
    }
)
"""The statuses that do not change any more (API Reference, AutomationExecution)."""

GOOD: Final = frozenset({"Success", "CompletedWithSuccess"})

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,6}|[1-9][0-9]?%|100%")
_ERRORS: Final = re.compile(r"0|[1-9][0-9]{0,6}|[1-9]?[0-9]%|100%")
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "imdsctl/automation")
_SET_BY_RUNBOOK: Final = frozenset({"http_tokens", "http_put_response_hop_limit"})
_HOPS: Final = range(1, 65)


class Via(Struct, frozen=True, kw_only=True):
    """How a run uses Automation; kept in its journal, so that it goes on as it began.

    `role` is the role that the runbook works as: AutomationAssumeRole, or ExecutionRoleName where
    several accounts or regions are concerned; then `administration_role` is AutomationAssumeRole.
    """

    document: Document = CONFIGURE
    role: str | None = None
    administration_role: str | None = None
    max_concurrency: str | None = None
    max_errors: str | None = None


class Order(Struct, frozen=True, kw_only=True):
    """One execution: a runbook with these parameters on these instances.

    One instance is a simple execution, several in one cell are rate-controlled, several cells are
    a parent with a child in each. `parameters` are all but the instance and the role.
    """

    document: Document
    parameters: dict[str, str]
    targets: dict[Cell, list[str]]
    token: str
    max_concurrency: str
    max_errors: str
    role: str | None = None
    administration_role: str | None = None

    def resources(self) -> list[str]:
        """The instances, in the order of the cells."""
        return [one for ids in self.targets.values() for one in ids]


class Target(Struct, frozen=True, kw_only=True):
    """What became of one instance; `step` and `message` say where and why it failed."""

    status: str
    execution: str = ""
    step: str = ""
    message: str = ""


class Execution(Struct, frozen=True, kw_only=True):
    """An execution as AWS shows it; `targets` by instance, those that were begun.

    `unread` says which children could not be read, and why.
    """

    id: str
    cell: Cell
    status: str
    message: str = ""
    targets: dict[str, Target] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER


def is_limit(text: str) -> bool:
    """Whether MaxConcurrency takes it: a number from 1, or 1% to 100%."""
    return _LIMIT.fullmatch(text) is not None


def is_error_limit(text: str) -> bool:
    """Whether MaxErrors takes it: a number, or 0% to 100%."""
    return _ERRORS.fullmatch(text) is not None


def unfit(change: Change, document: Document, *, undoing: bool) -> str:
    """Why a change cannot be made by a runbook, or nothing if it can.

    Both runbooks would leave an endpoint enabled that was disabled, or fail; neither knows IPv6
    or tags.
    """
    now, then = change.before, change.after
    if undoing:
        now, then = then, now
    if change.kind != "instance-options":
        return f"no runbook makes the change {change.kind}"
    if "disabled" in (now.get("http_endpoint"), then.get("http_endpoint")):
        return "the runbook would switch the metadata service on"
    differing = {key for key in {*now, *then} if now.get(key) != then.get(key)}
    if beyond := sorted(differing - _SET_BY_RUNBOOK):
        return f"the runbook cannot set {', '.join(beyond)}"
    if then.get("http_tokens") not in ("optional", "required"):
        return "the runbook would have to guess the tokens"
    if document == ENFORCE and then.get("http_tokens") != "required":
        return f"{ENFORCE} has no way back"
    hops = then.get("http_put_response_hop_limit")
    if "http_put_response_hop_limit" in differing and hops not in _HOPS:
        return f"the runbook cannot set a hop limit of {hops}"
    return ""


def parameters_of(change: Change, document: Document, *, undoing: bool) -> dict[str, str]:
    """All the parameters of a runbook for a change that fits it, but the instance.

    None is left to its default: those of AWSSupport-ConfigureEC2Metadata set tokens back to
    optional and switch the metadata service on.
    """
    now, then = change.before, change.after
    if undoing:
        now, then = then, now
    hops = then.get("http_put_response_hop_limit")
    kept = hops == now.get("http_put_response_hop_limit")
    found = {"HttpPutResponseHopLimit": "0" if kept else str(hops)}
    if document == CONFIGURE:
        found["EnforceIMDSv2"] = str(then["http_tokens"])
        found["MetadataAccess"] = "enabled"
    return found


def token_of(run: str, changes: Iterable[tuple[str, int]], order: Mapping[str, Any]) -> str:
    """The client token of an execution: the same whenever the same run asks for the same.

    Args:
        run: the run.
        changes: each change's id, and how often it was tried before.
        order: everything else that the request says.
    """
    body = msgspec.json.encode([run, sorted(changes), dict(order)], order="deterministic")
    return str(uuid.uuid5(_NAMESPACE, hashlib.sha256(body).hexdigest()))
