"""A switch that turns IMDS or IMDSv2 off, points elsewhere, or keeps the way back to IMDSv1."""

from collections.abc import Iterable, Iterator
from typing import Final

from imdsctl.lint.facts import Fact, Setting
from imdsctl.lint.finding import Example, Rule, Said, Severity
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.source import Source

_TRUE: Final = {"true", "1", "yes", "on"}
_ENDPOINTS: Final = {
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "aws.ec2MetadataServiceEndpoint",
    "com.amazonaws.sdk.ec2MetadataServiceEndpointOverride", "ec2_metadata_service_endpoint",
}  # fmt: skip
_OFF: Final = {
    "AWS_EC2_METADATA_DISABLED", "com.amazonaws.sdk.disableEc2Metadata", "aws.disableEc2Metadata",
}  # fmt: skip
_V1_OFF: Final = {
    "AWS_EC2_METADATA_V1_DISABLED", "com.amazonaws.sdk.disableEc2MetadataV1",
    "aws.disableEc2MetadataV1", "ec2_metadata_v1_disabled",
}  # fmt: skip
_PREFERS: Final = {"DD_EC2_PREFER_IMDSV2", "ec2_prefer_imdsv2"}


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for fact in facts:
        said = _of(fact) if isinstance(fact, Setting) else None
        if said is not None:
            message, fix, severity = said
            yield Said(
                place=fact.place,
                message=f"{fact.name}={fact.value} {message}",  # type: ignore[union-attr]
                fix=fix,
                severity=severity,
            )


def _of(fact: Setting) -> tuple[str, str, Severity] | None:
    value = fact.value.strip().strip("\"'").lower()
    if not value or "*" in value or "$" in value:
        return None
    if fact.name in _ENDPOINTS and not mentions(value):
        return (
            "sends SDKs somewhere else than to IMDS; what answers there has to give tokens.",
            "Remove it, or make sure that PUT /latest/api/token is answered there.",
            "warning",
        )
    if fact.name in _OFF and value in _TRUE:
        return (
            "turns IMDS off for AWS SDKs: no credentials and no region from the instance.",
            "Remove it where the instance's role is needed; keep it where it is not.",
            "note",
        )
    if fact.name in _V1_OFF and value not in _TRUE:
        return (
            "keeps the way back to IMDSv1 open on purpose.",
            "Set it to true: a failed token request is an error then, and no IMDSv1 call.",
            "warning",
        )
    if fact.name in _PREFERS and value not in _TRUE:
        return (
            "makes the agent ask by IMDSv1 first.",
            "Set it to true, or remove it from version 7.64 on.",
            "warning",
        )
    return None


RULE = Rule(
    title="IMDSv2 switched off, or elsewhere, by a setting",
    why="A variable of the environment overrides what the SDK would do by itself: it asks nothing, "
    "asks something else that may know no tokens, or falls back to IMDSv1 without a word.",
    severity="warning",
    check=_check,
    source="AWS SDKs and Tools Reference Guide, IMDS credential provider",
    bad=(
        Example(
            name="start.sh",
            text="""\
#!/bin/sh
export AWS_EC2_METADATA_V1_DISABLED=false
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:8181
AWS_EC2_METADATA_DISABLED=true aws s3 ls
""",
            lines=(2, 3, 4),
        ),
        Example(
            name="java.sh",
            text="""\
#!/bin/sh
exec java -Dcom.amazonaws.sdk.disableEc2MetadataV1=false -jar app.jar
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="start.sh",
            text="""\
#!/bin/sh
export AWS_EC2_METADATA_V1_DISABLED=true
export AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6
exec java -Daws.disableEc2MetadataV1=true -jar app.jar
""",
        ),
    ),
)
