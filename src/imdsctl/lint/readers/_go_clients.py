"""Go's net/http and what is built on it: which call sends what, and how it fails.

By the documentation of net/http ("DefaultTransport … uses HTTP proxies as directed by the
environment variables"; "A non-2xx response doesn't cause an error"), os/exec and resty.
"""

from typing import Final

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._language import Called, Handler, Language
from imdsctl.lint.readers._pass import Pass
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


def _around(client: Value) -> tuple[Known, Value]:
    """Whether a client goes round the environment's proxies, and the proxy that it names."""
    transport = client.fields.get("Transport") if isinstance(client, Obj) else None
    if not isinstance(transport, Obj):
        return (
            ("no", NOTHING)
            if transport is None or isinstance(transport, Nothing)
            else ("unknown", NOTHING)
        )
    proxy = transport.fields.get("Proxy", NOTHING)
    if isinstance(proxy, Nothing):
        return "yes", NOTHING
    return ("unknown" if isinstance(proxy, Str) else "no"), proxy


def _headers(client: Value, given: Value) -> Value:
    """What a client sends: a RoundTripper of the program's own may add any header."""
    transport = client.fields.get("Transport", NOTHING) if isinstance(client, Obj) else NOTHING
    if isinstance(transport, Nothing) or (
        isinstance(transport, Obj) and transport.kind == "go.transport"
    ):
        return given
    return Tab(dict(given.entries) if isinstance(given, Tab) else {}, open=True)


def _get(method: str, client: str = "http") -> Handler:
    def handle(run: Pass, called: Called) -> Value:
        bypasses, proxy = _around(called.this)
        return run.request(
            called.form,
            f"{client}.{called.name.rpartition('.')[2]}",
            method,
            called.get(0),
            _headers(called.this, NOTHING),
            bypasses=bypasses,
            proxy=proxy,
            raises=False,
        )

    return handle


def _request(shift: int) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        fields: dict[str, Value] = {
            "method": called.get(shift), "url": called.get(shift + 1), "headers": Tab(),
        }  # fmt: skip
        return Obj("go.request", fields, called.form)

    return handle


def _request_literal(_run: Pass, called: Called) -> Value:
    """&http.Request{Method:, URL:, Header:}."""
    headers = called.get(None, "Header")
    fields: dict[str, Value] = {
        "method": called.get(None, "Method"),
        "url": called.get(None, "URL"),
        "headers": headers if isinstance(headers, Tab) else Tab(),
    }
    return Obj("go.request", fields, called.form)


def _struct(kind: str) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        return Obj(kind, dict(called.named), called.form)

    return handle


def _do(run: Pass, called: Called) -> Value | None:
    request = next(
        (one for one in called.args if isinstance(one, Obj) and one.kind == "go.request"), None
    )
    if request is None:
        return None
    method = request.fields.get("method", NOTHING)
    if isinstance(method, Str) and method.constant == "":
        method = NOTHING
    bypasses, proxy = _around(called.this)
    if not isinstance(called.this, Obj) and "DefaultClient" not in called.name:
        bypasses = "unknown"
    return run.request(
        called.form,
        "http.Client.Do",
        method,
        request.fields.get("url", UNKNOWN),
        _headers(called.this, request.fields.get("headers", NOTHING)),
        bypasses=bypasses,
        proxy=proxy,
        raises=False,
    )


