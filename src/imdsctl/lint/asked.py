"""Words and choices that the rules about requests share."""

from collections.abc import Iterable, Iterator
from typing import Final

from imdsctl.lint import tokens
from imdsctl.lint.facts import Fact, Request
from imdsctl.model.verdict import Confidence

TOKEN_URL: Final = "http://169.254.169.254/latest/api/token"  # noqa: S105 - an address
HOW_TO_ASK: Final = (
    "Ask for a token first (PUT /latest/api/token with X-aws-ec2-metadata-token-ttl-seconds) and "
    "send it as X-aws-ec2-metadata-token."
)


def requests(facts: Iterable[Fact]) -> Iterator[Request]:
    """The requests among the facts."""
    return (fact for fact in facts if isinstance(fact, Request))


def shown(request: Request) -> str:
    """A request as a person would say it: `curl: GET /latest/meta-data/instance-id`."""
    what = " ".join(one for one in (request.method, request.path or request.host) if one)
    return f"{request.client}: {what}" if what else request.client


def confidence(request: Request) -> Confidence:
    """How sure it is that the request goes to the metadata service at all."""
    return "high" if request.host else "medium"


def how_to_ask(request: Request) -> str:
    """What to write instead of a call without a token; a command where that is known exactly."""
    if request.edits or not request.host or request.client not in ("curl", "wget"):
        return HOW_TO_ASK
    token = tokens.sends(request.client, f"$({tokens.fetch(request.client, request.host)})")
    return f"{HOW_TO_ASK} In one command that a shell reads: {request.client} {token} …"
