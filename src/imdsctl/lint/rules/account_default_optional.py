"""An account default that does not require tokens."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, certainty, launches, place_of
from imdsctl.lint.source import Source

_HOP_LIMIT = "http_put_response_hop_limit"


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for launch in launches(facts, "default"):
        tokens = launch.options.get("http_tokens", "no-preference")
        if tokens == "optional":
            yield Said(
                place=place_of(launch, "http_tokens"),
                message=f"{called(launch)} makes IMDSv1 allowed the default of the account in its "
                "Region, even for images that are registered with imds-support v2.0.",
                fix="Set http_tokens to required once no instance of the Region calls IMDSv1.",
                confidence=certainty(launch, "http_tokens"),
            )
        elif tokens == "no-preference":
            yield Said(
                place=place_of(launch, "http_tokens"),
                message=f"{called(launch)} says nothing of tokens: launches that say nothing "
                "either allow IMDSv1 unless their image requires tokens.",
                fix="Set http_tokens to required once no instance of the Region calls IMDSv1.",
                severity="note",
                confidence="medium",
            )
        elif tokens == "required" and launch.options.get(_HOP_LIMIT, -1) == -1:
            yield Said(
                place=place_of(launch, "http_tokens"),
                message=f"{called(launch)} requires tokens and says no hop limit: it is 1 for "
                "images without imds-support, and containers behind a bridge get no token.",
                fix=f"Set {_HOP_LIMIT} to 2 where containers run.",
                severity="note",
                confidence="medium",
            )


RULE = Rule(
    title="The account default allows IMDSv1",
    why="Every launch in the Region that says nothing of tokens takes the default of the account; "
    "it wins over the image: `optional` makes instances of Amazon Linux 2023 allow IMDSv1.",
    severity="error",
    check=_check,
    source="EC2 User Guide, “Configure the instance metadata options”, table of the order of "
    "precedence; “Set IMDSv2 as the default for the account”",
    bad=(
        Example(
            name="account.tf",
            text='resource "aws_ec2_instance_metadata_defaults" "this" {\n'
            '  http_tokens = "optional"\n}\n',
            lines=(2,),
        ),
        Example(
            name="silent.tf",
            text='resource "aws_ec2_instance_metadata_defaults" "this" {\n'
            "  http_put_response_hop_limit = 2\n}\n",
            lines=(1,),
        ),
    ),
    good=(
        Example(
            name="account.tf",
            text='resource "aws_ec2_instance_metadata_defaults" "this" {\n'
            '  http_tokens                 = "required"\n'
            "  http_put_response_hop_limit = 2\n}\n",
        ),
    ),
)
