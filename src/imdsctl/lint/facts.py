"""What a reader finds in a file: facts that do not depend on its language, each with its place."""

from dataclasses import dataclass, field
from typing import Literal

Known = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stretch of the file that a person opens; lines and columns count from 1, ends included."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A piece of the source's own text (by character offsets) and what takes its place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request to a metadata service, by any program or library.

    Attributes:
        place: where it stands.
        client: what makes it: `curl`, `requests.get`, `Invoke-RestMethod`, …
        method: as sent, upper case; empty where it cannot be told.
        host: the address as written, without brackets and port; empty where it cannot be told.
        path: without query; a part that is not known is `*`. Empty where nothing is known.
        token: whether it sends X-aws-ec2-metadata-token.
        token_from: the variable whose value that header carries, where that is known.
        lifetime: whether it sends X-aws-ec2-metadata-token-ttl-seconds.
        fails: whether an HTTP error makes it fail (curl -f, raise_for_status, …).
        bypasses_proxy: whether it ignores the proxies of the environment.
        proxy: a proxy that it names itself.
        stored_in: the variable that takes its answer.
        checked: whether somebody looks at its failure (set -e, `|| exit`, an exception, a test).
        follows: whether a token was fetched before it in the same text (then `token` "no" means
            that the token is not used).
        fallback: whether it runs only where no token could be had.
        edits: what makes it an IMDSv2 request, where that is safe to say; empty elsewhere.
    """

    place: Place
    client: str
    method: str = ""
    host: str = ""
    path: str = ""
    token: Known = "unknown"  # noqa: S105 - no token, only whether there is one
    token_from: str = ""
    lifetime: Known = "unknown"
    fails: Known = "unknown"
    bypasses_proxy: Known = "unknown"
    proxy: str = ""
    stored_in: str = ""
    checked: Known = "unknown"
    follows: bool = False
    fallback: bool = False
    edits: tuple[Edit, ...] = ()

    @property
    def is_token_request(self) -> bool:
        """Whether it asks for a session token, rightly or nearly so."""
        return self.method == "PUT" or self.path.rstrip("/").endswith("/api/token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Something that launches instances, or sets how they are launched.

    Attributes:
        place: of the resource's beginning.
        what: the kind in the format's own words: `aws_instance`, `AWS::EC2::LaunchTemplate`, …
        name: its name or address there.
        options: metadata options by AWS's names in snake_case, as far as they are written down; a
            value that only a run would tell is None.
        options_place: where the options stand, None where there are none.
        complete: whether all that could set the options was read (a module's variables, an
            include).
        has_options: whether this kind can say them at all.
        containers: whether it launches hosts of containers (EKS, ECS, docker in its user data).
        user_data: whether it has any.
        edits: what makes it V2 only, where that is safe to say.
    """

    place: Place
    what: str
    name: str
    options: dict[str, str | int | None] = field(default_factory=dict)
    options_place: Place | None = None
    complete: bool = True
    has_options: bool = True
    containers: Known = "unknown"
    user_data: Known = "unknown"
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A package that a manifest or a lock names.

    Attributes:
        place: where.
        ecosystem: as `imdsctl.software` names it.
        name: of the package.
        version: the exact one, or the lowest that the constraint allows; empty where any is.
        exact: whether it is pinned, as in a lock.
    """

    place: Place
    ecosystem: str
    name: str
    version: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An environment variable or option that switches IMDS, IMDSv1 or IMDSv2 on or off."""

    place: Place
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """A part of the file that its parser could not make sense of; said, never passed over."""

    place: Place
    why: str


Fact = Request | Launch | Dependency | Setting | Unparsed
