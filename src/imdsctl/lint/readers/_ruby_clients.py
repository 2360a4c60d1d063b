"""Ruby's HTTP libraries: which call sends what, and how it fails.

By the documentation of Net::HTTP ("new … proxy is taken from the environment"), OpenURI ("raises
OpenURI::HTTPError"), Faraday, HTTParty, rest-client, excon, http.rb and typhoeus.
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

_METHODS: Final = ("get", "put", "post", "head", "delete", "patch")


def _url_of(value: Value) -> Value:
    return value.fields.get("url", UNKNOWN) if isinstance(value, Obj) else value


def _table(value: Value) -> Value:
    """Headers among arguments: symbols' underscores are hyphens to rest-client."""
    if isinstance(value, Tab):
        return Tab({key.replace("_", "-"): one for key, one in value.entries.items()}, value.open)
    return value


def _uri(_run: Pass, called: Called) -> Value:
    """URI(x), URI.parse(x), URI.join(base, path); also URI::HTTP.build."""
    if called.name.endswith(".join"):
        joined = called.get(0)
        for one in called.args[1:]:
            joined = _known_methods.url_joined(_url_of(joined), _url_of(one))
        url = joined
    elif called.name.endswith("build"):
        given = called.options(0) if called.args else Tab(dict(called.named))
        parts = [text("http://"), given.find("host") or UNKNOWN, given.find("path") or text("/")]
        url = concatenated(parts)
    else:
        url = _url_of(called.get(0))
    host, path = _known_methods.url_split(url)
    fields = {"url": url, "host": host, "hostname": host, "path": path, "request_uri": path}
    return Obj("URI", {**fields, "port": text("80")})


def _net(method: str) -> Handler:
    """Net::HTTP.get(uri), Net::HTTP.get(host, path), Net::HTTP.get_response(uri, headers)."""

    def handle(run: Pass, called: Called) -> Value:
        first, second = called.get(0), called.get(1)
        url = _url_of(first)
        headers: Value = second if isinstance(second, Tab) else Tab(dict(called.named))
        if isinstance(second, Str) and method == "GET":
            url = concatenated([text("http://"), first, second])
        if method != "GET" and len(called.args) > 2:  # noqa: PLR2004 - uri, data, headers
            headers = called.args[2]
        return run.request(
            called.form,
            f"Net::HTTP.{called.name.rpartition('.')[2]}",
            method,
            url,
            headers,
            bypasses="no",
        )

    return handle


def _net_request(method: str) -> Handler:
    """Net::HTTP::Get.new(uri or path, headers)."""

    def handle(_run: Pass, called: Called) -> Value:
        headers = Tab(dict(called.named))
        _known_methods.merge(headers, called.get(1))
        fields: dict[str, Value] = {
            "method": text(method),
            "url": _url_of(called.get(0)),
            "headers": headers,
        }
        return Obj("net.request", fields, called.form)

    return handle


def _net_new(_run: Pass, called: Called) -> Value:
    """Net::HTTP.new(host, port, proxy); Net::HTTP.start(host, port)."""
    fields: dict[str, Value] = {"host": called.get(0)}
    starts = called.name.endswith("start")
    given = [one for one in called.args if not isinstance(one, Tab) and not hasattr(one, "form")]
    if len(given) > 2:  # noqa: PLR2004 - host, port, proxy
        fields["direct" if isinstance(given[2], Nothing) else "proxy"] = given[2]
    return Obj("net", fields, called.form if not starts else None)


def _net_method(method: str) -> Handler:
    """http.get(path, headers), http.put(path, data, headers)."""

    def handle(run: Pass, called: Called) -> Value:
        at = 1 if method in {"GET", "HEAD", "DELETE"} else 2
        own = called.this.fields if isinstance(called.this, Obj) else {}
        headers = called.get(at)
        if isinstance(headers, Nothing) and called.named:
            headers = Tab(dict(called.named))
        return _net_sent(run, called, own, method, called.get(0), headers)

    return handle


def _net_sent(
    run: Pass,
    called: Called,
    own: dict[str, Value],
    method: Value | str,
    path: Value,
    headers: Value,
) -> Value:
    path = _url_of(path)
    whole = isinstance(path, Str) and "://" in path.shown()
    url = path if whole else concatenated([text("http://"), own.get("host", UNKNOWN), path])
    bypasses: Known = "yes" if "direct" in own else "no"
    return run.request(
        called.form,
        "Net::HTTP",
        method,
        url,
        headers,
        bypasses=bypasses,
        proxy=own.get("proxy", NOTHING),
    )


def _net_given(run: Pass, called: Called) -> Value | None:
    """http.request(request), http.send_request(method, path, data, headers)."""
    own = called.this.fields if isinstance(called.this, Obj) else {}
    request = called.get(0)
    if called.name == "send_request":
        return _net_sent(run, called, own, called.get(0), called.get(1), called.get(3))
    if not isinstance(request, Obj) or request.kind != "net.request":
        return None
    fields = request.fields
    url, headers = fields.get("url", UNKNOWN), fields.get("headers", NOTHING)
    return _net_sent(run, called, own, fields.get("method", NOTHING), url, headers)


