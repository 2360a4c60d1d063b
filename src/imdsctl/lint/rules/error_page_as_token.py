"""A token request whose error page is taken for the token."""

from collections.abc import Iterable, Iterator

from imdsctl.lint.asked import confidence, requests, shown
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        if request.is_token_request and request.fails == "no":
            yield Said(
                place=request.place,
                message=f"{shown(request)} does not fail on an HTTP error: its page becomes the "
                f"{'token in ' + request.stored_in if request.stored_in else 'token'}.",
                fix="Give curl -f (--fail), and stop where it fails."
                if request.client == "curl"
                else "Look at the status of the answer before it is used as the token.",
                confidence=confidence(request),
                edits=request.edits,
            )


RULE = Rule(
    title="Error page taken for the token",
    why="Where IMDS is off, throttled or behind something that does not know IMDSv2, the answer "
    "is an error page. Sent as a token, it gets a 401 even where IMDSv1 is still allowed, and the "
    "message says nothing of the cause.",
    severity="warning",
    check=_check,
    source="curl's manual, --fail; EC2 User Guide, Access instance metadata (status codes)",
    bad=(
        Example(
            name="token.sh",
            text="""\
#!/bin/bash
TOKEN=`curl -s -X PUT "http://169.254.169.254/latest/api/token" \\
  -H "X-aws-ec2-metadata-token-ttl-seconds: 21600"`
curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="token.sh",
            text="""\
#!/bin/bash
TOKEN=$(curl --silent --fail -X PUT "http://169.254.169.254/latest/api/token" \\
  -H "X-aws-ec2-metadata-token-ttl-seconds: 21600") || exit 1
curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
        ),
        Example(
            name="token-by-wget.sh",
            text="""\
#!/bin/sh -e
TOKEN=$(wget -qO- --method=PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token)
wget -qO- --header "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/user-data
""",
        ),
    ),
)
