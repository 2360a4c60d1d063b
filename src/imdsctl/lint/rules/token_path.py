"""A token asked for at a path, or by a method, that gives none."""

from collections.abc import Iterable, Iterator
from typing import Final

from imdsctl.lint.asked import confidence, requests, shown
from imdsctl.lint.facts import Fact, Request
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.source import Source

_PATH: Final = "/latest/api/token"


def _check(_: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    for request in requests(facts):
        wrong = _wrong(request)
        if wrong:
            yield Said(
                place=request.place,
                message=f"{shown(request)} gives no token: {wrong}.",
                fix=f"Use PUT {_PATH}, without a slash at its end; it is the only one.",
                confidence=confidence(request),
                edits=request.edits if request.method == "PUT" else (),
            )


def _wrong(request: Request) -> str:
    """What keeps it from being answered with a token, empty if nothing is known to."""
    if not request.is_token_request or not request.path or "*" in request.path:
        return ""
    if not request.path.rstrip("/").endswith("/api/token"):
        return "only the token's own path takes PUT, others answer 403"
    if not request.host and request.path.rstrip("/") == "/api/token":
        return ""  # the base, which is not known here, may well end with /latest
    if request.path != _PATH:
        slash = request.path.endswith("/")
        return f"a {'slash at its end' if slash else 'version in its path'} is answered with 403"
    if request.method not in {"PUT", ""}:
        return "methods other than PUT are answered with 405"
    return ""


RULE = Rule(
    title="Wrong path or method for a token",
    why="AWS answers only PUT /latest/api/token. A version in the path and a slash at the end get "
    "a 403, another method a 405; a client that falls back then calls IMDSv1 for good.",
    severity="error",
    check=_check,
    source="EC2 User Guide, Access instance metadata (versions); GitHub "
    "awsdocs/amazon-ec2-user-guide#182, aws-beam/aws_credentials#47",
    bad=(
        Example(
            name="slash.sh",
            text="""\
#!/bin/sh -e
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \\
  http://169.254.169.254/latest/api/token/)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
            lines=(2,),
        ),
        Example(
            name="version.sh",
            text="""\
#!/bin/sh -e
BASE=http://169.254.169.254/2021-07-15
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" $BASE/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" $BASE/meta-data/
""",
            lines=(3,),
        ),
        Example(
            name="get.sh",
            text="""\
#!/bin/sh -e
TOKEN=$(curl -sf http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/
""",
            lines=(2,),
        ),
    ),
    good=(
        Example(
            name="version.sh",
            text="""\
#!/bin/sh -e
IMDS=http://169.254.169.254
TOKEN=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" $IMDS/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $TOKEN" $IMDS/2021-07-15/meta-data/
""",
        ),
    ),
)
