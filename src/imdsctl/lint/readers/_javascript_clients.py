"""Node's HTTP libraries: which call sends what, and how it fails.

By Node.js's documentation (http, fetch, child_process) and that of axios, got, request, superagent,
needle, ky and undici. AWS SDKs fetch tokens themselves: their version is what counts.
"""

from typing import Final

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._language import Called, Handler, Language
from imdsctl.lint.readers._pass import Pass
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Nothing,
    Obj,
    Ref,
    Seq,
    Str,
    Tab,
    Value,
    concatenated,
    text,
)

_METHODS: Final = ("get", "put", "post", "head", "delete", "patch", "options")


def _option(options: Tab, *names: str) -> Value:
    for name in names:
        if (found := options.find(name)) is not None:
            return found
    return NOTHING


def headers_in(options: Tab) -> Value:
    """The headers of options; unknown ones where the options are."""
    found = _option(options, "headers")
    return UNKNOWN if isinstance(found, Nothing) and options.open else found


def _url_in(options: Tab) -> Value:
    """The URL of options: whole, or as host and path."""
    whole = _option(options, "url", "uri", "href")
    base = _option(options, "baseURL", "baseUrl", "prefixUrl")
    if not isinstance(whole, Nothing):
        return whole if isinstance(base, Nothing) else _known_methods.path_joined([base, whole])
    host = _option(options, "hostname", "host")
    if isinstance(host, Nothing):
        return UNKNOWN if isinstance(base, Nothing) else base
    path = _option(options, "path", "pathname")
    whole_path = text("/") if isinstance(path, Nothing) else path
    parts: list[Value] = [text("http://"), host, whole_path]
    return concatenated(parts)


def _client(
    client: str,
    method: str | None,
    *,
    fails: Known,
    bypasses: Known,
    options_at: int = 1,
) -> Handler:
    """A call that takes a URL or options, or both, or a URL, a body and options."""

    def handle(run: Pass, called: Called) -> Value:
        first = called.get(0)
        options = called.options(options_at)
        own = called.this.fields if isinstance(called.this, Obj) else {}
        if isinstance(first, Tab):
            url = _url_in(first)
            options = first
        else:
            url = first
        base = own.get("baseURL", NOTHING)
        if isinstance(base, Str) and "://" not in (url.shown() if isinstance(url, Str) else ""):
            url = _known_methods.path_joined([base, url])
        headers = headers_in(options)
        if isinstance(common := own.get("headers", NOTHING), Tab):
            merged = Tab(dict(common.entries), common.open)
            _known_methods.merge(merged, headers)
            headers = merged
        proxy = _option(options, "proxy")
        direct = isinstance(proxy, Str) and proxy.constant == "false"
        quiet = _option(options, "throwHttpErrors", "simple")
        ignores = isinstance(quiet, Str) and quiet.constant == "false"
        ignores = ignores or not isinstance(_option(options, "validateStatus"), Nothing)
        return run.request(
            called.form,
            client,
            method.upper() if method else _option(options, "method"),
            url,
            headers,
            fails="no" if ignores else fails,
            bypasses="yes" if direct else bypasses,
            proxy=NOTHING if direct else proxy,
        )

    return handle


def _made(kind: str) -> Handler:
    """axios.create, got.extend, request.defaults: a client with options of its own."""

    def handle(_run: Pass, called: Called) -> Value:
        options = called.options(0)
        headers = Tab()
        _known_methods.merge(headers, headers_in(options))
        base = _option(options, "baseURL", "baseUrl", "prefixUrl")
        return Obj(kind, {"headers": headers, "baseURL": base})

    return handle


def _needle(run: Pass, called: Called) -> Value:
    options = called.options(len(called.args) - 1) if len(called.args) > 2 else Tab()  # noqa: PLR2004
    if called.functions and len(called.args) > 3:  # noqa: PLR2004 - method, url, data, options, then
        options = called.options(3)
    return run.request(
        called.form, "needle", called.get(0), called.get(1), headers_in(options), bypasses="no"
    )


def _required(_run: Pass, called: Called) -> Value:
    name = called.get(0)
    constant = name.constant if isinstance(name, Str) else None
    return Ref((constant or "").removeprefix("node:")) if constant else UNKNOWN


