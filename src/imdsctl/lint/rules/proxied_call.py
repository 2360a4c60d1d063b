"""A call of the metadata service that goes through a proxy."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        if request.proxy and request.bypasses_proxy == "no":
            yield Said(
                place=request.place,
                message=f"{shown(request)} goes through the proxy {request.proxy}.",
                fix="Ask without a proxy: --noproxy '*' (curl), --no-proxy (wget), or "
                "NO_PROXY=169.254.169.254,[fd00:ec2::254] in the environment.",
                confidence="high" if "*" not in request.proxy else "medium",
            )


RULE = Rule(
    title="Call through a proxy",
    why="The address is link-local: what a proxy reaches there is its own instance's metadata, or "
    "nothing. AWS refuses token requests with X-Forwarded-For, which proxies add, with 403.",
    severity="error",
    check=_check,
    source="EC2 User Guide, Use the Instance Metadata Service to access instance metadata; "
    "AWS CLI User Guide, Using an HTTP proxy",
    bad=(
        Example(
            name="behind.sh",
            text="""\
#!/bin/bash -e
export http_proxy=http://proxy.example.com:3128
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
""",
            lines=(3,),
        ),
        Example(
            name="named.sh",
            text="""\
#!/bin/sh -e
TOKEN=$(curl -sf -x proxy.example.com:3128 -X PUT \\
  -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="behind.sh",
            text="""\
#!/bin/bash -e
export http_proxy=http://proxy.example.com:3128
export no_proxy=localhost,169.254.169.254
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
""",
        ),
        Example(
            name="past.sh",
            text="""\
#!/bin/bash -e
export http_proxy=http://proxy.example.com:3128
TOKEN=$(curl -sf --noproxy '*' -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
""",
        ),
    ),
)
