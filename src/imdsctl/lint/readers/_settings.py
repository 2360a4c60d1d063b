"""Variables and properties by which programs are told how to use IMDS.

AWS SDKs and Tools Reference Guide, "IMDS credential provider"; for Java 1 its
`SDKGlobalConfiguration`; for Datadog's agent its `config_template.yaml`.
"""

import re
from typing import Final

_NAMES: Final = re.compile(
    r"AWS_EC2_METADATA_\w+|DD_EC2_(?:PREFER_IMDSV2|IMDSV2_TRANSITION_PAYLOAD_ENABLED)", re.ASCII
)
_JAVA: Final = re.compile(
    r"-D(?P<name>(?:com\.amazonaws\.sdk|aws)\.disableEc2Metadata(?:V1)?"
    r"|com\.amazonaws\.sdk\.ec2MetadataServiceEndpointOverride|aws\.ec2MetadataServiceEndpoint)"
    r"(?:=(?P<value>\S*))?"
)


def is_setting(name: str) -> bool:
    """Whether a variable switches IMDS, or one of its versions."""
    return _NAMES.fullmatch(name) is not None


def of_java(argument: str) -> tuple[str, str] | None:
    """Name and value of a Java property on a command line that does so."""
    found = _JAVA.search(argument)
    return (found["name"], found["value"] or "") if found else None
