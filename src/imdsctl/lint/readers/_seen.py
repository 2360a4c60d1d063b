"""Requests as they are seen while a text is gone through, and the facts that they become."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from imdsctl.lint.facts import Edit, Known, Request
from imdsctl.lint.readers import _metadata_url
from imdsctl.lint.readers._forms import Call, Form
from imdsctl.lint.readers._values import (
    UNKNOWN,
    Answer,
    Hole,
    Nothing,
    Obj,
    OneOf,
    Piece,
    Ref,
    Seq,
    Str,
    Tab,
    Value,
    alternatives,
)
from imdsctl.lint.source import Source

_METHODS: Final = {"GET", "PUT", "POST", "HEAD", "DELETE", "PATCH", "OPTIONS"}
_MOST: Final = 12
"""Facts of one place: a helper that is called with everything is told by its first few uses."""


@dataclass(eq=False, slots=True)
class Seen:
    """A request in the making: what comes after it in the text may still tell more of it."""

    form: Form
    client: str
    method: str
    host: str
    path: str
    token: Known
    token_from: str
    lifetime: Known
    fails: Known
    checked: Known
    bypasses_proxy: Known
    proxy: str
    follows: bool
    fallback: bool
    stored_in: str = ""
    origin: Call | None = None
    edits: tuple[Edit, ...] = field(default=())

    def examined(self) -> None:
        """Somebody looks at its status."""
        self.fails = "yes"
        if self.checked == "unknown":
            self.checked = "yes"

    @property
    def is_token_request(self) -> bool:
        """Whether it asks for a session token."""
        return self.method == "PUT" or self.path.rstrip("/").endswith("/api/token")


def way_back(taken: Iterable[list["Seen"]]) -> None:
    """Mark what is asked without a token in one arm where another arm has a token to send."""
    arms = list(taken)
    with_token = [any(one.token == "yes" for one in arm) for arm in arms]  # noqa: S105
    for at, arm in enumerate(arms):
        if any(have for other, have in enumerate(with_token) if other != at):
            for one in arm:
                one.fallback = one.fallback or one.token == "no"  # noqa: S105


def header(headers: Value, name: str) -> tuple[Known, Value]:
    """Whether headers hold one of that name, and its value.

    Headers come as tables, as lists of pairs, and as lists of lines `Name: value`.
    """
    if isinstance(headers, OneOf):
        found = [header(one, name) for one in headers.values]
        known = {one[0] for one in found}
        value = next((one[1] for one in found if one[0] == "yes"), UNKNOWN)
        return (known.pop() if len(known) == 1 else "unknown"), value
    if isinstance(headers, Nothing):
        return "no", UNKNOWN
    if isinstance(headers, Obj):
        return header(headers.fields.get("headers", Ref()), name)
    if isinstance(headers, Tab):
        value_in = headers.find(name)
        if value_in is None or isinstance(value_in, Nothing):
            return ("unknown" if headers.open else "no"), UNKNOWN
        return "yes", value_in
    if isinstance(headers, Seq):
        return _in_lines(headers.items, name)
    if isinstance(headers, Str):
        return _in_lines([headers], name)
    return "unknown", UNKNOWN


def _in_lines(lines: list[Value], name: str) -> tuple[Known, Value]:
    known: Known = "no"
    wanted = name.lower()
    for index, line in enumerate(lines):
        if isinstance(line, Seq) and line.items:
            key: Value = line.items[0]
            value = line.items[1] if len(line.items) > 1 else UNKNOWN
        else:
            key = value = line
        if not isinstance(key, Str):
            known = "unknown"
            continue
        shown = key.shown().strip().lower()
        if shown == wanted:
            following = lines[index + 1] if index + 1 < len(lines) else UNKNOWN
            return "yes", following if value is key else value
        if shown.startswith(wanted + ":"):
            return "yes", value
    return known, UNKNOWN


def name_of(value: Value) -> str:
    """The variable that a header's value comes from."""
    for one in alternatives(value):
        if isinstance(one, Answer | Ref) and one.name:
            return one.name
        if isinstance(one, Str):
            named = [
                p.answer.name if p.answer else p.name for p in one.parts if isinstance(p, Hole)
            ]
            if found := next(filter(None, named), ""):
                return found
        if isinstance(one, Seq) and one.items:
            return name_of(one.items[0])
    return ""


def of_another_cloud(headers: Value) -> bool:
    """Whether headers are of a metadata service that is not AWS's."""
    return any(header(headers, name)[0] == "yes" for name in _metadata_url.OTHER_CLOUDS)


def method_of(value: Value, otherwise: str) -> str:
    """A method as sent; empty where it cannot be told."""
    if isinstance(value, Nothing):
        return otherwise
    named = {_one_method(one) for one in alternatives(value)}
    return named.pop() if len(named) == 1 else ""


def _one_method(value: Value) -> str:
    if isinstance(value, Str):
        return (value.constant or "").upper()
    if isinstance(value, Ref):  # HttpMethod.PUT, http.MethodPut
        last = value.name.rpartition(".")[2].removeprefix("Method").upper()
        return last if last in _METHODS else ""
    return ""


def proxy_of(value: Value) -> str:
    """The proxy that an option names; empty for none."""
    for one in alternatives(value):
        if isinstance(one, Str) and any(isinstance(p, Piece) and p.text for p in one.parts):
            return one.shown()
        if isinstance(one, Tab):
            for key in ("http", "http://", "all", "all://", "host"):
                if (found := one.find(key)) is not None:
                    return proxy_of(found)
    return ""


def facts(source: Source, seen: Iterable[Seen]) -> Iterator[Request]:
    """The requests as facts; a place that was gone through in several ways gives the different."""
    told: dict[tuple[object, ...], None] = {}
    count: dict[Form, int] = {}
    for one in seen:
        key = (
            one.form.at, one.method, one.host, one.is_token_request, one.token, one.lifetime,
            one.fails, one.checked, one.proxy, one.fallback,
        )  # fmt: skip
        if key in told or count.get(one.form, 0) >= _MOST:
            continue
        told[key] = None
        count[one.form] = count.get(one.form, 0) + 1
        yield Request(
            place=source.place_of_bytes(*one.form.at),
            client=one.client,
            method=one.method,
            host=one.host,
            path=one.path,
            token=one.token,
            token_from=one.token_from,
            lifetime=one.lifetime,
            fails=one.fails,
            bypasses_proxy=one.bypasses_proxy,
            proxy=one.proxy,
            stored_in=one.stored_in,
            checked=one.checked,
            follows=one.follows,
            fallback=one.fallback,
            edits=one.edits,
        )
