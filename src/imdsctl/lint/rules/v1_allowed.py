"""A launch that says that IMDSv1 is allowed."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, certainty, changeable, launches, place_of
from imdsctl.lint.source import Source

_NULL = "http_tokens = null"


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts):
        if launch.options.get("http_endpoint") == "disabled":
            continue
        if launch.options.get("http_tokens") == "optional":
            yield Said(
                place=place_of(launch, "http_tokens"),
                message=f"{called(launch)}{changeable(launch, 'http_tokens')} allows IMDSv1; what "
                "it says here counts for more than the account default and the image.",
                fix="Require tokens (HttpTokens: required).",
                confidence=certainty(launch, "http_tokens"),
                edits=launch.edits,
            )
        elif _NULL in launch.members and "http_tokens" not in launch.options:
            yield Said(
                place=launch.members[_NULL],
                message=f"{called(launch)} sets http_tokens to null, which is as if it stood not "
                "there: the account default and the image decide, and IMDSv1 may be allowed.",
                fix="Require tokens (HttpTokens: required).",
                confidence="medium",
                edits=launch.edits,
            )


RULE = Rule(
    title="A launch allows IMDSv1",
    why="`optional` at the launch wins over an account default and an image that require tokens, "
    "so every instance that comes of it answers requests without a token.",
    severity="error",
    check=_check,
    source="EC2 User Guide, “Configure the instance metadata options”, table of the order of "
    "precedence",
    bad=(
        Example(
            name="main.tf",
            text='resource "aws_launch_template" "web" {\n  metadata_options {\n'
            '    http_endpoint = "enabled"\n    http_tokens   = "optional"\n  }\n}\n',
            lines=(4,),
        ),
        Example(
            name="stack.json",
            text='{\n  "Resources": {\n    "Web": {\n      "Type": "AWS::EC2::LaunchTemplate",\n'
            '      "Properties": {\n        "LaunchTemplateData": {\n'
            '          "MetadataOptions": {"HttpTokens": "optional"}\n        }\n      }\n    }\n'
            "  }\n}\n",
            lines=(7,),
        ),
        Example(
            name="variables.tf",
            text='variable "tokens" {\n  default = "optional"\n}\n\n'
            'resource "aws_instance" "web" {\n  metadata_options {\n'
            "    http_tokens = var.tokens\n  }\n}\n",
            lines=(7,),
        ),
    ),
    good=(
        Example(
            name="main.tf",
            text='resource "aws_launch_template" "web" {\n  metadata_options {\n'
            '    http_tokens = "required"\n  }\n}\n',
        ),
        Example(
            name="nodes.yaml",
            text="apiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata:\n  name: nodes\n"
            "spec:\n  metadataOptions:\n    httpTokens: required\n    httpPutResponseHopLimit: 2\n",
        ),
    ),
)
