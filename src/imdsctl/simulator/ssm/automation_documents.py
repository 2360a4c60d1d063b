"""The two Amazon-owned runbooks that set an instance's metadata options, as AWS describes them.

Parameters, defaults, step names and outputs are those of the Systems Manager Automation runbook
reference; the inputs of the steps follow their descriptions there. The content is what GetDocument
answers and also what is executed, so it cannot say one thing and do another.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

Document = Mapping[str, Any]

CONFIGURE: Final = "AWSSupport-ConfigureEC2Metadata"
ENFORCE: Final = "AWSConfigRemediation-EnforceEC2InstanceIMDSv2"

_PUBLISHED: Final = datetime(2021, 3, 1, tzinfo=UTC)
_OPTIONS: Final = "$.Reservations[0].Instances[0].MetadataOptions"
_ASSUME_ROLE: Final = {
    "type": "String",
    "description": "The ARN of the role that allows Automation to perform the actions.",
    "allowedPattern": r"^$|^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$",
}
_INSTANCE: Final = {
    "type": "String",
    "description": "(Required) The ID of the instance whose metadata settings are configured.",
    "allowedPattern": r"^i-[0-9a-f]{8}([0-9a-f]{9})?$",
}


def _wait(name: str, then: str) -> Document:
    return {
        "name": name,
        "action": "aws:sleep",
        "inputs": {"Duration": "PT30S"},
        "nextStep": then,
    }


def _branch(name: str, variable: str, choices: Mapping[str, str], default: str = "") -> Document:
    rows = [
        {"NextStep": step, "Variable": variable, "StringEquals": value}
        for value, step in choices.items()
    ]
    inputs: dict[str, Any] = {"Choices": rows}
    return {
        "name": name,
        "action": "aws:branch",
        "inputs": {**inputs, "Default": default} if default else inputs,
    }


def _modify(name: str, then: str, **members: str) -> Document:
    return {
        "name": name,
        "action": "aws:executeAwsApi",
        "inputs": {
            "Service": "ec2",
            "Api": "ModifyInstanceMetadataOptions",
            "InstanceId": "{{ InstanceId }}",
            **members,
        },
        "nextStep": then,
    }


def _assert(name: str, member: str, wanted: str, then: str) -> Document:
    last = {"nextStep": then} if then else {"isEnd": True}
    return {
        "name": name,
        "action": "aws:assertAwsResourceProperty",
        "inputs": {
            "Service": "ec2",
            "Api": "DescribeInstances",
            "InstanceIds": ["{{ InstanceId }}"],
            "PropertySelector": f"{_OPTIONS}.{member}",
            "DesiredValues": [wanted],
        },
        **last,
    }


_TOKENS: Final = "{{ EnforceIMDSv2 }}"
_ACCESS: Final = "{{ MetadataAccess }}"
_HOPS: Final = "{{ HttpPutResponseHopLimit }}"
_LAST: Final = "describeMetadataOptions"
_BY_TOKENS: Final = "branchVerificationOnIMDSv2Option"

_CONTENT: Final[dict[str, Document]] = {
    CONFIGURE: {
        "schemaVersion": "0.3",
        "description": "Configure the instance metadata service (IMDS) options of an instance.",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "outputs": [f"{_LAST}.{name}" for name in ("State", "MetadataAccess", "IMDSv2")]
        + [f"{_LAST}.HttpPutResponseHopLimit"],
        "parameters": {
            "InstanceId": _INSTANCE,
            "EnforceIMDSv2": {
                "type": "String",
                "description": "(Optional) Enforce IMDSv2.",
                "default": "optional",
                "allowedValues": ["required", "optional"],
            },
            "HttpPutResponseHopLimit": {
                "type": "Integer",
                "description": "(Optional) The hop limit (1-64); 0 keeps the current one.",
                "default": 0,
                "allowedPattern": r"^([1-5]?\d|6[0-4])$",
            },
            "MetadataAccess": {
                "type": "String",
                "description": "(Optional) Allow or deny metadata access; "
                "`disabled` ignores the other parameters.",
                "default": "enabled",
                "allowedValues": ["enabled", "disabled"],
            },
            "AutomationAssumeRole": {**_ASSUME_ROLE, "default": ""},
        },
        "mainSteps": [
            _branch(
                "branchOnMetadataAccess",
                _ACCESS,
                {
                    "disabled": "disableMetadataAccess",
                    "enabled": "branchOnHttpPutResponseHopLimit",
                },
            ),
            _modify(
                "disableMetadataAccess", "waitBeforeAssertingMetadataState", HttpEndpoint=_ACCESS
            ),
            _branch(
                "branchOnHttpPutResponseHopLimit",
                _HOPS,
                {"0": "maintainHopLimitAndConfigureImdsVersion"},
                default="setHopLimitAndConfigureImdsVersion",
            ),
            _modify(
                "maintainHopLimitAndConfigureImdsVersion",
                "waitBeforeAssertingIMDSv2State",
                HttpTokens=_TOKENS,
                HttpEndpoint=_ACCESS,
            ),
            _wait("waitBeforeAssertingIMDSv2State", _BY_TOKENS),
            _modify(
                "setHopLimitAndConfigureImdsVersion",
                "waitBeforeAssertingHopLimit",
                HttpTokens=_TOKENS,
                HttpEndpoint=_ACCESS,
                HttpPutResponseHopLimit=_HOPS,
            ),
            _wait("waitBeforeAssertingHopLimit", "assertHopLimit"),
            _assert("assertHopLimit", "HttpPutResponseHopLimit", _HOPS, _BY_TOKENS),
            _branch(
                _BY_TOKENS,
                _TOKENS,
                {"optional": "assertIMDSv2IsOptional", "required": "assertIMDSv2IsEnforced"},
            ),
            _assert("assertIMDSv2IsOptional", "HttpTokens", "optional", _LAST),
            _assert("assertIMDSv2IsEnforced", "HttpTokens", "required", _LAST),
            _wait("waitBeforeAssertingMetadataState", "assertMetadataIsDisabled"),
            _assert("assertMetadataIsDisabled", "HttpEndpoint", "disabled", _LAST),
            {
                "name": _LAST,
                "action": "aws:executeAwsApi",
                "inputs": {
                    "Service": "ec2",
                    "Api": "DescribeInstances",
                    "InstanceIds": ["{{ InstanceId }}"],
                },
                "outputs": [
                    {"Name": name, "Selector": f"{_OPTIONS}.{member}", "Type": "String"}
                    for name, member in (
                        ("State", "State"),
                        ("MetadataAccess", "HttpEndpoint"),
                        ("IMDSv2", "HttpTokens"),
                        ("HttpPutResponseHopLimit", "HttpPutResponseHopLimit"),
                    )
                ],
                "isEnd": True,
            },
        ],
    },
    ENFORCE: {
        "schemaVersion": "0.3",
        "description": "Require IMDSv2 on an instance; there is no way back in this runbook.",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "InstanceId": _INSTANCE,
            "AutomationAssumeRole": {
                **_ASSUME_ROLE,
                "allowedPattern": r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$",
            },
            "HttpPutResponseHopLimit": {
                "type": "Integer",
                "description": "(Optional) The hop limit; 0 keeps the current one.",
                "default": 0,
                "allowedPattern": r"^([1-5]?\d|6[0-4])$",
            },
        },
        "mainSteps": [
            {
                "name": "EnforceIMDSv2",
                "action": "aws:executeScript",
                "inputs": {
                    "Runtime": "python3.8",
                    "Handler": "handler",
                    "InputPayload": {
                        "InstanceId": "{{ InstanceId }}",
                        "HttpPutResponseHopLimit": _HOPS,
                    },
                    "Script": (
                        "import boto3\n\n"
                        "def handler(event, context):\n"
                        "    options = {'HttpTokens': 'required'}\n"
                        "    if int(event['HttpPutResponseHopLimit']) > 0:\n"
                        "        options['HttpPutResponseHopLimit'] = "
                        "int(event['HttpPutResponseHopLimit'])\n"
                        "    boto3.client('ec2').modify_instance_metadata_options(\n"
                        "        InstanceId=event['InstanceId'], **options\n"
                        "    )\n"
                    ),
                },
                "nextStep": "VerifyIMDSv2",
            },
            _assert("VerifyIMDSv2", "HttpTokens", "required", ""),
        ],
    },
}


def content_of(name: str) -> Document | None:
    """The document of this name, by name or ARN; None where there is none."""
    return _CONTENT.get(name.rsplit("/", 1)[-1])


def names() -> tuple[str, ...]:
    """All documents, in a stable order."""
    return tuple(sorted(_CONTENT))


def description_of(name: str) -> dict[str, Any]:
    """What DescribeDocument tells of a document."""
    content = _CONTENT[name]
    return {
        "Name": name,
        "Owner": "Amazon",
        "CreatedDate": _PUBLISHED,
        "Status": "Active",
        "DocumentVersion": "1",
        "Description": content["description"],
        "Parameters": [
            {
                "Name": parameter,
                "Type": "String",
                "Description": rules["description"],
                **({"DefaultValue": str(rules["default"])} if "default" in rules else {}),
            }
            for parameter, rules in content["parameters"].items()
        ],
        "PlatformTypes": ["Linux", "MacOS", "Windows"],
        "DocumentType": "Automation",
        "SchemaVersion": content["schemaVersion"],
        "LatestVersion": "1",
        "DefaultVersion": "1",
        "DocumentFormat": "JSON",
        "TargetType": "/AWS::EC2::Instance",
    }


def problem_with(name: str, given: Mapping[str, list[str]], targeted: str = "") -> str:
    """What is wrong with the parameters of an execution, or nothing.

    Args:
        name: the document.
        given: the parameters as the API takes them.
        targeted: the parameter that the targets fill in.
    """
    rules = _CONTENT[name]["parameters"]
    unknown = sorted(set(given) - set(rules))
    if unknown:
        return f"Parameters [{', '.join(unknown)}] are not defined in document {name}."
    for parameter, rule in rules.items():
        if parameter == targeted:
            continue
        if parameter not in given:
            if "default" not in rule:
                return f"Missing parameters: [{parameter}]"
            continue
        if len(given[parameter]) != 1:
            return f"Parameter {parameter} must have exactly one value."
        if why := problem_with_value(name, parameter, given[parameter][0]):
            return why
    return ""


def problem_with_value(name: str, parameter: str, value: str) -> str:
    """What is wrong with one value of a parameter, or nothing."""
    rule = _CONTENT[name]["parameters"][parameter]
    if rule["type"] == "Integer" and not re.fullmatch(r"-?\d+", value):
        return f"Parameter {parameter} must be of type Integer, got: {value}"
    allowed = rule.get("allowedValues")
    if allowed and value not in allowed:
        return f"Parameter {parameter} has value {value}, not in allowed values {allowed}"
    pattern = rule.get("allowedPattern")
    if pattern and not re.search(pattern, value):
        return f"Parameter {parameter} has value not in the allowed pattern {pattern}: {value}"
    return ""
