"""Python's HTTP libraries: which call sends what, and how it fails.

By the documentation of requests, httpx, urllib3, aiohttp and pycurl, and the standard library's.
"""

from collections.abc import Callable
from typing import Final

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._language import Called, Handler, Language
from imdsctl.lint.readers._pass import Pass
from imdsctl.lint.readers._seen import method_of
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
_HTTP: Final = text("http://")


def headers_of(base: Value, given: Value) -> Value:
    """A session's headers with those of one request over them."""
    if isinstance(given, Nothing):
        return base
    if not isinstance(base, Tab):
        return given
    merged = Tab(dict(base.entries), base.open)
    _known_methods.merge(merged, given)
    return merged


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
            headers_of(own.get("headers", NOTHING), called.get(None, "headers")),
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
            headers_of(own.get("headers", NOTHING), called.get(None, "headers")),
            fails="yes" if _is(raises, "True") else "no",
            bypasses="no" if _is(own.get("trust_env", NOTHING), "True") else "yes",
            proxy=called.get(None, "proxy"),
        )

    return handle


def _urllib_request(_run: Pass, called: Called) -> Value:
    """urllib.request.Request(url, data, headers, method=)."""
    headers = Tab()
    _known_methods.merge(headers, called.get(2, "headers"))
    method = called.get(None, "method")
    if isinstance(method, Nothing) and not isinstance(called.get(1, "data"), Nothing):
        method = text("POST")
    return Obj(
        "urllib.Request",
        {"url": called.get(0, "url"), "headers": headers, "method": method},
        called.form,
    )


def _add_header(_run: Pass, called: Called) -> Value | None:
    if isinstance(called.this, Obj):
        headers = called.this.fields.setdefault("headers", Tab())
        if isinstance(headers, Tab):
            _known_methods.put(headers, called.get(0), called.get(1))
    return NOTHING


def _urlopen(run: Pass, called: Called) -> Value:
    """Urllib's urlopen, of an opener, too: a status of 400 and more is an HTTPError."""
    target = called.get(0, "url", "fullurl")
    own = called.this.fields if isinstance(called.this, Obj) else {}
    url, method, headers = target, NOTHING, NOTHING
    if isinstance(target, Obj):
        url = target.fields.get("url", UNKNOWN)
        headers = target.fields.get("headers", NOTHING)  # type: ignore[assignment]
        method = target.fields.get("method", NOTHING)  # type: ignore[assignment]
        changed = target.fields.get("get_method")
        if changed is not None and hasattr(changed, "form"):
            method = run.invoke(changed, [])  # type: ignore[arg-type, assignment]
    base = own.get("addheaders")
    if isinstance(base, Seq):
        merged = Tab()
        _known_methods.merge(merged, base)
        headers = headers_of(merged, headers)  # type: ignore[assignment]
    return run.request(
        called.form,
        "urlopen",
        method_of(method, "GET"),
        url,
        headers,
        fails="yes",
        bypasses="yes" if "direct" in own else "no",
        proxy=own.get("proxy", NOTHING),
        origin=target.made_by if isinstance(target, Obj) else called.form,
    )


def _opener(_run: Pass, called: Called) -> Value:
    fields: dict[str, Value] = {}
    for one in called.args:
        if isinstance(one, Obj) and one.kind == "urllib.ProxyHandler":
            fields.update(one.fields)
    return Obj("urllib.opener", fields, called.form)


def _proxy_handler(_run: Pass, called: Called) -> Value:
    given = called.get(0, "proxies")
    if isinstance(given, Tab) and not given.entries and not given.open:
        return Obj("urllib.ProxyHandler", {"direct": text("True")})
    return Obj("urllib.ProxyHandler", {"proxy": given})


def _urllib3(run: Pass, called: Called) -> Value:
    own = called.this.fields if isinstance(called.this, Obj) else {}
    return run.request(
        called.form,
        "urllib3",
        called.get(0, "method"),
        called.get(1, "url"),
        headers_of(own.get("headers", NOTHING), called.get(None, "headers")),
        bypasses="unknown" if own.get("proxy") else "yes",
        proxy=own.get("proxy", NOTHING),
    )


def _pool(_run: Pass, called: Called) -> Value:
    proxied = called.name.endswith(("ProxyManager", "proxy_from_url"))
    fields: dict[str, Value] = {"headers": called.get(None, "headers")}
    if proxied:
        fields["proxy"] = called.get(0, "proxy_url")
    return Obj("urllib3", fields)


def _connection(_run: Pass, called: Called) -> Value:
    """http.client.HTTPConnection(host): it knows no proxy but one that it is told of."""
    return Obj("http.client", {"host": called.get(0, "host"), "headers": Tab()}, called.form)