def _first(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _formatted(_run: Pass, called: Called) -> Value:
    template = called.get(0)
    return (
        _known_methods.filled(template, called.args[1:], {})
        if isinstance(template, Str)
        else UNKNOWN
    )


def _printed(_run: Pass, called: Called) -> Value:
    return concatenated(called.args)


def _path(_run: Pass, called: Called) -> Value:
    return _known_methods.path_joined(called.args)


def _joined(_run: Pass, called: Called) -> Value | None:
    given, separator = called.get(0), called.get(1)
    if not isinstance(given, Seq):
        return None
    return _known_methods.on_list(given, Called(called.form, "join", given, [separator], {}))


def _trimmed(_run: Pass, called: Called) -> Value:
    value, chars = called.get(0), called.get(1)
    if called.name.endswith(("TrimRight", "TrimSuffix")) and isinstance(value, Str):
        return _known_methods.on_string(value, Called(called.form, "rstrip", value, [chars], {}))
    return value


def _command(shift: int) -> Handler:
    def handle(run: Pass, called: Called) -> Value:
        args: list[Value] = []
        for one in called.args[shift:]:
            args += one.items if isinstance(one, Seq) else [one]
        if len(args) > 2 and _is_shell(args[:2]):  # noqa: PLR2004 - bash, -c, the command
            run.embedding.command(args[2], called.form.at)
        else:
            run.embedding.command(Seq(args), called.form.at)
        return UNKNOWN

    return handle


def _is_shell(args: list[Value]) -> bool:
    shown = [one.shown() if isinstance(one, Str) else "" for one in args]
    return (
        shown[0].rpartition("/")[2] in {"sh", "bash"}
        and shown[1].startswith("-")
        and "c" in shown[1]
    )


def _resty(_run: Pass, called: Called) -> Value:
    return Obj("resty", {"headers": Tab(), "base": NOTHING}, called.form)


def _resty_header(_run: Pass, called: Called) -> Value:
    headers = called.this.fields.get("headers") if isinstance(called.this, Obj) else None
    if isinstance(headers, Tab):
        if len(called.args) > 1:
            _known_methods.put(headers, called.args[0], called.args[1])
        else:
            _known_methods.merge(headers, called.get(0))
    return called.this


def _resty_base(_run: Pass, called: Called) -> Value:
    if isinstance(called.this, Obj):
        called.this.fields["base"] = called.get(0)
    return called.this


def _resty_request(_run: Pass, called: Called) -> Value:
    """A request of a client has the client's headers."""
    if not isinstance(called.this, Obj):
        return UNKNOWN
    headers = called.this.fields.get("headers")
    own = Tab(dict(headers.entries), headers.open) if isinstance(headers, Tab) else Tab()
    return Obj("resty", {**called.this.fields, "headers": own}, called.form)


def _resty_sent(method: str) -> Handler:
    def handle(run: Pass, called: Called) -> Value:
        own = called.this.fields if isinstance(called.this, Obj) else {}
        base, url = own.get("base", NOTHING), called.get(0)
        if isinstance(base, Str):
            url = _known_methods.path_joined([base, url])
        return run.request(
            called.form,
            "resty",
            method,
            url,
            own.get("headers", NOTHING),
            bypasses="no",
            raises=False,
        )

    return handle


def _resty_same(_run: Pass, called: Called) -> Value:
    return called.this


def guess(run: Pass, called: Called) -> Value | None:
    """A client that comes from elsewhere: `c.httpClient.Do(req)`, `client.Get(url)`."""
    name = called.name.rpartition(".")[2]
    if name in {"Do", "RoundTrip"}:
        return _do(run, called)
    holder = called.this.name.lower() if isinstance(called.this, Ref) else ""
    if name in {"Get", "Head"} and "client" in holder:
        return run.request(
            called.form, f"{holder}.{name}", name.upper(), called.get(0), raises=False
        )
    return None


def _calls() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for prefix in ("http", "http.DefaultClient", "ctxhttp", "cleanhttp.DefaultClient"):
        found[f"{prefix}.Get"] = _get("GET")
        found[f"{prefix}.Head"] = _get("HEAD")
        found[f"{prefix}.Post"] = _get("POST")
        found[f"{prefix}.Do"] = _do
    for package in ("http", "retryablehttp", "httpreq"):
        found[f"{package}.NewRequest"] = _request(0)
        found[f"{package}.NewRequestWithContext"] = _request(1)
    found["http.Request"] = _request_literal
    found["http.Client"] = _struct("go.client")
    found["http.Transport"] = _struct("go.transport")
    found["http.ProxyURL"] = _first
    found["cleanhttp.DefaultClient"] = _struct("go.client")
    for name in ("url.Parse", "url.ParseRequestURI", "string", "url.PathEscape", "aws.String",
                 "strings.TrimSpace", "strings.ToLower", "url.QueryEscape"):  # fmt: skip
        found[name] = _first
    for name in (
        "strings.TrimRight",
        "strings.TrimSuffix",
        "strings.TrimLeft",
        "strings.TrimPrefix",
    ):
        found[name] = _trimmed
    for name in ("fmt.Sprintf", "fmt.Appendf"):
        found[name] = _formatted
    found["fmt.Sprint"] = _printed
    found["strings.Join"] = _joined
    for name in ("path.Join", "url.JoinPath"):
        found[name] = _path
    found["exec.Command"] = _command(0)
    found["exec.CommandContext"] = _command(1)
    found["resty.New"] = found["resty.NewWithClient"] = _resty
    found["http.Header"] = lambda _run, _called: Tab()
    found["make"] = lambda _run, _called: Tab()
    return found


def _methods() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "go.client.Get": _get("GET", "http.Client"),
        "go.client.Head": _get("HEAD", "http.Client"),
        "go.client.Post": _get("POST", "http.Client"),
        "go.client.Do": _do,
        "go.request.WithContext": _resty_same,
        "go.request.Clone": _resty_same,
        "resty.R": _resty_request,
        "resty.NewRequest": _resty_request,
        "resty.SetHeader": _resty_header,
        "resty.SetHeaders": _resty_header,
        "resty.SetBaseURL": _resty_base,
        "resty.SetHostURL": _resty_base,
    }
    for name in ("SetTimeout", "SetContext", "SetRetryCount", "SetResult", "SetDebug"):
        found[f"resty.{name}"] = _resty_same
    for method in ("Get", "Put", "Head", "Post"):
        found[f"resty.{method}"] = _resty_sent(method.upper())
    return found


GO: Final = Language(
    calls=_calls(),
    methods=_methods(),
    guess=guess,
    status=frozenset({"StatusCode", "Status", "IsError", "IsSuccess"}),
    aliases={"Header": "headers", "Method": "method", "URL": "url"},
    mocks=frozenset(
        {"httpmock.Activate", "gock.New", "httptest.NewServer", "httpmock.RegisterResponder"}
    ),
    errors_are_values=True,
    readers=frozenset({"ReadAll", "Copy", "DumpResponse"}),
)

__all__ = ["GO", "text"]
