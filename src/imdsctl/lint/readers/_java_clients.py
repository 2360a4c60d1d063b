"""Java's HTTP clients: which call sends what, and how it fails.

By the documentation of java.net, java.net.http, Apache HttpClient, OkHttp, Spring and JAX-RS.
`EC2MetadataUtils` and the AWS SDKs fetch tokens themselves: their version is what counts.
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
    Seq,
    Str,
    Tab,
    Value,
    concatenated,
    text,
)

_VERBS: Final = ("GET", "PUT", "POST", "HEAD", "DELETE")


def _url_of(value: Value) -> Value:
    return value.fields.get("url", UNKNOWN) if isinstance(value, Obj) else value


def _url(_run: Pass, called: Called) -> Value:
    """New URL(x), URI.create(x), new URL(base, path), new URL("http", host, path)."""
    args = [_url_of(one) for one in called.args]
    if len(args) == 2:  # noqa: PLR2004 - base and path
        return Obj("URL", {"url": _known_methods.url_joined(*args)})
    if len(args) > 2:  # noqa: PLR2004 - scheme, host, …, path
        return Obj("URL", {"url": concatenated([text("http://"), args[1], args[-1]])})
    return Obj("URL", {"url": args[0] if args else UNKNOWN})


def _resolved(_run: Pass, called: Called) -> Value:
    return Obj(
        "URL", {"url": _known_methods.url_joined(_url_of(called.this), _url_of(called.get(0)))}
    )


def _same(_run: Pass, called: Called) -> Value:
    return called.this


def _url_text(_run: Pass, called: Called) -> Value:
    return _url_of(called.this)


def _opened_stream(run: Pass, called: Called) -> Value:
    return run.request(called.form, "URL.openStream", "GET", _url_of(called.this), fails="yes")


def _read_url(run: Pass, called: Called) -> Value | None:
    """IOUtils.toString(url) and its like."""
    given = called.get(0)
    if not isinstance(given, Obj) or given.kind != "URL":
        return None
    return run.request(
        called.form, called.name, "GET", given.fields.get("url", UNKNOWN), fails="yes"
    )


def _connection(_run: Pass, called: Called) -> Value:
    fields: dict[str, Value] = {"url": _url_of(called.this), "headers": Tab()}
    proxy = called.get(0)
    if not isinstance(proxy, Nothing):
        fields["proxy"] = proxy
    return Obj("HttpURLConnection", fields, called.form)


def _set(field: str) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        if isinstance(called.this, Obj):
            called.this.fields[field] = called.get(0)
        return called.this

    return handle


def _verb(verb: str) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        if isinstance(called.this, Obj):
            called.this.fields["method"] = text(verb)
        return called.this

    return handle


def _header(_run: Pass, called: Called) -> Value:
    """header(name, value), or all of them."""
    own = called.this.fields.setdefault("headers", Tab()) if isinstance(called.this, Obj) else None
    if isinstance(own, Tab):
        if len(called.args) > 1:
            for at in range(0, len(called.args) - 1, 2):
                _known_methods.put(own, called.args[at], called.args[at + 1])
        else:
            _known_methods.merge(own, called.get(0))
    return called.this


def _connected(run: Pass, called: Called) -> Value:
    """What sends the request of an HttpURLConnection; it is sent once."""
    own = called.this
    if not isinstance(own, Obj):
        return UNKNOWN
    sent = own.fields.get("response")
    if sent is None:
        proxy = own.fields.get("proxy", NOTHING)
        sent = run.request(
            own.made_by or called.form,
            "HttpURLConnection",
            own.fields.get("method", NOTHING),
            own.fields.get("url", UNKNOWN),
            own.fields.get("headers", NOTHING),
            fails="yes" if called.name in {"getInputStream", "getContent"} else "no",
            proxy=proxy,
        )
        own.fields["response"] = sent
    if isinstance(sent, Answer) and called.name in {
        "getResponseCode",
        "getResponseMessage",
        "getInputStream",
    }:
        for one in sent.seen:
            one.examined()
    return sent


def _builder(kind: str, url_at: int | None = None) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        fields: dict[str, Value] = {"headers": Tab()}
        if url_at is not None and url_at < len(called.args):
            fields["url"] = _url_of(called.args[url_at])
        return Obj(kind, fields, called.form)

    return handle


def _verb_of(verb: str) -> Handler:
    """New HttpPut(url), Request.Put(url), RequestBuilder.put(url)."""

    def handle(_run: Pass, called: Called) -> Value:
        fields: dict[str, Value] = {
            "headers": Tab(),
            "method": text(verb),
            "url": _url_of(called.get(0)),
        }
        return Obj("request", fields, called.form)

    return handle


def _sent(client: str) -> Handler:
    """client.send(request, …), client.execute(request), client.newCall(request)."""

    def handle(run: Pass, called: Called) -> Value | None:
        request = next((o for o in called.args if isinstance(o, Obj) and o.kind == "request"), None)
        return None if request is None else _request(run, called, request, client)

    return handle


def _sent_itself(run: Pass, called: Called) -> Value | None:
    """Request.Get(url).execute()."""
    return _request(run, called, called.this, "Request") if isinstance(called.this, Obj) else None


def _request(run: Pass, called: Called, request: Obj, client: str, fails: Known = "no") -> Value:
    return run.request(
        called.form,
        client,
        request.fields.get("method", NOTHING),
        request.fields.get("url", UNKNOWN),
        request.fields.get("headers", NOTHING),
        fails=fails,
        proxy=request.fields.get("proxy", NOTHING),
    )


def _rest_template(method: str | None) -> Handler:
    """RestTemplate's methods: an HTTP error is a RestClientResponseException."""

    def handle(run: Pass, called: Called) -> Value:
        headers: Value = NOTHING
        for one in called.args[1:]:
            if isinstance(one, Obj) and one.kind in {"HttpEntity", "request"}:
                headers = one.fields.get("headers", NOTHING)
            elif called.name == "exchange" and one == UNKNOWN:
                headers = UNKNOWN
        url = called.get(0)
        if isinstance(url, Obj) and url.kind == "request":
            headers = url.fields.get("headers", NOTHING)
        verb: Value | str = method or called.get(1)
        if isinstance(url, Obj) and "method" in url.fields:
            verb = url.fields["method"]
        return run.request(
            called.form, f"RestTemplate.{called.name}", verb, _url_of(url), headers, fails="yes"
        )

    return handle