def _add_field(_run: Pass, called: Called) -> Value:
    own = called.this.fields.get("headers") if isinstance(called.this, Obj) else None
    if isinstance(own, Tab) and len(called.args) > 1:
        _known_methods.put(own, called.args[0], called.args[1])
    return called.this


def _opened(run: Pass, called: Called) -> Value | None:
    """open(url, "Header" => value) with open-uri, URI.open, uri.open, uri.read."""
    url = _url_of(called.this if isinstance(called.this, Obj) else called.get(0))
    if not isinstance(url, Str) or "://" not in url.shown():
        return None
    named: Value = Tab(dict(called.named), called.open)
    for one in called.args:
        if isinstance(one, Tab):
            named = one
    return run.request(called.form, "open-uri", "GET", url, named, fails="yes", bypasses="no")


def _client(client: str, method: str | None, fails: Known, headers_at: int | None) -> Handler:
    """RestClient.get(url, headers), HTTParty.get(url, headers: …) and their like."""

    def handle(run: Pass, called: Called) -> Value:
        own = called.this.fields if isinstance(called.this, Obj) else {}
        headers: Value = called.named.get("headers", NOTHING)
        options = next((one for one in called.args if isinstance(one, Tab)), None)
        if (
            isinstance(headers, Nothing)
            and headers_at is not None
            and headers_at < len(called.args)
        ):
            given = called.args[headers_at]
            headers = NOTHING if hasattr(given, "form") else given
        elif isinstance(headers, Nothing) and options is not None and options.find("headers"):
            headers = options.find("headers") or NOTHING
        elif isinstance(headers, Nothing) and headers_at is not None and called.named:
            headers = Tab(dict(called.named), called.open)
        url = called.named.get("url", called.get(0)) if method is None else called.get(0)
        base = own.get("base", NOTHING)
        if isinstance(base, Str) and "://" not in (url.shown() if isinstance(url, Str) else ""):
            url = _known_methods.path_joined([base, _url_of(url)])
        common = own.get("headers")
        if isinstance(common, Tab):
            merged = Tab(dict(common.entries), common.open)
            _known_methods.merge(merged, headers)
            headers = merged
        verb = method.upper() if method else called.named.get("method", NOTHING)
        return run.request(
            called.form,
            f"{client}.{method or 'request'}",
            verb,
            _url_of(url),
            _table(headers),
            fails="yes" if "raises" in own else fails,
            bypasses="no",
            proxy=called.named.get("proxy", NOTHING),
        )

    return handle


def _made(kind: str) -> Handler:
    """Faraday.new(url: …, headers: …), Excon.new(url), RestClient::Resource.new(url)."""

    def handle(_run: Pass, called: Called) -> Value:
        headers = Tab()
        options = next((one for one in called.args if isinstance(one, Tab)), Tab())
        given = called.named.get("headers") or options.find("headers") or NOTHING
        _known_methods.merge(headers, given)
        first = called.get(0)
        base = (
            called.named.get("url")
            or options.find("url")
            or (NOTHING if isinstance(first, Tab) else first)
        )
        return Obj(kind, {"headers": headers, "base": _url_of(base)}, called.form)

    return handle


def _http_headers(_run: Pass, called: Called) -> Value:
    """HTTP.headers("name" => value)."""
    headers = Tab()
    _known_methods.merge(headers, called.get(0))
    headers.entries.update(called.named)
    return Obj("http.rb", {"headers": headers}, called.form)


def _raising(_run: Pass, called: Called) -> Value:
    """f.response :raise_error, f.use Faraday::Response::RaiseError."""
    if isinstance(called.this, Obj) and any("raise" in _shown(one).lower() for one in called.args):
        called.this.fields["raises"] = text("true")
    return called.this


def _shown(value: Value) -> str:
    return value.shown() if isinstance(value, Str) else value.name if isinstance(value, Ref) else ""


def _command(run: Pass, called: Called) -> Value:
    """system, Open3.capture3, shell_out and the like: a command line, or a command's arguments."""
    args: list[Value] = [one for one in called.args if not isinstance(one, Tab)]
    if (
        len(args) > 1
        and isinstance(args[1], Str)
        and isinstance(args[0], Str)
        and " " not in args[0].shown()
    ):
        run.embedding.command(Seq(args), called.form.at)
    elif args:
        run.embedding.command(args[0], called.form.at)
    return UNKNOWN


