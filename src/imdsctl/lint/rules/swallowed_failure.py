"""A failed call that nobody looks at, whose empty answer is used."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        if request.is_token_request or not request.stored_in or request.checked != "no":
            continue
        yield Said(
            place=request.place,
            message=f"Where {shown(request)} fails, {request.stored_in} is empty and is used all "
            "the same.",
            fix=f"Stop there, or test {request.stored_in} before it is used; hide no status behind "
            "`|| true`, `local`/`export` or a pipe without pipefail.",
            confidence="medium",
        )


RULE = Rule(
    title="Failure swallowed, empty value used",
    why="A call that IMDSv2 refuses shows nowhere: the program goes on with an empty instance id, "
    "region or credential, and what breaks is something else, later.",
    severity="warning",
    check=_check,
    source="Bash Reference Manual, The Set Builtin; ShellCheck SC2155, SC2312",
    bad=(
        Example(
            name="tag.sh",
            text="""\
#!/bin/bash
set -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
ID=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" \\
  http://169.254.169.254/latest/meta-data/instance-id || true)
aws ec2 create-tags --resources "$ID" --tags Key=state,Value=up
""",
            lines=(5,),
        ),
        Example(
            name="region.sh",
            text="""\
#!/bin/bash
set -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
export REGION=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" \\
  http://169.254.169.254/latest/meta-data/placement/region)
aws --region "$REGION" s3 ls
""",
            lines=(5,),
        ),
    ),
    good=(
        Example(
            name="tag.sh",
            text="""\
#!/bin/bash
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token) || exit 1
ID=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" \\
  http://169.254.169.254/latest/meta-data/instance-id)
if [ -z "$ID" ]; then
  echo "no instance id" >&2
  exit 1
fi
aws ec2 create-tags --resources "$ID" --tags Key=state,Value=up
""",
        ),
        Example(
            name="default.sh",
            text="""\
#!/bin/bash -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
IP=$(curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" \\
  http://169.254.169.254/latest/meta-data/public-ipv4 || true)
echo "public address: ${IP:-none}"
""",
        ),
    ),
)
