"""Python's standard library, and what is near it: urllib, http.client, pycurl, boto 2, subprocess.

By the documentation of urllib.request ("HTTPError" for what is no success; ProxyHandler), of
http.client, subprocess, urllib3 and libcurl, and the source of boto 2.49.
"""

from collections.abc import Iterable
from typing import Final

from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._headers import headers_over
from imdsctl.lint.readers._language import Called, Handler
from imdsctl.lint.readers._pass import Pass
from imdsctl.lint.readers._seen import method_of
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
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

_HTTP: Final = text("http://")


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
        headers = headers_over(merged, headers)  # type: ignore[assignment]
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
        headers_over(own.get("headers", NOTHING), called.get(None, "headers")),
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


_CURL_OPTIONS: Final = {
    "URL": "url", "HTTPHEADER": "headers", "CUSTOMREQUEST": "method", "PROXY": "proxy",
    "FAILONERROR": "fails", "NOPROXY": "noproxy",
}  # fmt: skip


def _curl(_run: Pass, called: Called) -> Value:
    """pycurl.Curl()."""
    return Obj("pycurl", {}, called.form)


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


def _named(names: Iterable[str], handler: Handler) -> dict[str, Handler]:
    return dict.fromkeys(names, handler)


def _executed(run: Pass, called: Called) -> Value:
    """asyncio.create_subprocess_exec: its arguments are the command's."""
    run.embedding.command(Seq(list(called.args)), called.form.at)
    return UNKNOWN


_POOLS: Final = ("PoolManager", "ProxyManager", "HTTPConnectionPool", "proxy_from_url")
_HTTP_MODULES: Final = ("http.client", "httplib", "six.moves.http_client")
_BOTO: Final = ("metadata", "userdata", "identity")
_PARSERS: Final = ("urllib.parse", "urlparse", "six.moves.urllib.parse")
_URLLIB: Final = ("urllib.request", "urllib2", "urllib", "six.moves.urllib.request")
_OF_URLLIB: Final[dict[str, Handler]] = {
    "urlopen": _urlopen,
    "urlretrieve": _urlopen,
    "Request": _urllib_request,
    "build_opener": _opener,
    "ProxyHandler": _proxy_handler,
}
_SUBPROCESS: Final = ("run", "call", "check_call", "check_output", "Popen")
_SHELLS: Final = (
    "os.system", "os.popen", "commands.getoutput", "commands.getstatusoutput",
    "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
)  # fmt: skip
_SAME: Final = (
    "str", "unicode", "bytes", "URL", "yarl.URL", "httpx.URL", "urllib.parse.quote", "furl.furl",
)  # fmt: skip

CALLS: Final[dict[str, Handler]] = {
    **{f"{module}.{name}": one for module in _URLLIB for name, one in _OF_URLLIB.items()},
    **_named((f"subprocess.{name}" for name in _SUBPROCESS), _subprocess),
    **_named(_SHELLS, _shell_string),
    **_named(_SAME, _first),
    **_named((f"urllib3.{name}" for name in _POOLS), _pool),
    **_named((f"{module}.HTTPConnection" for module in _HTTP_MODULES), _connection),
    **_named((f"boto.utils.get_instance_{name}" for name in _BOTO), _boto),
    **_named((f"{module}.urljoin" for module in _PARSERS), _joined_url),
    **_named(("os.path.join", "posixpath.join"), _joined_path),
    **_named(("os.environ.get", "os.getenv"), _environment_get),
    **_named(("responses.start", "httpretty.enable", "httpretty.activate"), _mocked),
    "urllib3.request": _urllib3,
    "pycurl.Curl": _curl,
    "asyncio.create_subprocess_exec": _executed,
}
METHODS: Final[dict[str, Handler]] = {
    "urllib.Request.add_header": _add_header,
    "urllib.Request.add_unredirected_header": _add_header,
    "urllib.opener.open": _urlopen,
    "urllib3.request": _urllib3,
    "urllib3.urlopen": _urllib3,
    "http.client.request": _connection_request,
    "http.client.getresponse": _connection_response,
    "pycurl.setopt": _curl_option,
    "pycurl.perform": _curl_sent,
}
