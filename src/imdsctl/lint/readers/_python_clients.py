"""Python's HTTP libraries: which call sends what, and how it fails.

By the documentation of requests ("raise_for_status"; "Proxies"), httpx and aiohttp ("trust_env").
"""

from typing import Final

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers import _python_standard as standard
from imdsctl.lint.readers._headers import headers_over
from imdsctl.lint.readers._language import Called, Handler, Language
from imdsctl.lint.readers._pass import Pass
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Nothing,
    Obj,
    Ref,
    Str,
    Tab,
    Value,
)

_METHODS: Final = ("get", "put", "post", "head", "delete", "patch", "options")
_LIBRARIES: Final = {
    "requests": "requests", "requests.api": "requests", "httpx": "httpx",
    "botocore.vendored.requests": "requests",
}  # fmt: skip
_SESSIONS: Final = {
    "requests.Session": "requests", "requests.session": "requests",
    "requests.sessions.Session": "requests", "httpx.Client": "httpx",
    "httpx.AsyncClient": "httpx", "aiohttp.ClientSession": "aiohttp",
}  # fmt: skip


def _is(value: Value, *spellings: str) -> bool:
    return isinstance(value, Str) and value.constant in spellings


def _none_in_table(value: Value) -> bool:
    """proxies={"http": None} and the like: no proxy at all."""
    return isinstance(value, Tab) and any(
        isinstance(one, Nothing) or _is(one, "") for one in value.entries.values()
    )


def _requests(library: str, method: str | None, session: bool) -> Handler:  # noqa: FBT001
    """requests.get, httpx.get, or a session's get; the method is an argument where it is None."""

    def handle(run: Pass, called: Called) -> Value:
        shift = 0 if method else 1
        own = called.this.fields if session and isinstance(called.this, Obj) else {}
        base = own.get("base_url", NOTHING)
        url = called.get(shift, "url")
        if not isinstance(base, Nothing):
            url = _known_methods.path_joined([base, url])
        proxies = called.get(None, "proxies", "proxy")
        trusts = called.get(None, "trust_env")
        bypasses: Known = "no"
        if (
            _none_in_table(proxies)
            or _is(own.get("trust_env", NOTHING), "False")
            or _is(trusts, "False")
            or _none_in_table(own.get("proxies", NOTHING))
        ):
            bypasses = "yes"
        return run.request(
            called.form,
            f"{library}.{method or 'request'}" if not session else f"{library} session",
            method.upper() if method else called.get(0, "method"),
            url,
            headers_over(own.get("headers", NOTHING), called.get(None, "headers")),
            bypasses=bypasses,
            proxy=proxies if not isinstance(proxies, Nothing) else own.get("proxies", NOTHING),
            origin=called.form,
        )

    return handle


def _session(kind: str) -> Handler:
    """requests.Session(), httpx.Client(), aiohttp.ClientSession()."""

    def handle(_run: Pass, called: Called) -> Value:
        headers = Tab()
        _known_methods.merge(headers, called.get(None, "headers"))
        return Obj(
            kind,
            {
                "headers": headers,
                "base_url": called.get(0 if kind == "aiohttp" else None, "base_url"),
                "trust_env": called.get(None, "trust_env"),
                "proxies": called.get(None, "proxies", "proxy"),
            },
            called.form,
        )

    return handle


def _aiohttp(method: str | None) -> Handler:
    def handle(run: Pass, called: Called) -> Value:
        own = called.this.fields if isinstance(called.this, Obj) else {}
        shift = 0 if method else 1
        base, url = own.get("base_url", NOTHING), called.get(shift, "url")
        raises = called.get(None, "raise_for_status")
        if not isinstance(base, Nothing):
            url = _known_methods.path_joined([base, url])
        return run.request(
            called.form,
            "aiohttp",
            method.upper() if method else called.get(0, "method"),
            url,
            headers_over(own.get("headers", NOTHING), called.get(None, "headers")),
            fails="yes" if _is(raises, "True") else "no",
            bypasses="no" if _is(own.get("trust_env", NOTHING), "True") else "yes",
            proxy=called.get(None, "proxy"),
        )

    return handle


def _prepared(_run: Pass, called: Called) -> Value:
    """requests.Request(method, url, headers), sent by a session later."""
    headers = Tab()
    _known_methods.merge(headers, called.get(2, "headers"))
    fields: dict[str, Value] = {"url": called.get(1, "url"), "headers": headers}
    return Obj("requests.Request", {"method": called.get(0, "method"), **fields})


def _sent(run: Pass, called: Called) -> Value:
    target = called.get(0, "request")
    own = called.this.fields if isinstance(called.this, Obj) else {}
    if not isinstance(target, Obj):
        return UNKNOWN
    return run.request(
        called.form,
        "requests session",
        target.fields.get("method", NOTHING),
        target.fields.get("url", UNKNOWN),
        headers_over(own.get("headers", NOTHING), target.fields.get("headers", NOTHING)),
        bypasses="no",
    )


def guess(run: Pass, called: Called) -> Value | None:
    """A method of an unknown object that is called like one of a session of requests."""
    name = called.name.rpartition(".")[2]
    holder = called.this.name.lower() if isinstance(called.this, Ref) else ""
    if not holder or "mock" in holder or holder in {"m", "rsps", "responses", "httpretty"}:
        return None
    named = called.get(None, "headers")
    headers = UNKNOWN if isinstance(named, Nothing) else headers_over(Tab(open=True), named)
    if name in _METHODS and any(
        s in holder for s in ("session", "client", "http", "requests", "sess")
    ):
        return run.request(
            called.form, f"{holder}.{name}", name.upper(), called.get(0, "url"), headers
        )
    if name in {"request", "urlopen", "open"} and len(called.args) > 1:
        return run.request(called.form, f"{holder}.{name}", called.get(0), called.get(1), headers)
    return None


def _same(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _itself(_run: Pass, called: Called) -> Value:
    return called.this


CALLS: Final[dict[str, Handler]] = {
    **standard.CALLS,
    **{
        f"{library}.{method}": _requests(short, method, session=False)
        for library, short in _LIBRARIES.items()
        for method in _METHODS
    },
    **{
        f"{one}.request": _requests(short, None, session=False) for one, short in _LIBRARIES.items()
    },
    **{name: _session(kind) for name, kind in _SESSIONS.items()},
    **{f"aiohttp.{method}": _aiohttp(method) for method in _METHODS},  # until aiohttp 2
    "aiohttp.request": _aiohttp(None),
    "requests.Request": _prepared,
}
METHODS: Final[dict[str, Handler]] = {
    **standard.METHODS,
    **{
        f"{kind}.{method}": _requests(kind, method, session=True)
        for kind in ("requests", "httpx")
        for method in _METHODS
    },
    **{f"{kind}.request": _requests(kind, None, session=True) for kind in ("requests", "httpx")},
    **{f"{kind}.send": _sent for kind in ("requests", "httpx")},
    **{f"{kind}.prepare_request": _same for kind in ("requests", "httpx")},
    **{f"aiohttp.{method}": _aiohttp(method) for method in _METHODS},
    "aiohttp.request": _aiohttp(None),
    "requests.Request.prepare": _itself,
}

PYTHON: Final = Language(
    calls=CALLS,
    methods=METHODS,
    guess=guess,
    status=frozenset({
        "status_code", "ok", "status", "raise_for_status", "reason", "is_success", "is_error",
        "getcode", "code",
    }),
    constructors=frozenset({"__init__"}),
    local=True,
)  # fmt: skip
