"""The service's address handed to something that nobody knows to fetch a token."""

from collections.abc import Iterable, Iterator
from typing import Final

from imdsctl.lint.facts import Fact, Setting
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.source import Source

_NO_CALL: Final = ("no_proxy", "noproxy")


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for fact in facts:
        if not isinstance(fact, Setting) or not mentions(fact.value):
            continue
        # AWS SDKs take this one, and they ask for a token first.
        if fact.name.startswith("AWS_EC2_METADATA_") or fact.name.lower() in _NO_CALL:
            continue
        yield Said(
            place=fact.place,
            message=f"{fact.name} is given the address of IMDS ({fact.value}); nothing here shows "
            "that what reads it fetches a token.",
            fix="Make sure that its reader speaks IMDSv2, or give it the value itself.",
            confidence="low",
        )


RULE = Rule(
    title="Address of IMDS handed on without a token",
    why="A program that only gets an address asks it the plain way, which is IMDSv1. Where it does "
    "fetch a token, an ignore comment with that as its reason keeps the knowledge.",
    severity="note",
    check=_check,
    bad=(
        Example(
            name="start.sh",
            text="""\
#!/bin/sh
export METADATA_URL=http://169.254.169.254/latest/meta-data
exec /opt/agent/bin/agent --foreground
""",
            lines=(2,),
        ),
        Example(
            name="health.sh",
            text="""\
#!/bin/sh
/usr/local/bin/wait-for --url http://[fd00:ec2::254]/latest/meta-data/ --timeout 30
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="start.sh",
            text="""\
#!/bin/sh
export NO_PROXY=169.254.169.254,localhost
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.169.254
iptables -A OUTPUT -d 169.254.169.254 -m owner ! --uid-owner root -j DROP
exec /opt/agent/bin/agent --foreground
""",
        ),
    ),
)