def _first(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _url(_run: Pass, called: Called) -> Value:
    base = called.get(1)
    if isinstance(base, Nothing):
        return called.get(0)
    return _known_methods.url_joined(base, called.get(0))


def _assigned(_run: Pass, called: Called) -> Value:
    """Object.assign: its first argument with all others."""
    target = called.get(0)
    merged = target if isinstance(target, Tab) else Tab()
    for one in called.args[1:]:
        _known_methods.merge(merged, one)
    return merged


def _table(_run: Pass, called: Called) -> Value:
    table = Tab()
    _known_methods.merge(table, called.get(0))
    return table


def _promise(run: Pass, called: Called) -> Value:
    """New Promise(…): what is asked for in it is what it comes to."""
    before = len(run.seen)
    run.callbacks(called, [])
    called.args.clear()
    made = run.seen[before:]
    return Answer(made) if made else UNKNOWN


def _executed(run: Pass, called: Called) -> Value:
    run.embedding.command(called.get(0), called.form.at)
    return UNKNOWN


def _spawned(run: Pass, called: Called) -> Value:
    args = called.get(1)
    if isinstance(args, Seq):
        run.embedding.command(Seq([called.get(0), *args.items]), called.form.at)
    else:
        run.embedding.command(called.get(0), called.form.at)
    return UNKNOWN


def guess(run: Pass, called: Called) -> Value | None:
    """A method of an unknown object that is called like one of an HTTP client."""
    name = called.name.rpartition(".")[2]
    holder = called.this.name.lower() if isinstance(called.this, Ref) else ""
    if name in _METHODS and any(s in holder for s in ("http", "axios", "client", "got")):
        if "mock" in holder or "nock" in holder:
            return None
        shift = 2 if name in {"put", "post", "patch"} else 1
        options = called.options(shift)
        named = headers_in(options)
        headers = UNKNOWN if isinstance(named, Nothing) else _opened(named)
        return run.request(called.form, f"{holder}.{name}", name.upper(), called.get(0), headers)
    return None


def _opened(headers: Value) -> Value:
    return Tab(dict(headers.entries), open=True) if isinstance(headers, Tab) else headers


def _calls() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    fetch = _client("fetch", None, fails="no", bypasses="yes")
    for name in ("fetch", "node-fetch", "cross-fetch", "isomorphic-fetch", "undici.fetch",
                 "globalThis.fetch", "window.fetch", "undici.request"):  # fmt: skip
        found[name] = fetch
    for module in ("http", "https"):
        found[f"{module}.get"] = _client(f"{module}.get", "GET", fails="no", bypasses="yes")
        found[f"{module}.request"] = _client(f"{module}.request", None, fails="no", bypasses="yes")
    bodied = {"put", "post", "patch"}
    found["axios"] = found["axios.request"] = _client("axios", None, fails="yes", bypasses="no")
    for method in _METHODS:
        at = 2 if method in bodied else 1
        found[f"axios.{method}"] = _client(
            f"axios.{method}", method, fails="yes", bypasses="no", options_at=at
        )
    for library, fails, bypasses in _LIBRARIES:
        found[library] = _client(library, None, fails=fails, bypasses=bypasses)
        for method in _METHODS:
            found[f"{library}.{method}"] = _client(
                f"{library}.{method}", method, fails=fails, bypasses=bypasses
            )
    found["needle"] = _needle
    found["axios.create"] = _made("axios")
    found["got.extend"] = found["ky.create"] = found["ky.extend"] = _made("got")
    found["request.defaults"] = _made("request")
    found["require"] = _required
    for name in ("util.promisify", "promisify", "String", "url.parse", "encodeURI",
                 "JSON.stringify",
                 "Promise.resolve", "Object.freeze"):  # fmt: skip
        found[name] = _first
    found["URL"] = found["url.URL"] = _url
    found["Object.assign"] = _assigned
    for name in ("Headers", "Map", "Object.fromEntries", "node-fetch.Headers", "AxiosHeaders"):
        found[name] = _table
    found["path.join"] = found["path.posix.join"] = lambda _run, called: _known_methods.path_joined(
        called.args
    )
    found["util.format"] = lambda _run, called: (
        _known_methods.filled(called.args[0], called.args[1:], {})
        if called.args and isinstance(called.args[0], Str)
        else UNKNOWN
    )
    found["Promise"] = _promise
    return {**found, **_processes()}


def _processes() -> dict[str, Handler]:
    """What runs a program."""
    found: dict[str, Handler] = {}
    for module in ("child_process", "shelljs"):
        found[f"{module}.exec"] = found[f"{module}.execSync"] = _executed
        for name in ("execFile", "execFileSync", "spawn", "spawnSync"):
            found[f"{module}.{name}"] = _spawned
    for name in ("$", "zx.$", "execa.$", "execa.command", "execa.execaCommand", "execaCommand"):
        found[name] = _executed
    found["execa"] = found["execa.execa"] = _spawned
    return found


_LIBRARIES: Final[tuple[tuple[str, Known, Known], ...]] = (
    ("got", "yes", "yes"), ("ky", "yes", "yes"), ("request", "no", "no"),
    ("request-promise", "yes", "no"), ("request-promise-native", "yes", "no"),
    ("superagent", "yes", "yes"), ("needle", "no", "no"), ("phin", "no", "yes"),
    ("bent", "yes", "yes"), ("wretch", "yes", "yes"),
)  # fmt: skip


_MADE: Final[tuple[tuple[str, Known, Known], ...]] = (
    ("axios", "yes", "no"), ("got", "yes", "yes"), ("request", "no", "no"),
)  # fmt: skip


def _methods() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for kind, fails, bypasses in _MADE:
        found[f"{kind}.request"] = _client(kind, None, fails=fails, bypasses=bypasses)
        for method in _METHODS:
            at = 2 if kind == "axios" and method in {"put", "post", "patch"} else 1
            found[f"{kind}.{method}"] = _client(
                f"{kind}.{method}", method, fails=fails, bypasses=bypasses, options_at=at
            )
    return found


JAVASCRIPT: Final = Language(
    calls=_calls(),
    methods=_methods(),
    guess=guess,
    status=frozenset({"ok", "status", "statusCode", "statusText", "statusMessage"}),
    mocks=frozenset({
        "nock", "jest.mock", "jest.fn", "jest.spyOn", "vi.mock", "vi.fn", "sinon.stub",
        "fetchMock.mock", "fetchMock.get", "fetchMock.mockResponse", "MockAdapter",
        "axios-mock-adapter",
        "msw.setupServer", "setupServer", "msw/node.setupServer", "proxyquire",
    }),
    constructors=frozenset({"constructor"}),
)  # fmt: skip
