"""A launch that does not say whether tokens are required."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact, Launch
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import PRECEDENCE, called, launches, place_of
from imdsctl.lint.source import Source


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts):
        silent = "http_tokens" not in launch.options and "http_tokens = null" not in launch.members
        if not silent or launch.template or not launch.complete:
            continue
        if launch.options.get("http_endpoint") == "disabled":
            continue
        yield _said(launch) if launch.has_options else _unable(launch)


def _said(launch: Launch) -> Said:
    where = place_of(launch, "http_tokens")
    fix = "Require tokens in its metadata options (HttpTokens: required)."
    if launch.inherited:
        return Said(
            place=where,
            message=f"{called(launch)} does not say whether IMDSv2 is required; "
            f"{launch.inherited}, unless the account default says otherwise.",
            fix=fix,
            severity="note",
            confidence="low",
            edits=launch.edits,
        )
    return Said(
        place=where,
        message=f"{called(launch)} does not say whether IMDSv2 is required: the account default "
        "decides, then the image, and if neither does, IMDSv1 is allowed.",
        fix=fix,
        severity="note" if launch.what.startswith("amazon-") else None,
        confidence="medium",
        edits=launch.edits,
    )


def _unable(launch: Launch) -> Said:
    if launch.inherited:
        return Said(
            place=launch.place,
            message=f"{called(launch)} names no launch template: {launch.inherited}.",
            fix="Name a launch template whose metadata options require tokens, to be sure of it.",
            severity="note",
            confidence="low",
        )
    return Said(
        place=launch.place,
        message=f"{called(launch)} cannot say metadata options: the account default decides, then "
        "the image, and if neither does, IMDSv1 is allowed.",
        fix="Launch from a launch template whose metadata options require tokens.",
        confidence="medium",
    )


RULE = Rule(
    title="A launch says nothing of IMDSv2",
    why="Where a launch is silent, the account's default in the Region decides, then the image, "
    "and in the end IMDSv1 is allowed. The file alone does not tell what comes of it.",
    severity="warning",
    check=_check,
    source=PRECEDENCE,
    bad=(
        Example(
            name="main.tf",
            text='resource "aws_instance" "web" {\n  ami           = "ami-0123456789abcdef0"\n'
            '  instance_type = "t3.micro"\n}\n',
            lines=(1,),
        ),
        Example(
            name="stack.yaml",
            text="AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Web:\n"
            "    Type: AWS::EC2::Instance\n    Properties:\n      ImageId: ami-0123456789abcdef0\n"
            "      MetadataOptions:\n        HttpEndpoint: enabled\n",
            lines=(7,),
        ),
        Example(
            name="fleet.tf",
            text='resource "aws_spot_fleet_request" "cheap" {\n  launch_specification {\n'
            '    ami = "ami-0123456789abcdef0"\n  }\n}\n',
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="main.tf",
            text='resource "aws_instance" "web" {\n  ami = "ami-0123456789abcdef0"\n\n'
            '  metadata_options {\n    http_tokens = "required"\n  }\n}\n',
        ),
        Example(
            name="asg.tf",
            text='resource "aws_instance" "web" {\n  launch_template {\n'
            "    id = aws_launch_template.web.id\n  }\n}\n",
        ),
    ),
)
