"""User data for an instance that cannot read it."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, certainty, launches, place_of
from imdsctl.lint.source import Source


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts):
        if launch.options.get("http_endpoint") != "disabled" or launch.user_data != "yes":
            continue
        yield Said(
            place=place_of(launch, "http_endpoint"),
            message=f"{called(launch)} has user data and switches the metadata service off: the "
            "instance cannot read it, nor its SSH key, and boots without either.",
            fix="Enable the endpoint with tokens required, or put what the user data does into the "
            "image.",
            confidence=certainty(launch, "http_endpoint"),
        )


RULE = Rule(
    title="User data without a metadata service",
    why="User data and the SSH key come to the instance through the metadata service. With the "
    "endpoint disabled at launch, cloud-init finds nothing and the instance comes up empty.",
    severity="error",
    check=_check,
    source="EC2 User Guide, “Configure instance metadata options for new instances”: turn off "
    "access to instance metadata",
    bad=(
        Example(
            name="main.tf",
            text='resource "aws_instance" "web" {\n  user_data = file("setup.sh")\n\n'
            '  metadata_options {\n    http_endpoint = "disabled"\n  }\n}\n',
            lines=(5,),
        ),
        Example(
            name="stack.yaml",
            text="Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n"
            "      UserData: !Base64 |\n        #!/bin/sh\n        dnf install -y nginx\n"
            "      MetadataOptions:\n        HttpEndpoint: disabled\n",
            lines=(9,),
        ),
    ),
    good=(
        Example(
            name="main.tf",
            text='resource "aws_instance" "web" {\n  metadata_options {\n'
            '    http_endpoint = "disabled"\n  }\n}\n',
        ),
    ),
)