def _first(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _formatted(_run: Pass, called: Called) -> Value:
    template = called.get(0)
    if not isinstance(template, Str):
        return UNKNOWN
    return _known_methods.filled(template, called.args[1:], called.named)


def _path(_run: Pass, called: Called) -> Value:
    return _known_methods.path_joined(called.args)


def _environment(_run: Pass, called: Called) -> Value:
    otherwise = called.get(1)
    return otherwise if isinstance(otherwise, Str) else UNKNOWN


def guess(run: Pass, called: Called) -> Value | None:
    """A connection that comes from elsewhere: `http.request(request)`, `client.get(url)`."""
    name = called.name.rpartition(".")[2]
    if name == "request":
        return _net_given(run, called)
    holder = called.this.name.lower() if isinstance(called.this, Ref) else ""
    if name in _METHODS and any(s in holder for s in ("http", "conn", "client", "faraday")):
        headers: Value = Tab(dict(called.named), open=True)
        for one in called.args[1:]:
            if isinstance(one, Tab):
                headers = Tab(dict(one.entries), open=True)
        return run.request(called.form, f"{holder}.{name}", name.upper(), called.get(0), headers)
    return None


def _calls() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "URI": _uri, "URI.parse": _uri, "URI.join": _uri, "URI.HTTP.build": _uri,
        "Addressable.URI.parse": _uri, "Net.HTTP.get": _net("GET"),
        "Net.HTTP.get_print": _net("GET"),
        "Net.HTTP.get_response": _net("GET"), "Net.HTTP.put": _net("PUT"),
        "Net.HTTP.post": _net("POST"), "Net.HTTP.new": _net_new, "Net.HTTP.start": _net_new,
        "open": _opened, "URI.open": _opened, "OpenURI.open_uri": _opened, "Kernel.open": _opened,
        "Faraday.new": _made("Faraday"), "Excon.new": _made("Excon"),
        "HTTPClient.new": _made("HTTPClient"), "RestClient.Resource.new": _made("Resource"),
        "HTTP.headers": _http_headers,
        "HTTP.timeout": _http_headers_none, "format": _formatted, "sprintf": _formatted,
        "File.join": _path, "ENV.fetch": _environment, "String": _first,
        "Hash.new": lambda _r, _c: Tab(),
        "RestClient.Request.execute": _client("RestClient", None, "yes", None),
        "Typhoeus.Request.new": _client("Typhoeus", None, "no", None),
    }  # fmt: skip
    for method in _METHODS:
        found[f"Net.HTTP.{method.title()}.new"] = _net_request(method.upper())
        bodied = method in {"put", "post", "patch"}
        found[f"RestClient.{method}"] = _client("RestClient", method, "yes", 2 if bodied else 1)
        found[f"HTTParty.{method}"] = _client("HTTParty", method, "no", None)
        found[f"Faraday.{method}"] = _client("Faraday", method, "no", 2)
        for library, fails in (("Excon", "no"), ("Typhoeus", "no"), ("HTTP", "no")):
            known: Known = "yes" if fails == "yes" else "no"
            found[f"{library}.{method}"] = _client(library, method, known, None)
    for name in ("system", "exec", "spawn", "shell_out", "shell_out!", "IO.popen", "Open3.capture3",
                 "Open3.capture2", "Open3.capture2e", "Open3.popen3", "Mixlib.ShellOut.new",
                 "Kernel.system", "Facter.Core.Execution.execute", "Facter.Core.Execution.exec",
                 "Facter.Util.Resolution.exec", "Process.spawn", "execute", "run_command",
                 "command", "code", "not_if", "only_if"):  # fmt: skip
        found[name] = _command
    return found


def _http_headers_none(_run: Pass, called: Called) -> Value:
    return Obj("http.rb", {"headers": Tab()}, called.form)


def _methods() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "URI.open": _opened, "URI.read": _opened,
        "URI.to_s": lambda _r, called: _url_of(called.this),
        "net.request": _net_given, "net.send_request": _net_given, "net.start": _same,
        "net.request_get": _net_method("GET"), "net.get2": _net_method("GET"),
        "net.get_response": _net_method("GET"), "net.request_put": _net_method("PUT"),
        "net.request.add_field": _add_field, "net.request.[]=": _add_field,
        "http.rb.headers": _http_headers, "http.rb.timeout": _same, "http.rb.use": _same,
        "Faraday.response": _raising, "Faraday.use": _raising, "Faraday.request": _same,
        "Faraday.adapter": _same, "Faraday.options": _same,
    }  # fmt: skip
    for method in _METHODS:
        found[f"net.{method}"] = _net_method(method.upper())
        found[f"Faraday.{method}"] = _client("Faraday", method, "no", 2)
        found[f"http.rb.{method}"] = _client("HTTP", method, "no", None)
        found[f"Excon.{method}"] = _client("Excon", method, "no", None)
        found[f"HTTPClient.{method}"] = _client("HTTPClient", method, "no", None)
        found[f"HTTPClient.{method}_content"] = _client("HTTPClient", method, "yes", None)
    return found


def _same(_run: Pass, called: Called) -> Value:
    return called.this


RUBY: Final = Language(
    calls=_calls(),
    methods=_methods(),
    guess=guess,
    status=frozenset({
        "code", "status", "success?", "is_a?", "kind_of?", "value", "msg", "message",
        "response_code",
        "error!",
    }),
    aliases={"header": "headers"},
    mocks=frozenset({
        "stub_request", "WebMock.stub_request", "WebMock.enable!", "allow", "FakeWeb.register_uri",
        "VCR.use_cassette", "Excon.stub", "allow_any_instance_of", "WebMock.disable_net_connect!",
    }),
    constructors=frozenset({"initialize"}),
    bare_members=True,
    bare_calls=True,
)  # fmt: skip
