"""A hop limit that containers cannot live with, or that reaches further than anybody needs."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact, Launch
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, certainty, launches, place_of
from imdsctl.lint.source import Source

_OPTION = "http_put_response_hop_limit"
_FARTHEST = 3
_ON_PURPOSE = frozenset({"EC2NodeClass", "AWSNodeTemplate", "InstanceGroup", "nodeGroup"})
"""Kinds of nodes for which a hop limit of 1 is the way to keep pods from the node's role."""


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts):
        if launch.options.get("http_endpoint") == "disabled":
            continue
        limit = launch.options.get(_OPTION, 0)
        if isinstance(limit, int) and limit > _FARTHEST:
            yield _far(launch, limit)
        elif launch.containers == "yes" and (limit == 1 or _is_one_by_default(launch)):
            yield _near(launch, written=limit == 1)


def _is_one_by_default(launch: Launch) -> bool:
    """Whether tokens are required, nothing is said of the hop limit, and so it is 1."""
    if (
        _OPTION in launch.options
        or launch.template
        or not launch.complete
        or not launch.has_options
    ):
        return False
    return launch.options.get("http_tokens") == "required" and not launch.inherited


def _near(launch: Launch, *, written: bool) -> Said:
    said = "has a hop limit of 1:" if written else "says no hop limit, which makes it 1:"
    wanted = launch.what in _ON_PURPOSE
    return Said(
        place=place_of(launch, _OPTION),
        message=f"{called(launch)} launches hosts of containers and {said} containers behind a "
        "bridge or in a pod's own network get no answer to their token requests"
        + ("; that may be meant, to keep pods from the node's role." if wanted else "."),
        fix="Set the hop limit to 2 if containers need the metadata service.",
        severity="note" if wanted else None,
        confidence="low" if wanted else "medium" if not written else certainty(launch, _OPTION),
        edits=launch.hop_edits
        if launch.options.get("http_tokens") == "required" and not wanted
        else (),
    )


def _far(launch: Launch, limit: int) -> Said:
    return Said(
        place=place_of(launch, _OPTION),
        message=f"{called(launch)} has a hop limit of {limit}: tokens travel further than any "
        "container network needs.",
        fix="Set the hop limit to 1, to 2 for containers, to 3 for overlays that route twice.",
        severity="note",
        confidence="medium",
    )


RULE = Rule(
    title="The hop limit does not fit containers",
    why="The answer to a token request lives for as many hops as the limit says; a container's "
    "bridge is one. With a limit of 1 SDKs in containers time out and fall back to IMDSv1, and "
    "once tokens are required they get nothing.",
    severity="warning",
    check=_check,
    source="EC2 User Guide, “Use the Instance Metadata Service to access instance metadata”: in a "
    "container environment a hop limit of 2 is recommended",
    bad=(
        Example(
            name="ecs.tf",
            text='resource "aws_launch_template" "ecs" {\n  user_data = base64encode(<<-EOF\n'
            "    #!/bin/bash\n    echo ECS_CLUSTER=main >> /etc/ecs/ecs.config\n  EOF\n  )\n\n"
            '  metadata_options {\n    http_tokens                 = "required"\n'
            "    http_put_response_hop_limit = 1\n  }\n}\n",
            lines=(10,),
        ),
        Example(
            name="stack.yaml",
            text="Resources:\n  Host:\n    Type: AWS::EC2::Instance\n    Properties:\n"
            "      UserData:\n        Fn::Base64: |\n          #!/bin/bash\n"
            "          docker run --detach nginx\n      MetadataOptions:\n"
            "        HttpTokens: required\n",
            lines=(9,),
        ),
        Example(
            name="far.tf",
            text='resource "aws_instance" "web" {\n  metadata_options {\n'
            '    http_tokens                 = "required"\n'
            "    http_put_response_hop_limit = 64\n  }\n}\n",
            lines=(4,),
        ),
    ),
    good=(
        Example(
            name="ecs.tf",
            text='resource "aws_launch_template" "ecs" {\n  user_data = base64encode(<<-EOF\n'
            "    #!/bin/bash\n    echo ECS_CLUSTER=main >> /etc/ecs/ecs.config\n  EOF\n  )\n\n"
            '  metadata_options {\n    http_tokens                 = "required"\n'
            "    http_put_response_hop_limit = 2\n  }\n}\n",
        ),
        Example(
            name="plain.tf",
            text='resource "aws_instance" "web" {\n  metadata_options {\n'
            '    http_tokens                 = "required"\n'
            "    http_put_response_hop_limit = 1\n  }\n}\n",
        ),
    ),
)
