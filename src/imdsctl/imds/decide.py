"""The decision on a request, as one table read from the top: the first row that fits answers.

The order is AWS's documented one: a service that is turned off refuses everything; then the rules
of the token path; then what the token header says; then the mode. The diagrams in the manual are
drawn from this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path, not a secret
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name, not a secret
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
FORWARDED_HEADER = "X-Forwarded-For"

NO_TOKEN = "MetadataNoToken"  # noqa: S105 - a metric's name, not a secret
NO_TOKEN_REJECTED = "MetadataNoTokenRejected"  # noqa: S105 - a metric's name, not a secret

ANY = "any"

_VERSIONED_TOKEN = re.compile(r"/[^/]+/api/token/?")


@dataclass(frozen=True)
class Facts:
    """What the decision looks at, each a word of its small vocabulary.

    Attributes:
        endpoint: `enabled` or `disabled`.
        method: `PUT`, `GET` (HEAD is decided like it) or `other`.
        path: `token`, `token-slash`, `token-versioned` or `metadata` (everything else).
        forwarded: `yes` where an X-Forwarded-For header came along.
        ttl: `good`, `bad` or `absent`, the lifetime that the request asks for.
        presented: `valid`, `invalid` or `absent`, the token in the header.
        mode: `optional` or `required`, the instance's HttpTokens.
    """

    endpoint: str
    method: str
    path: str
    forwarded: str
    ttl: str
    presented: str
    mode: str


VOCABULARY = {
    "endpoint": ("enabled", "disabled"),
    "method": ("PUT", "GET", "other"),
    "path": ("token", "token-slash", "token-versioned", "metadata"),
    "forwarded": ("yes", "no"),
    "ttl": ("good", "bad", "absent"),
    "presented": ("valid", "invalid", "absent"),
    "mode": ("optional", "required"),
}
"""Every word that each of the facts can be."""


@dataclass(frozen=True)
class Row:
    """One row of the table: the facts it asks for (`any` fits all), and what happens then.

    Attributes:
        name: what the row is about, as the diagrams and access logs show it.
        action: `issue` (a token), `serve` (the metadata), `error` (a page of XHTML) or `empty`
            (a status without a body).
        status: of the answer; 0 where the metadata tree decides between 200, 301 and 404.
        kind: `token`, `v1` or `v2`, how the request spoke.
        counted: the CloudWatch metric that the request is counted in, or None.
        allow: the Allow header, where the answer has one.
        hop_limited: whether the answer leaves with the hop limit as its IP time to live.
        source: where AWS says so, or that it does not.
    """

    name: str
    action: str
    status: int
    kind: str = ANY
    counted: str | None = None
    allow: str | None = None
    hop_limited: bool = False
    endpoint: str = "enabled"
    method: str = ANY
    path: str = ANY
    forwarded: str = ANY
    ttl: str = ANY
    presented: str = ANY
    mode: str = ANY
    source: str = ""

    def fits(self, facts: Facts) -> bool:
        """Whether every fact is what this row asks for."""
        return all(getattr(self, name) in (ANY, getattr(facts, name)) for name in VOCABULARY)


_RETRIEVAL = "EC2 User Guide, Access instance metadata"
_SERVICE = "EC2 User Guide, Use the Instance Metadata Service"
_SEEN = "seen on instances"
_OPEN = "not documented; this is the careful reading"

ROWS = (
    Row("endpoint-disabled", "error", 403, endpoint="disabled", source=_RETRIEVAL),
    Row(
        "token-forwarded",
        "empty",
        403,
        "token",
        hop_limited=True,
        method="PUT",
        forwarded="yes",
        source=_SERVICE,
    ),
    Row(
        "token-versioned-path",
        "empty",
        403,
        "token",
        hop_limited=True,
        method="PUT",
        path="token-versioned",
        source=_RETRIEVAL,
    ),
    Row(
        "token-trailing-slash",
        "empty",
        403,
        "token",
        hop_limited=True,
        method="PUT",
        path="token-slash",
        source=_SEEN,
    ),
    Row(
        "put-elsewhere",
        "empty",
        403,
        "token",
        hop_limited=True,
        method="PUT",
        path="metadata",
        source=_RETRIEVAL,
    ),
    Row(
        "token-ttl-missing",
        "error",
        400,
        "token",
        hop_limited=True,
        method="PUT",
        path="token",
        ttl="absent",
        source=_RETRIEVAL,
    ),
    Row(
        "token-ttl-invalid",
        "error",
        400,
        "token",
        hop_limited=True,
        method="PUT",
        path="token",
        ttl="bad",
        source=_RETRIEVAL,
    ),
    Row(
        "token-issued",
        "issue",
        200,
        "token",
        hop_limited=True,
        method="PUT",
        path="token",
        source=_SERVICE,
    ),
    Row(
        "token-wrong-method",
        "empty",
        405,
        "token",
        allow="OPTIONS, PUT",
        path="token",
        source=_SEEN,
    ),
    Row("token-invalid", "error", 401, "v2", presented="invalid", source=_RETRIEVAL),
    Row(
        "no-token-rejected",
        "error",
        401,
        "v1",
        NO_TOKEN_REJECTED,
        presented="absent",
        mode="required",
        source=_RETRIEVAL,
    ),
    Row(
        "method-not-allowed-v2",
        "empty",
        405,
        "v2",
        allow="GET, HEAD",
        method="other",
        presented="valid",
        source=_OPEN,
    ),
    Row(
        "method-not-allowed-v1",
        "empty",
        405,
        "v1",
        allow="GET, HEAD",
        method="other",
        presented="absent",
        source=_OPEN,
    ),
    Row("v2", "serve", 0, "v2", presented="valid", source=_SERVICE),
    Row("v1", "serve", 0, "v1", NO_TOKEN, presented="absent", mode="optional", source=_SERVICE),
)
"""The table. Rows further down can rely on the rows above not having fitted."""


@cache
def decide(facts: Facts) -> Row:
    """The first row that fits.

    Raises:
        LookupError: a word outside the vocabulary.
    """
    for row in ROWS:
        if row.fits(facts):
            return row
    raise LookupError(f"no row of the table fits {facts}")


def path_class(path: str) -> str:
    """The word for a path: `token`, `token-slash`, `token-versioned` or `metadata`."""
    if path == TOKEN_PATH:
        return "token"
    if path == TOKEN_PATH + "/":
        return "token-slash"
    return "token-versioned" if _VERSIONED_TOKEN.fullmatch(path) else "metadata"


def method_class(method: str) -> str:
    """The word for a method: `PUT`, `GET` (also for HEAD) or `other`."""
    return {"PUT": "PUT", "GET": "GET", "HEAD": "GET"}.get(method, "other")


def kind_of(method: str, path: str, *, has_token: bool) -> str:
    """How a request speaks, as far as can be told without knowing the instance's options.

    Returns:
        `token` for a request for a session token (every PUT, and whatever else goes to the token
        path), `v2` where the token header is there (valid or not), `v1` otherwise.
    """
    if method == "PUT" or path == TOKEN_PATH:
        return "token"
    return "v2" if has_token else "v1"
