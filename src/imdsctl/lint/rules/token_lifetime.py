"""A token request that does not say for how long."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import confidence, requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        asks = request.is_token_request and request.path.rstrip("/").endswith("/api/token")
        if asks and request.method == "PUT" and request.lifetime == "no":
            yield Said(
                place=request.place,
                message=f"{shown(request)} says no lifetime and is answered with 400.",
                fix="Send X-aws-ec2-metadata-token-ttl-seconds, 1 to 21600 (six hours).",
                confidence=confidence(request),
                edits=request.edits,
            )


RULE = Rule(
    title="Token request without a lifetime",
    why="The header is not optional: without it the answer is 400, and there is no token.",
    severity="error",
    check=_check,
    source="EC2 User Guide, Use the Instance Metadata Service to access instance metadata",
    bad=(
        Example(
            name="token.sh",
            text="""\
#!/bin/sh -e
TOKEN=$(curl -sf -X PUT http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="token.sh",
            text="""\
#!/bin/sh -e
TTL="X-aws-ec2-metadata-token-ttl-seconds: 21600"
TOKEN=$(curl -sf -X PUT -H "$TTL" http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
        ),
    ),
)
