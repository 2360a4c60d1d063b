"""What the probe on a host answers, strictly read, and what is made of it.

Nothing that a host says is kept as it came: only the members below are, each held against its type
and pattern, and of the names of credential fields only those that AWS uses.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field, structs

Code = Annotated[int, Meta(ge=100, le=599)]
WhyNot = Literal[
    "not asked for",
    "needs root",
    "not in the host's own network",
    "no container found",
    "the container could not be entered",
]
Arn = Annotated[str, Meta(pattern=r"^arn:aws[a-z-]*:(sts|iam)::\d{12}:[\w+=,.@/-]{1,256}$")]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}$")]

FIELDS: Final = frozenset(
    {
        *("Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token"),
        *("Expiration", "AccountId", "UnexpiredAt"),
    }
)
"""The members of a role's credentials (EC2 User Guide, "Retrieve security credentials from instance
metadata"): of what the probe names as fields, anything else is dropped."""


class Answered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The status of one request; None where no answer came."""

    status: Code | None


class CredentialFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the role's credentials are there; the names of their members, never a value."""

    found: bool
    fields: Annotated[list[_Name], Meta(max_length=32)]


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What sts:GetCallerIdentity answered on the host; `via` is None where no client is there."""

    ok: bool
    via: Literal["aws", "botocore"] | None
    arn: Arn | None


class HostAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The probe's answer (`imdsctl host probe -o json`); the manual's page on it tells more."""

    schema: Literal["imdsctl/host-probe/v1"]
    endpoint: Literal["http://169.254.169.254"]
    v1: Answered
    token: Answered
    v2: Answered
    credentials: CredentialFields
    hop_limit_reaches: bool | None
    hop_limit_why: WhyNot | None
    ipv6: Answered
    ecs_agent: Answered
    kubelet: Answered
    sts: Identity | None
    verdict: Literal["v2-only", "imds-off", "v1-allowed", "v2-unreachable", "broken"]

    @property
    def refused(self) -> bool | None:
        """Whether CloudWatch counts the request without a token as rejected; None: in no metric.

        With the service off (403) nothing is counted, and what got no answer was not heard.
        """
        return {200: False, 401: True}.get(self.v1.status or 0)


def read_answer(text: str) -> HostAnswer | None:
    """The probe's answer out of all that a script printed; None where it is none.

    What stands before the answer (a login message, say) is passed over; nothing may follow it.
    """
    start = text.find('{\n  "schema": "imdsctl/host-probe/v1"')
    if start < 0:
        return None
    try:
        answer = msgspec.json.decode(text[start:], type=HostAnswer)
    except (msgspec.DecodeError, UnicodeError):
        return None
    known = [name for name in answer.credentials.fields if name in FIELDS]
    return structs.replace(answer, credentials=structs.replace(answer.credentials, fields=known))


class HostLook(Struct, frozen=True, kw_only=True):
    """What a look at one instance, from the instance itself, came to.

    `problems` are what is wrong, `notes` what is as well to know. `why` says why an instance was
    not looked at: that is never the same as good. One that is `gone` leaves nothing to look at.
    """

    instance: str
    state: Literal["good", "bad", "not-looked-at", "gone"]
    why: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answer: HostAnswer | None = None
    probed_at: datetime | None = None


class OwnCall(Struct, frozen=True, kw_only=True):
    """A request without a token that this tool made itself, between `first` and `last`.

    `refused` says in which of the two metrics it counts; None where that is not known, because
    the probe's answer never came.
    """

    first: datetime
    last: datetime
    refused: bool | None = None


OwnCalls = dict[tuple[str, str, str], list[OwnCall]]
"""By account, region and instance id."""