def _entity(_run: Pass, called: Called) -> Value:
    """New HttpEntity<>(headers), new HttpEntity<>(body, headers)."""
    given = next((one for one in reversed(called.args) if isinstance(one, Tab)), None)
    last = called.args[-1] if called.args else NOTHING
    headers = (
        given
        if given is not None
        else UNKNOWN
        if called.args and not isinstance(last, Nothing)
        else NOTHING
    )
    return Obj("HttpEntity", {"headers": headers})


def _web(_run: Pass, called: Called) -> Value:
    base = called.get(0)
    return Obj("web", {"base": _url_of(base), "headers": Tab()}, called.form)


def _web_verb(verb: str) -> Handler:
    def handle(_run: Pass, called: Called) -> Value:
        own = called.this.fields if isinstance(called.this, Obj) else {}
        headers = own.get("headers")
        copied = Tab(dict(headers.entries), headers.open) if isinstance(headers, Tab) else Tab()
        return Obj("web", {**own, "headers": copied, "method": text(verb)}, called.form)

    return handle


def _web_url(_run: Pass, called: Called) -> Value:
    if isinstance(called.this, Obj):
        base = called.this.fields.get("base", NOTHING)
        given = _url_of(called.get(0))
        whole = _known_methods.path_joined([base, given]) if isinstance(base, Str) else given
        called.this.fields["url"] = whole
    return called.this


def _web_sent(run: Pass, called: Called) -> Value | None:
    if not isinstance(called.this, Obj):
        return None
    own = called.this
    own.fields.setdefault("url", own.fields.get("base", UNKNOWN))
    return _request(run, called, own, "WebClient", fails="yes")


def _jax_target(_run: Pass, called: Called) -> Value:
    return Obj("jax", {"url": _url_of(called.get(0)), "headers": Tab()}, called.form)


def _jax_path(_run: Pass, called: Called) -> Value:
    if isinstance(called.this, Obj):
        joined = _known_methods.path_joined([_url_of(called.this), called.get(0)])
        return Obj("jax", {**called.this.fields, "url": joined}, called.form)
    return UNKNOWN


def _jax_sent(verb: str) -> Handler:
    def handle(run: Pass, called: Called) -> Value | None:
        if not isinstance(called.this, Obj):
            return None
        called.this.fields["method"] = text(verb)
        return _request(
            run, called, called.this, "JAX-RS client", fails="yes" if called.args else "no"
        )

    return handle


def _jsoup(_run: Pass, called: Called) -> Value:
    return Obj("jsoup", {"url": _url_of(called.get(0)), "headers": Tab()}, called.form)


def _jsoup_sent(run: Pass, called: Called) -> Value | None:
    return (
        _request(run, called, called.this, "Jsoup", fails="yes")
        if isinstance(called.this, Obj)
        else None
    )


