"""A token is fetched, and a later call goes without it."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import confidence, requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        if request.is_token_request or request.token != "no":  # noqa: S105 - whether there is one
            continue
        if request.follows and not request.fallback:
            yield Said(
                place=request.place,
                message=f"{shown(request)} does not send the token that was fetched before it.",
                fix="Send it here, too: X-aws-ec2-metadata-token.",
                confidence=confidence(request),
                edits=request.edits,
            )


RULE = Rule(
    title="Token fetched, then not used",
    why="Each call is judged by itself: without the header it is IMDSv1, whatever was fetched "
    "before, and gets a 401 once IMDSv2 is required.",
    severity="error",
    check=_check,
    source="EC2 User Guide, Use the Instance Metadata Service to access instance metadata",
    bad=(
        Example(
            name="role.sh",
            text="""\
#!/bin/bash
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 300" \\
  http://169.254.169.254/latest/api/token)
BASE=http://169.254.169.254/latest/meta-data/iam/security-credentials
ROLE=$(curl -s -H "X-aws-ec2-metadata-token: $TOKEN" $BASE/)
curl -s $BASE/$ROLE
""",
            lines=(6,),
        ),
    ),
    good=(
        Example(
            name="role.sh",
            text="""\
#!/bin/bash
get_token() {
  curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 300" \\
    http://169.254.169.254/latest/api/token
}
metadata() {
  curl -sf -H "X-aws-ec2-metadata-token: $(get_token)" \\
    "http://169.254.169.254/latest/meta-data/$1"
}
metadata "iam/security-credentials/$(metadata iam/security-credentials/)"
""",
        ),
    ),
)