def _connection_request(run: Pass, called: Called) -> Value:
    if not isinstance(called.this, Obj):
        return UNKNOWN
    host = called.this.fields.get("host", UNKNOWN)
    answer = run.request(
        called.form,
        "http.client",
        called.get(0, "method"),
        concatenated([_HTTP, host, called.get(1, "url")]),
        called.get(3, "headers"),
        bypasses="yes",
    )
    called.this.fields["response"] = answer
    return answer


def _connection_response(_run: Pass, called: Called) -> Value | None:
    return called.this.fields.get("response") if isinstance(called.this, Obj) else None


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
        headers_of(own.get("headers", NOTHING), target.fields.get("headers", NOTHING)),
        bypasses="no",
    )


_CURL_OPTIONS: Final = {
    "URL": "url", "HTTPHEADER": "headers", "CUSTOMREQUEST": "method", "PROXY": "proxy",
    "FAILONERROR": "fails", "NOPROXY": "noproxy",
}  # fmt: skip


def _curl_option(_run: Pass, called: Called) -> Value:
    option = called.get(0)
    if isinstance(called.this, Obj) and isinstance(option, Ref):
        name = option.name.rpartition(".")[2]
        if name in _CURL_OPTIONS:
            called.this.fields[_CURL_OPTIONS[name]] = called.get(1)
        elif name in {"PUT", "UPLOAD"}:
            called.this.fields["method"] = text("PUT")
    return NOTHING


def _curl_sent(run: Pass, called: Called) -> Value:
    own = called.this.fields if isinstance(called.this, Obj) else {}
    return run.request(
        called.form,
        "pycurl",
        own.get("method", NOTHING),
        own.get("url", UNKNOWN),
        own.get("headers", NOTHING),
        fails="yes" if "fails" in own else "no",
        bypasses="yes" if "noproxy" in own else "no",
        proxy=own.get("proxy", NOTHING),
    )


def _boto(run: Pass, called: Called) -> Value:
    """Boto 2 knows IMDSv1 alone (boto 2.49.0, boto/utils.py), and goes round no proxy."""
    what = {"get_instance_userdata": "user-data", "get_instance_identity": "dynamic"}
    path = what.get(called.name.rpartition(".")[2], "meta-data")
    base = called.get(None, "url")
    if not isinstance(base, Nothing):
        return UNKNOWN
    return run.request(
        called.form,
        called.name,
        "GET",
        text(f"http://169.254.169.254/latest/{path}/"),
        fails="no",
        bypasses="unknown",
    )


def _shell_string(run: Pass, called: Called) -> Value:
    run.embedding.command(called.get(0, "command", "cmd"), called.form.at)
    return UNKNOWN


def _subprocess(run: Pass, called: Called) -> Value:
    """subprocess.run and its kin; also a string without shell=True is taken for a command line."""
    given = called.get(0, "args")
    run.embedding.command(given, called.form.at)
    return UNKNOWN