def _executed(run: Pass, called: Called) -> Value:
    run.embedding.command(called.get(0), called.form.at)
    return UNKNOWN


def _process(run: Pass, called: Called) -> Value:
    first = called.get(0)
    args = first.items if isinstance(first, Seq) else called.args
    shown = [one.shown() if isinstance(one, Str) else "" for one in args]
    if len(args) > 2 and shown[0].endswith("sh") and shown[1] == "-c":  # noqa: PLR2004
        run.embedding.command(args[2], called.form.at)
    else:
        run.embedding.command(Seq(list(args)), called.form.at)
    return UNKNOWN


def _sequence(_run: Pass, called: Called) -> Value:
    return Seq(list(called.args))


def _mapping(_run: Pass, called: Called) -> Value:
    table = Tab()
    for at in range(0, len(called.args) - 1, 2):
        _known_methods.put(table, called.args[at], called.args[at + 1])
    return table


def _formatted(_run: Pass, called: Called) -> Value:
    template = called.get(0)
    return (
        _known_methods.filled(template, called.args[1:], {})
        if isinstance(template, Str)
        else UNKNOWN
    )


def _text(_run: Pass, called: Called) -> Value:
    return called.get(0) if called.args else text("")


def _environment_or(_run: Pass, called: Called) -> Value:
    otherwise = called.get(1)
    return otherwise if isinstance(otherwise, Str) else UNKNOWN


def guess(run: Pass, called: Called) -> Value | None:
    """A client that comes from elsewhere, told by the request that it is given."""
    name = called.name.rpartition(".")[2]
    if name in {"send", "sendAsync", "execute", "newCall"}:
        return _sent(name)(run, called)
    return None


def _calls() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "URL": _url, "URI": _url, "URI.create": _url, "HttpUrl.parse": _url, "HttpUrl.get": _url,
        "UriComponentsBuilder.fromHttpUrl": _url, "UriComponentsBuilder.fromUriString": _url,
        "GenericUrl": _url, "HttpRequest.newBuilder": _builder("request", 0),
        "HttpRequest": _builder("request", 0), "Request.Builder": _builder("request"),
        "HttpClient.newHttpClient": _builder("client"), "HttpClient.newBuilder": _builder("client"),
        "HttpClient": _builder("client"), "OkHttpClient": _builder("client"),
        "OkHttpClient.Builder": _builder("client"), "CloseableHttpClient": _builder("client"),
        "HttpClients.createDefault": _builder("client"), "HttpClients.custom": _builder("client"),
        "HttpClients.createSystem": _builder("client"), "DefaultHttpClient": _builder("client"),
        "HttpClientBuilder.create": _builder("client"), "RestTemplate": _builder("RestTemplate"),
        "RestTemplateBuilder": _builder("RestTemplate"), "HttpHeaders": lambda _run, _called: Tab(),
        "HttpEntity": _entity, "RequestEntity": _entity, "WebClient.create": _web,
        "RestClient.create": _web, "WebClient.builder": _web, "RestClient.builder": _web,
        "WebClient": _web, "RestClient": _web,
        "ClientBuilder.newClient": _builder("jax-client"),
        "ClientBuilder.newBuilder": _builder("jax-client"),
        "Runtime.getRuntime": _builder("runtime"), "Jsoup.connect": _jsoup,
        "ProcessBuilder": _process, "Arrays.asList": _sequence,
        "List.of": _sequence, "ImmutableList.of": _sequence, "Map.of": _mapping,
        "ImmutableMap.of": _mapping, "Collections.singletonMap": _mapping, "HashMap": _mapping,
        "TreeMap": _mapping, "LinkedHashMap": _mapping, "LinkedMultiValueMap": _mapping,
        "LinkedCaseInsensitiveMap": _mapping, "String.format": _formatted, "StringBuilder": _text,
        "StringBuffer": _text, "String.valueOf": _text, "String": _text, "Objects.toString": _text,
        "System.getProperty": _environment_or, "Optional.of": _text, "Optional.ofNullable": _text,
        "MessageFormat.format": lambda _run, called: (
            _known_methods.filled(called.args[0], called.args[1:], {}, braces=True)
            if called.args and isinstance(called.args[0], Str) else UNKNOWN
        ),
    }  # fmt: skip
    for name in (
        "IOUtils.toString",
        "Resources.toString",
        "Resources.asCharSource",
        "IOUtils.toByteArray",
    ):
        found[name] = _read_url
    for verb in _VERBS:
        title = verb.title()
        found[f"Http{title}"] = found[f"Request.{title}"] = _verb_of(verb)
        found[f"Request.{verb.lower()}"] = found[f"RequestBuilder.{verb.lower()}"] = _verb_of(verb)
        found[f"RequestEntity.{verb.lower()}"] = _verb_of(verb)
        found[f"ClassicRequestBuilder.{verb.lower()}"] = _verb_of(verb)
        found[f"SimpleHttpRequest.{verb.lower()}"] = _verb_of(verb)
    return found


