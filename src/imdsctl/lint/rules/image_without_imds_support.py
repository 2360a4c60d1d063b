"""An image whose instances allow IMDSv1 by default."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, launches, place_of
from imdsctl.lint.source import Source

_OPTION = "imds_support"


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts, "image"):
        if not launch.has_options:
            continue
        if _OPTION not in launch.options:
            yield Said(
                place=launch.place,
                message=f"The image of {called(launch)} is made without imds_support: an instance "
                "of it allows IMDSv1 unless its launch or the account default says otherwise.",
                fix='Set imds_support to "v2.0" if all software in it speaks IMDSv2; it cannot be '
                "taken back for an image.",
                confidence="medium",
            )
        elif launch.options[_OPTION] not in (None, "v2.0"):
            yield Said(
                place=place_of(launch, _OPTION),
                message=f"The image of {called(launch)} has imds_support "
                f"{launch.options[_OPTION]!r}, which EC2 refuses; the only value is 'v2.0'.",
                fix='Set imds_support to "v2.0".',
                severity="error",
            )


RULE = Rule(
    title="An image does not ask for IMDSv2",
    why="An image with `imds_support = v2.0` makes tokens required and the hop limit 2 for every "
    "launch that says nothing, in every account that it is shared with.",
    severity="note",
    check=_check,
    source="EC2 User Guide, “Configure the AMI”; botocore model, RegisterImageRequest.ImdsSupport",
    bad=(
        Example(
            name="image.pkr.hcl",
            text='source "amazon-ebs" "base" {\n  ami_name = "base"\n\n  metadata_options {\n'
            '    http_tokens = "required"\n  }\n}\n',
            lines=(1,),
        ),
        Example(
            name="ami.tf",
            text='resource "aws_ami" "base" {\n  name         = "base"\n'
            '  imds_support = "v1.0"\n}\n',
            lines=(3,),
        ),
    ),
    good=(
        Example(
            name="image.pkr.hcl",
            text='source "amazon-ebs" "base" {\n  ami_name     = "base"\n'
            '  imds_support = "v2.0"\n\n  metadata_options {\n    http_tokens = "required"\n'
            "  }\n}\n",
        ),
    ),
)