def _first(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _joined_url(_run: Pass, called: Called) -> Value:
    return _known_methods.url_joined(called.get(0, "base"), called.get(1, "url"))


def _joined_path(_run: Pass, called: Called) -> Value:
    return _known_methods.path_joined(called.args)


def _mocked(run: Pass, called: Called) -> Value | None:
    name = called.name.rpartition(".")[2]
    if name in {"start", "enable", "activate"}:
        run.everything_mocked = True
    return UNKNOWN


def _environment_get(_run: Pass, called: Called) -> Value:
    """os.environ.get(name, otherwise): the default is what a file alone tells."""
    otherwise = called.get(1, "default")
    return otherwise if isinstance(otherwise, Str) else Ref("environ", local=True)


def guess(run: Pass, called: Called) -> Value | None:
    """A method of an unknown object that is called like one of a session of requests."""
    name = called.name.rpartition(".")[2]
    holder = called.this.name.lower() if isinstance(called.this, Ref) else ""
    if not holder or "mock" in holder or holder in {"m", "rsps", "responses", "httpretty"}:
        return None
    named = called.get(None, "headers")
    headers = UNKNOWN if isinstance(named, Nothing) else headers_of(Tab(open=True), named)
    if name in _METHODS and any(
        s in holder for s in ("session", "client", "http", "requests", "sess")
    ):
        return run.request(
            called.form, f"{holder}.{name}", name.upper(), called.get(0, "url"), headers
        )
    if name in {"request", "urlopen", "open"} and len(called.args) > 1:
        return run.request(called.form, f"{holder}.{name}", called.get(0), called.get(1), headers)
    return None


def _calls() -> dict[str, Handler]:  # noqa: C901, PLR0912 - a table
    found: dict[str, Handler] = {}
    for library in (
        "requests",
        "requests.api",
        "httpx",
        "botocore.vendored.requests",
        "requests_async",
    ):
        short = "httpx" if library == "httpx" else "requests"
        for method in _METHODS:
            found[f"{library}.{method}"] = _requests(short, method, session=False)
        found[f"{library}.request"] = _requests(short, None, session=False)
    for name in ("requests.Session", "requests.session", "requests.sessions.Session"):
        found[name] = _session("requests")
    for name in ("httpx.Client", "httpx.AsyncClient"):
        found[name] = _session("httpx")
    found["aiohttp.ClientSession"] = _session("aiohttp")
    found["aiohttp.request"] = _aiohttp(None)
    found["requests.Request"] = _prepared
    for module in ("urllib.request", "urllib2", "urllib", "six.moves.urllib.request"):
        found[f"{module}.urlopen"] = _urlopen
        found[f"{module}.Request"] = _urllib_request
        found[f"{module}.build_opener"] = _opener
        found[f"{module}.ProxyHandler"] = _proxy_handler
        found[f"{module}.urlretrieve"] = _urlopen
    for name in ("PoolManager", "ProxyManager", "HTTPConnectionPool", "proxy_from_url"):
        found[f"urllib3.{name}"] = _pool
    found["urllib3.request"] = _urllib3
    for name in (
        "http.client.HTTPConnection",
        "httplib.HTTPConnection",
        "six.moves.http_client.HTTPConnection",
    ):
        found[name] = _connection
    found["pycurl.Curl"] = lambda _run, called: Obj("pycurl", {}, called.form)
    for name in ("metadata", "userdata", "identity"):
        found[f"boto.utils.get_instance_{name}"] = _boto
    for name in ("os.system", "os.popen", "commands.getoutput", "commands.getstatusoutput",
                 "subprocess.getoutput", "subprocess.getstatusoutput"):  # fmt: skip
        found[name] = _shell_string
    for name in ("run", "call", "check_call", "check_output", "Popen"):
        found[f"subprocess.{name}"] = _subprocess
    for name in ("asyncio.create_subprocess_shell", "sh.Command"):
        found[name] = _shell_string
    found["asyncio.create_subprocess_exec"] = lambda run, called: _subprocess(
        run, Called(called.form, called.name, NOTHING, [Seq(called.args)], {})
    )
    for name in (
        "str",
        "unicode",
        "bytes",
        "URL",
        "yarl.URL",
        "httpx.URL",
        "urllib.parse.quote",
        "furl.furl",
    ):
        found[name] = _first
    for name in ("urllib.parse.urljoin", "urlparse.urljoin", "six.moves.urllib.parse.urljoin"):
        found[name] = _joined_url
    for name in ("os.path.join", "posixpath.join"):
        found[name] = _joined_path
    found["os.environ.get"] = found["os.getenv"] = _environment_get
    for name in (
        "responses.start",
        "httpretty.enable",
        "httpretty.activate",
        "requests_mock.Mocker",
    ):
        found[name] = _mocked
    return found


def _methods() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for kind in ("requests", "httpx"):
        for method in _METHODS:
            found[f"{kind}.{method}"] = _requests(kind, method, session=True)
        found[f"{kind}.request"] = _requests(kind, None, session=True)
        found[f"{kind}.send"] = _sent
        found[f"{kind}.prepare_request"] = _first
    for method in _METHODS:
        found[f"aiohttp.{method}"] = _aiohttp(method)
    found["aiohttp.request"] = _aiohttp(None)
    found["requests.Request.prepare"] = lambda _run, called: called.this
    for name in ("add_header", "add_unredirected_header"):
        found[f"urllib.Request.{name}"] = _add_header
    found["urllib.opener.open"] = _urlopen
    for name in ("request", "urlopen"):
        found[f"urllib3.{name}"] = _urllib3
    found["http.client.request"] = _connection_request
    found["http.client.getresponse"] = _connection_response
    found["pycurl.setopt"] = _curl_option
    found["pycurl.perform"] = _curl_sent
    return found


_MAKES: Callable[[], dict[str, Handler]] = _calls

PYTHON: Final = Language(
    calls=_MAKES(),
    methods=_methods(),
    guess=guess,
    status=frozenset({
        "status_code", "ok", "status", "raise_for_status", "reason", "is_success", "is_error",
        "getcode", "code",
    }),
    constructors=frozenset({"__init__"}),
    local=True,
)  # fmt: skip

__all__ = ["PYTHON", "Answer"]