def _methods() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "URL.openConnection": _connection, "URL.openStream": _opened_stream, "URL.toURL": _same,
        "URL.getContent": _opened_stream, "URL.toURI": _same, "URL.resolve": _resolved,
        "URL.toString": _url_text, "URL.toExternalForm": _url_text, "URL.build": _same,
        "URL.toUriString": _url_text, "URL.toUri": _same,
        "URL.path": lambda _run, called: Obj(
            "URL", {"url": concatenated([_url_of(called.this), called.get(0)])}
        ),
        "HttpURLConnection.setRequestMethod": _set("method"),
        "RestTemplate.getForObject": _rest_template("GET"),
        "RestTemplate.getForEntity": _rest_template("GET"),
        "RestTemplate.headForHeaders": _rest_template("HEAD"),
        "RestTemplate.put": _rest_template("PUT"), "RestTemplate.exchange": _rest_template(None),
        "RestTemplate.execute": _rest_template(None),
        "RestTemplate.postForObject": _rest_template("POST"),
        "client.send": _sent("HttpClient.send"), "client.sendAsync": _sent("HttpClient.sendAsync"),
        "client.execute": _sent("HttpClient.execute"),
        "client.newCall": _sent("OkHttpClient.newCall"),
        "request.execute": _sent_itself, "request.uri": _set_url, "request.url": _set_url,
        "request.setURI": _set_url, "request.setUri": _set_url, "request.method": _set("method"),
        "web.uri": _web_url, "web.baseUrl": _set("base"), "web.retrieve": _web_sent,
        "web.exchange": _web_sent, "web.exchangeToMono": _web_sent,
        "web.defaultHeader": _header, "jax-client.target": _jax_target, "jax.path": _jax_path,
        "runtime.exec": _executed, "jsoup.get": _jsoup_sent, "jsoup.execute": _jsoup_sent,
    }  # fmt: skip
    for name in ("setRequestProperty", "addRequestProperty"):
        found[f"HttpURLConnection.{name}"] = _header
    for name in ("getInputStream", "getResponseCode", "connect", "getContent", "getResponseMessage",
                 "getErrorStream", "getHeaderField"):  # fmt: skip
        found[f"HttpURLConnection.{name}"] = _connected
    for kind in ("request", "web", "jax", "jsoup"):
        for name in ("header", "setHeader", "addHeader", "headers"):
            found[f"{kind}.{name}"] = _header
    for verb in _VERBS:
        found[f"request.{verb}"] = found[f"request.{verb.lower()}"] = _verb(verb)
        found[f"web.{verb.lower()}"] = _web_verb(verb)
        found[f"jax.{verb.lower()}"] = _jax_sent(verb)
    for kind in (
        "request",
        "client",
        "web",
        "jax",
        "jax-client",
        "jsoup",
        "RestTemplate",
        "HttpURLConnection",
    ):
        for name in _SAME:
            found.setdefault(f"{kind}.{name}", _same)
    return found


def _set_url(_run: Pass, called: Called) -> Value:
    if isinstance(called.this, Obj):
        called.this.fields["url"] = _url_of(called.get(0))
    return called.this


_SAME: Final = (
    "build", "timeout", "version", "setConfig", "connectTimeout", "readTimeout", "callTimeout",
    "writeTimeout", "request", "accept", "ignoreContentType", "followRedirects", "newBuilder",
    "setConnectTimeout", "setReadTimeout", "setDefaultRequestConfig", "socketTimeout", "mutate",
    "setDefaultSocketConfig", "expectContinue", "buildGet", "contentType", "bodyValue", "body",
    "maxBodySize", "attributes", "useSystemProperties",
)  # fmt: skip

JAVA: Final = Language(
    calls=_calls(),
    methods=_methods(),
    guess=guess,
    status=frozenset({
        "statusCode", "getStatusCode", "getStatusLine", "code", "isSuccessful", "getStatus",
        "getStatusInfo", "getCode", "onStatus",
    }),
    mocks=frozenset({
        "when", "Mockito.when", "stubFor", "WireMock.stubFor", "MockRestServiceServer.bindTo",
        "MockRestServiceServer.createServer", "given",
    }),
    constructors=frozenset({"*"}),
    bare_members=True,
)  # fmt: skip
