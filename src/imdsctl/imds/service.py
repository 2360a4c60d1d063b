"""One instance's metadata service: a request and the time come in, an answer goes out."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imdsctl.imds.decide import (
    FORWARDED_HEADER,
    TOKEN_HEADER,
    TTL_HEADER,
    Facts,
    Row,
    decide,
    kind_of,
    method_class,
    path_class,
)
from imdsctl.imds.identity import Signer
from imdsctl.imds.items import items
from imdsctl.imds.message import Headers, Request, Response
from imdsctl.imds.options import Options
from imdsctl.imds.pages import BINARY, HTML, SERVER, TEXT, TTL_ANSWER_HEADER, error_page
from imdsctl.imds.times import http_date
from imdsctl.imds.tokens import Tokens, parse_ttl
from imdsctl.imds.tree import Tree

ADDRESS = "169.254.169.254"

_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

_Field = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer, and what its sender has to know about it.

    Attributes:
        response: what goes onto the wire.
        kind: `token`, `v1` or `v2`: how the request spoke.
        counted: the CloudWatch metric that it is counted in (`MetadataNoToken` or
            `MetadataNoTokenRejected`), or None.
        hop_limited: whether its packets leave with the hop limit as IP time to live.
        rule: the name of the row of the decision table that answered.
    """

    response: Response
    kind: str
    counted: str | None
    hop_limited: bool
    rule: str


class Service:
    """The metadata service of one instance, without a socket; safe to use from many threads.

    Args:
        values: the instance's values, as `defaults.DEFAULTS` names them. Where they name no
            `instance_id`, the argument of that name is used.
        options: the metadata options; `replace_options` changes them while it runs.
        instance_id: whose tokens these are; another instance's are refused.
        secret: what tokens, fake credentials and fake signatures are derived from.
        started: when the instance began, in seconds since 1970: Last-Modified, the first
            credentials and `+90s` in the values count from here.
        redirect_directories: answer a directory without its slash with 301 instead of the listing.
            Instances do either (in 2018 both were seen at once, later the listing).
        keep_alive: leave out `Connection: close`, which instances mostly send, and let the server
            hold the connection open.
        signer: signs the identity document; without one the signatures are recognisable fakes.

    Raises:
        ValueError: a value is unknown or wrong; the message names it.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        options: Options,
        instance_id: str,
        secret: bytes,
        *,
        started: float = 0.0,
        redirect_directories: bool = False,
        keep_alive: bool = False,
        signer: Signer | None = None,
    ) -> None:
        self._instance_id = instance_id
        self._tokens = Tokens(secret, instance_id)
        self._key = hmac.digest(secret, b"values of " + instance_id.encode("utf-8"), "sha256")
        self._started = started
        self._redirect = redirect_directories
        self._keep_alive = keep_alive
        self._signer = signer
        self._values = dict(values)
        # Options and tree change together, so a request sees one pair, whatever thread swaps it.
        self._state = (options, self._tree(self._values, options))

    @property
    def options(self) -> Options:
        """The options that the next request meets."""
        return self._state[0]

    def replace_options(self, options: Options) -> None:
        """Other options from the next request on. Tokens that are out stay valid.

        Raises:
            ValueError: tags are enabled and one of their keys cannot be part of a path; the
                options stay as they were.
        """
        old, tree = self._state
        if options.tags_enabled != old.tags_enabled:
            tree = self._tree(self._values, options)
        self._state = (options, tree)

    def replace_values(self, values: Mapping[str, Any]) -> None:
        """Other metadata from the next request on.

        Raises:
            ValueError: as the constructor does; the metadata stays as it was.
        """
        options = self.options
        tree = self._tree(values, options)
        self._values = dict(values)
        self._state = (options, tree)

    def answer(self, request: Request, now: float, entropy: bytes) -> Answer:
        """The answer to `request`; never raises, whatever it holds.

        Args:
            request: what came in.
            now: the time, in seconds since 1970.
            entropy: at least `tokens.ENTROPY_BYTES` random bytes, fresh for every request.
        """
        options, tree = self._state
        path, headers = request.path, request.headers
        ttl_text, token_text = headers.get(TTL_HEADER), headers.get(TOKEN_HEADER)
        ttl = parse_ttl(ttl_text)
        remaining = 0 if token_text is None else self._tokens.check(token_text, now).remaining
        row = decide(
            Facts(
                endpoint=options.http_endpoint,
                method=method_class(request.method),
                path=path_class(path),
                forwarded="yes" if FORWARDED_HEADER in headers else "no",
                ttl="absent" if ttl_text is None else ("bad" if ttl is None else "good"),
                presented="absent" if token_text is None else ("valid" if remaining else "invalid"),
                mode=options.http_tokens,
            )
        )
        if row.action == "issue" and ttl is not None:
            token = self._tokens.issue(ttl, now, entropy).encode("ascii")
            response = self._respond(200, now, token, TEXT, remaining=ttl)
        elif row.action == "serve":
            response = self._serve(tree, path, headers, now, remaining)
        else:
            response = self._refuse(row, now)
        if request.method == "HEAD":
            response = Response(response.status, response.headers)
        return Answer(
            response,
            kind_of(request.method, path, has_token=token_text is not None),
            row.counted,
            row.hop_limited,
            row.name,
        )

    def _tree(self, values: Mapping[str, Any], options: Options) -> Tree:
        return Tree(
            items(
                {"instance_id": self._instance_id, **values},
                tags=options.tags_enabled,
                started=self._started,
                key=self._key,
                signer=self._signer,
            )
        )

    def _serve(
        self, tree: Tree, path: str, headers: Headers, now: float, remaining: int
    ) -> Response:
        found = tree.find(unescape(path), now)
        if found is None:
            return self._respond(404, now, error_page(404), HTML, remaining=remaining)
        if found.directory and not found.slash and self._redirect:
            host = headers.get("Host") or ""
            where = f"http://{host if _HOST.fullmatch(host) else ADDRESS}{path}/"
            return self._respond(301, now, b"", None, ("Location", where), remaining=remaining)
        ranges = "bytes" if found.content_type == BINARY else "none"
        return self._respond(
            200,
            now,
            found.body,
            found.content_type,
            ("Accept-Ranges", ranges),
            ("Last-Modified", http_date(self._started)),
            remaining=remaining,
        )

    def _refuse(self, row: Row, now: float) -> Response:
        if row.action == "error":
            return self._respond(row.status, now, error_page(row.status), HTML)
        allow = () if row.allow is None else (("Allow", row.allow),)
        return self._respond(row.status, now, b"", TEXT, *allow, close=row.allow is not None)

    def _respond(
        self,
        status: int,
        now: float,
        body: bytes,
        content_type: str | None,
        *more: _Field,
        remaining: int = 0,
        close: bool = False,
    ) -> Response:
        """A response with the fields in the order in which instances send them."""
        fields: list[_Field] = []
        if remaining:
            fields.append((TTL_ANSWER_HEADER, str(remaining)))
        if content_type is not None:
            fields.append(("Content-Type", content_type))
        fields += more
        fields.append(("Content-Length", str(len(body))))
        fields.append(("Date", http_date(now)))
        fields.append(("Server", SERVER))
        if close or not self._keep_alive:
            fields.append(("Connection", "close"))
        return Response(status, Headers(fields), body)


def unescape(path: str) -> str:
    """The path with its percent signs read (`%3A` is a colon), an escaped slash left as it is."""
    if "%" not in path:
        return path
    plain = _ESCAPED.sub(
        lambda found: found[0] if found[1].lower() == "2f" else chr(int(found[1], 16)), path
    )
    try:
        return plain.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return plain
