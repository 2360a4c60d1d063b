"""Metadata options that cannot all be meant."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.facts import Fact, Launch
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.launches import called, certainty, launches, place_of
from imdsctl.lint.source import Source

_SWITCH = ("enabled", "disabled")
_ALLOWED = {
    "http_tokens": ("optional", "required"),
    "http_endpoint": _SWITCH,
    "http_protocol_ipv6": _SWITCH,
    "instance_metadata_tags": _SWITCH,
    "http_tokens_enforced": _SWITCH,
}
_HOP_LIMIT = "http_put_response_hop_limit"
_LARGEST_HOP_LIMIT = 64


def _check(_source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    known = list(facts)
    by_name = {launch.name: launch for launch in launches(known)}
    for launch in (*launches(known), *launches(known, "default")):
        yield from _refused(launch)
        yield from _without_endpoint(launch)
        yield from _overridden(launch, by_name.get(launch.template))
        if launch.options.get("http_tokens_enforced") == "enabled" and launch.options.get(
            "http_tokens"
        ) in ("optional", "no-preference"):
            yield Said(
                place=place_of(launch, "http_tokens_enforced"),
                message=f"{called(launch)} refuses launches that do not require tokens, and makes "
                "launches that say nothing not require them: those fail.",
                fix="Set http_tokens to required, too.",
            )


def _refused(launch: Launch) -> Iterator[Said]:
    """Values that the API does not take."""
    for name, value in launch.options.items():
        if value is None:
            continue
        if name == _HOP_LIMIT:
            number = value if isinstance(value, int) else 1
            free = launch.makes == "default" and number == -1
            if not 1 <= number <= _LARGEST_HOP_LIMIT and not free:
                yield _wrong(launch, name, str(value), f"a number from 1 to {_LARGEST_HOP_LIMIT}")
        elif name in _ALLOWED:
            neutral = ("no-preference",) if launch.makes == "default" else ()
            allowed = (*_ALLOWED[name], *neutral)
            if value not in allowed:
                yield _wrong(launch, name, str(value), " or ".join(allowed))


def _wrong(launch: Launch, name: str, value: str, allowed: str) -> Said:
    return Said(
        place=place_of(launch, name),
        message=f"{called(launch)} sets {name} to {value!r}, which EC2 refuses; "
        f"it takes {allowed}.",
        fix=f"Set it to {allowed}.",
        confidence=certainty(launch, name),
    )


def _without_endpoint(launch: Launch) -> Iterator[Said]:
    """Options of an endpoint that is switched off."""
    if launch.options.get("http_endpoint") != "disabled" or launch.makes != "instance":
        return
    for name, value in (
        ("http_tokens", "required"),
        ("http_tokens", "optional"),
        ("http_protocol_ipv6", "enabled"),
        ("instance_metadata_tags", "enabled"),
    ):
        if launch.options.get(name) == value:
            yield Said(
                place=place_of(launch, name),
                message=f"{called(launch)} switches the metadata service off and sets {name} to "
                f"{value!r}: one of the two is not meant, and EC2 wants the endpoint enabled where "
                "tokens are set.",
                fix=f"Leave {name} out, or enable the endpoint with tokens required.",
                severity="warning",
                confidence="medium",
            )


def _overridden(launch: Launch, template: Launch | None) -> Iterator[Said]:
    """A launch that takes back what its template requires."""
    if template is None or template is launch:
        return
    if (
        template.options.get("http_tokens") == "required"
        and launch.options.get("http_tokens") == "optional"
    ):
        yield Said(
            place=place_of(launch, "http_tokens"),
            message=f"{called(launch)} allows IMDSv1 although its launch template {template.name} "
            "requires tokens; the launch wins.",
            fix="Leave the metadata options to the launch template.",
        )


RULE = Rule(
    title="Metadata options contradict each other",
    why="Options that exclude each other are refused at the launch, or one of them silently wins; "
    "either way the file says something that does not happen.",
    severity="error",
    check=_check,
    source="botocore model, InstanceMetadataOptionsRequest and ModifyInstanceMetadataDefaults; EC2 "
    "User Guide, “Configure instance metadata options for new instances”",
    bad=(
        Example(
            name="main.tf",
            text='resource "aws_instance" "web" {\n  metadata_options {\n'
            '    http_endpoint = "disabled"\n    http_tokens   = "required"\n  }\n}\n',
            lines=(4,),
        ),
        Example(
            name="override.tf",
            text='resource "aws_launch_template" "web" {\n  metadata_options {\n'
            '    http_tokens = "required"\n  }\n}\n\nresource "aws_instance" "web" {\n'
            "  launch_template {\n    id = aws_launch_template.web.id\n  }\n"
            '  metadata_options {\n    http_tokens = "optional"\n  }\n}\n',
            lines=(12,),
        ),
        Example(
            name="stack.yaml",
            text="Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n"
            "      MetadataOptions:\n        HttpTokens: Required\n"
            "        HttpPutResponseHopLimit: 0\n",
            lines=(6, 7),
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
