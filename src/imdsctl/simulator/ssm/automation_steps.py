"""What one step of a runbook does: branch, wait, call EC2, assert a property.

Sources: Systems Manager User Guide, "Systems Manager Automation actions reference", and the API
Reference's StepExecution and FailureDetails.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from imdsctl.simulator import within
from imdsctl.simulator.ssm.automation_documents import Document

_PATH: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")
_GUIDE: Final = (
    "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
)
_THROTTLING: Final = {"RequestLimitExceeded", "Throttling"}
# The wire's names of the lists and members that the runbooks select from DescribeInstances.
_WIRE: Final = {
    "Reservations": ("reservationSet", "item"),
    "Instances": ("instancesSet", "item"),
}


class StepFailedError(Exception):
    """A step that fails, with AWS's words and the kind of failure (API: FailureDetails)."""

    def __init__(self, message: str, stage: str, kind: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.stage = stage
        self.kind = kind
        self.again = again


@dataclass(frozen=True, slots=True)
class Acting:
    """In whose name, and where, the steps of an execution call AWS."""

    account: str
    region: str
    who: str


@dataclass(slots=True)
class Done:
    """What came of a step: its outputs, the next step, and how long it takes in seconds."""

    outputs: dict[str, list[str]] = field(default_factory=dict)
    next_step: str | None = None
    seconds: float = 1.0


def resolved(value: Any, values: Mapping[str, str]) -> Any:
    """An input with the parameters' values in their places."""
    if isinstance(value, str):
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: values.get(found[1], ""), value)
    if isinstance(value, list):
        return [resolved(one, values) for one in value]
    if isinstance(value, Mapping):
        return {key: resolved(one, values) for key, one in value.items()}
    return value


def perform(step: Document, values: Mapping[str, str], acting: Acting) -> Done:
    """Do what a step does.

    Raises:
        StepFailedError: it fails.
    """
    inputs = resolved(step["inputs"], values)
    done = _performed(step, inputs, acting)
    if done.next_step is None and not step.get("isEnd"):
        done.next_step = step.get("nextStep")
    return done


def _performed(step: Document, inputs: Any, acting: Acting) -> Done:
    action = step["action"]
    if action == "aws:branch":
        taken = [c["NextStep"] for c in inputs["Choices"] if c["Variable"] == c["StringEquals"]]
        return Done(next_step=taken[0] if taken else inputs["Default"])
    if action == "aws:sleep":
        return Done(seconds=float(re.sub(r"\D", "", inputs["Duration"])))
    if action == "aws:executeScript":
        _script(inputs["InputPayload"], acting)
        return Done()
    if action == "aws:assertAwsResourceProperty":
        _assert(inputs, acting)
        return Done()
    if inputs["Api"] == "DescribeInstances":
        tree = _describe(inputs["InstanceIds"], acting)
        rows = step.get("outputs", ())
        return Done(outputs={row["Name"]: [_select(tree, row["Selector"])] for row in rows})
    members = {k: v for k, v in inputs.items() if k not in {"Service", "Api"}}
    _call(inputs["Api"], members, acting)
    return Done()


def _script(event: Mapping[str, str], acting: Acting) -> None:
    # The runbooks' one script; what it does is written out in the document.
    members = {"InstanceId": event["InstanceId"], "HttpTokens": "required"}
    if int(event["HttpPutResponseHopLimit"]) > 0:
        members["HttpPutResponseHopLimit"] = event["HttpPutResponseHopLimit"]
    _call("ModifyInstanceMetadataOptions", members, acting)


def _assert(inputs: Mapping[str, Any], acting: Acting) -> None:
    selector, wanted = inputs["PropertySelector"], inputs["DesiredValues"]
    found = _select(_describe(inputs["InstanceIds"], acting), selector)
    if found not in wanted:
        raise StepFailedError(
            "Step fails when it is verifying the property. "
            f"{selector} is {found}, expected {wanted}. {_GUIDE}",
            "PostVerification",
            "Verification",
        )


def _describe(ids: list[str], acting: Acting) -> Any:
    return _call(
        "DescribeInstances",
        {f"InstanceId.{number}": one for number, one in enumerate(ids, 1)},
        acting,
    )


def _call(operation: str, members: Mapping[str, str], acting: Acting) -> Any:
    reply = within.call(
        acting.account, acting.region, "ec2", {"Action": operation, **members}, acting.who
    )
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    tree = etree.fromstring(reply.body, parser)
    if reply.status < 300:  # noqa: PLR2004 - HTTP's successes
        return tree
    code = str(tree.xpath("string(//*[local-name()='Code'])"))
    message = str(tree.xpath("string(//*[local-name()='Message'])"))
    throttled = code in _THROTTLING
    denied = code in {"UnauthorizedOperation", "AccessDenied"}
    kind = "Throttling" if throttled else "Permission" if denied else "Action"
    raise StepFailedError(
        "Step fails when it is Execute/Cancelling action. "
        f"An error occurred ({code}) when calling the {operation} operation: {message} {_GUIDE}",
        "Invocation",
        kind,
        again=throttled,
    )


def _select(tree: Any, selector: str) -> str:
    """What a JSONPath of the runbooks' kind (`$.Reservations[0].…`) finds in an answer."""
    steps = []
    for part in selector.removeprefix("$.").split("."):
        matched = _PATH.fullmatch(part)
        assert matched is not None, selector
        name, index = matched[1], matched[2]
        if name in _WIRE:
            outer, item = _WIRE[name]
            steps.append(f"*[local-name()='{outer}']/*[local-name()='{item}'][{int(index) + 1}]")
        else:
            wire = name[0].lower() + name[1:]
            steps.append(f"*[local-name()='{wire}']")
    return str(tree.xpath(f"string(./{'/'.join(steps)})"))
