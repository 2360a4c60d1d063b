"""A call of the metadata service without a session token."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import confidence, how_to_ask, requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        if request.is_token_request or request.token != "no":  # noqa: S105 - whether there is one
            continue
        if request.fallback:
            yield Said(
                place=request.place,
                message=f"{shown(request)} runs without a token where none could be had.",
                fix="Remove the way back to IMDSv1: where tokens are required it gets a 401.",
                confidence=confidence(request),
                severity="note",
            )
        elif not request.follows:
            yield Said(
                place=request.place,
                message=f"{shown(request)} without a session token is an IMDSv1 call.",
                fix=how_to_ask(request),
                confidence=confidence(request),
                edits=request.edits,
            )


RULE = Rule(
    title="Call without a session token",
    why="It is answered with 401 as soon as the instance requires IMDSv2. curl without -f takes "
    "the error page for the answer; programs that catch the error go on without a value.",
    severity="error",
    check=_check,
    source="EC2 User Guide, Use the Instance Metadata Service to access instance metadata",
    bad=(
        Example(
            name="register.sh",
            text="""\
#!/bin/sh
ID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)
aws ec2 create-tags --resources "$ID" --tags Key=state,Value=up
""",
            lines=(2,),
        ),
        Example(
            name="region.sh",
            text="""\
#!/bin/bash
IMDS=http://169.254.169.254/latest
region() {
  wget -qO- "$IMDS/$1" | sed 's/.$//'
}
export AWS_DEFAULT_REGION=$(region meta-data/placement/availability-zone)
""",
            lines=(4,),
        ),
        Example(
            name="either.sh",
            text="""\
#!/bin/bash
if TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
    http://169.254.169.254/latest/api/token); then
  ID=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" \\
    http://169.254.169.254/latest/meta-data/instance-id) || exit 1
else
  ID=$(curl -sf http://169.254.169.254/latest/meta-data/instance-id) || exit 1
fi
""",
            lines=(7,),
        ),
    ),
    good=(
        Example(
            name="register.sh",
            text="""\
#!/bin/bash
set -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 300" \\
  http://169.254.169.254/latest/api/token)
HEADERS=(-H "X-aws-ec2-metadata-token: $TOKEN")
ID=$(curl -sf "${HEADERS[@]}" http://169.254.169.254/latest/meta-data/instance-id)
aws ec2 create-tags --resources "$ID" --tags Key=state,Value=up
""",
        ),
        Example(
            name="elsewhere.sh",
            text="""\
#!/bin/sh
# Not IMDS: credentials of an ECS task, and Google's service at the same address.
curl -s "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
curl -s -H "Metadata-Flavor: Google" \\
  http://169.254.169.254/computeMetadata/v1/instance/id
echo "curl http://169.254.169.254/latest/meta-data/ would be IMDSv1"
""",
        ),
    ),
)
