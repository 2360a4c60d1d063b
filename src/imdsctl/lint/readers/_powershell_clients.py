"""PowerShell's ways to send a request, and how each fails.

By the documentation of Invoke-RestMethod and Invoke-WebRequest (an HTTP error is an error record
unless -SkipHttpErrorCheck; the system's proxy is used unless -NoProxy), and of .NET.
`Get-EC2InstanceMetadata` fetches tokens itself: the module's version is what counts.
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
    Str,
    Tab,
    Value,
    text,
)


def _web(client: str) -> Handler:
    """Invoke-RestMethod, Invoke-WebRequest and their aliases."""

    def handle(run: Pass, called: Called) -> Value:
        method = called.get(None, "custommethod", "method")
        url = called.get(0, "uri")
        fails: Known = "no" if "skiphttperrorcheck" in called.named else "yes"
        answer = run.request(
            called.form,
            client,
            NOTHING if method == UNKNOWN and called.open else method,
            url,
            called.get(None, "headers"),
            fails=fails,
            bypasses="yes" if "noproxy" in called.named else "no",
            proxy=called.get(None, "proxy"),
        )
        quiet = called.get(None, "erroraction")
        shown = quiet.shown().lower() if isinstance(quiet, Str) else ""
        for one in answer.seen if isinstance(answer, Answer) else ():
            if shown in {"silentlycontinue", "ignore"} or shown in {"0", "4"}:
                one.checked = "no"
            elif shown != "stop" and one.checked == "yes" and not run.catching and not _stops(run):
                # The error is shown, and the script goes on.
                one.checked = "unknown"
        return answer

    return handle


def _stops(run: Pass) -> bool:
    return "erroractionpreference" in run.source.text.lower() and "stop" in run.source.text.lower()


def _new_object(run: Pass, called: Called) -> Value | None:
    """New-Object Type."""
    kind = called.get(0, "typename")
    name = (kind.constant or "").lower().removeprefix("system.") if isinstance(kind, Str) else ""
    arguments = called.get(1, "argumentlist")
    args = (
        arguments.items
        if hasattr(arguments, "items") and isinstance(arguments.items, list)
        else [arguments]
    )
    made = Called(called.form, f"{name}.new", NOTHING, args, {})
    handler = _calls().get(f"{name}.new")
    return handler(run, made) if handler else None


def _client(_run: Pass, called: Called) -> Value:
    fields: dict[str, Value] = {"headers": Tab()}
    return Obj("webclient", fields, called.form)


def _http_client(_run: Pass, called: Called) -> Value:
    headers = Tab()
    return Obj("httpclient", {"headers": headers, "defaultrequestheaders": headers}, called.form)


def _web_request(_run: Pass, called: Called) -> Value:
    return Obj("webrequest", {"url": called.get(0), "headers": Tab()}, called.form)


def _message(_run: Pass, called: Called) -> Value:
    return Obj(
        "message", {"method": called.get(0), "url": called.get(1), "headers": Tab()}, called.form
    )


def _sent(client: str, method: str | None, method_at: int | None = None) -> Handler:
    def handle(run: Pass, called: Called) -> Value:
        own = called.this.fields if isinstance(called.this, Obj) else {}
        verb: Value | str = method or own.get("method", NOTHING)
        if method_at is not None and isinstance(called.get(method_at), Str):
            verb = called.get(method_at)
        url = own.get("url", NOTHING)
        proxy = own.get("proxy", NOTHING)
        return run.request(
            called.form,
            client,
            verb,
            called.get(0) if isinstance(url, Nothing) else url,
            own.get("headers", NOTHING),
            fails="yes",
            bypasses="yes" if "proxy" in own and isinstance(proxy, Nothing) else "no",
            proxy=proxy,
        )

    return handle


def _sent_message(run: Pass, called: Called) -> Value | None:
    message = called.get(0)
    if not isinstance(message, Obj) or message.kind != "message":
        return None
    headers = message.fields.get("headers", NOTHING)
    own = called.this.fields.get("headers") if isinstance(called.this, Obj) else None
    if isinstance(own, Tab) and isinstance(headers, Tab):
        _known_methods.merge(headers, own)
    method, url = message.fields.get("method", NOTHING), message.fields.get("url", UNKNOWN)
    return run.request(called.form, "HttpClient", method, url, headers)


def _program(run: Pass, called: Called) -> Value:
    run.embedding.command(called.get(0), called.form.at)
    return UNKNOWN


def _first(_run: Pass, called: Called) -> Value:
    return called.get(0)


def _joined(_run: Pass, called: Called) -> Value:
    return _known_methods.path_joined(called.args)


def _setting(run: Pass, called: Called) -> Value:
    """Set-Item Env:NAME value, setx NAME value."""
    name, value = called.get(0, "path"), called.get(1, "value")
    shown = name.constant if isinstance(name, Str) else None
    if shown:
        bare = shown.split(":")[-1].strip("\\/")
        at = called.form.at
        run.settings.take(at[0], at[1], at, text(bare), value)
    return UNKNOWN


def _calls() -> dict[str, Handler]:
    found: dict[str, Handler] = {
        "invoke-restmethod": _web("Invoke-RestMethod"), "irm": _web("Invoke-RestMethod"),
        "invoke-webrequest": _web("Invoke-WebRequest"), "iwr": _web("Invoke-WebRequest"),
        "curl": _web("Invoke-WebRequest"), "wget": _web("Invoke-WebRequest"),
        "microsoft.powershell.utility\\invoke-restmethod": _web("Invoke-RestMethod"),
        "start-bitstransfer": _transfer, "new-object": _new_object,
        "net.webclient.new": _client, "net.http.httpclient.new": _http_client,
        "net.webrequest.create": _web_request, "net.httpwebrequest.create": _web_request,
        "net.http.httprequestmessage.new": _message, "a program": _program, "uri": _first,
        "uri.new": _first, "join-path": _joined, "write-output": _first, "convertfrom-json": _first,
        "set-item": _setting, "new-item": _setting, "setx": _setting, "setx.exe": _setting,
        "string.format": _formatted,
    }  # fmt: skip
    for name in (
        "generic.dictionary",
        "collections.hashtable",
        "collections.generic.dictionary[string,string]",
    ):
        found[f"{name}.new"] = lambda _run, _called: Tab()
    return found


def _formatted(_run: Pass, called: Called) -> Value:
    template = called.get(0)
    if not isinstance(template, Str):
        return UNKNOWN
    return _known_methods.filled(template, called.args[1:], {}, braces=True)


def _transfer(run: Pass, called: Called) -> Value:
    return run.request(
        called.form, "Start-BitsTransfer", "GET", called.get(0, "source"), fails="yes"
    )


_METHODS: Final[dict[str, Handler]] = {
    "webclient.downloadstring": _sent("WebClient", "GET"),
    "webclient.downloadfile": _sent("WebClient", "GET"),
    "webclient.downloaddata": _sent("WebClient", "GET"),
    "webclient.openread": _sent("WebClient", "GET"),
    "webclient.uploadstring": _sent("WebClient", None, 1),
    "webclient.uploaddata": _sent("WebClient", None, 1),
    "webrequest.getresponse": _sent("WebRequest", None),
    "httpclient.getstringasync": _sent("HttpClient", "GET"),
    "httpclient.getasync": _sent("HttpClient", "GET"),
    "httpclient.putasync": _sent("HttpClient", "PUT"),
    "httpclient.sendasync": _sent_message,
}

POWERSHELL: Final = Language(
    calls=_calls(),
    methods=_METHODS,
    status=frozenset({"statuscode", "statusdescription", "issuccessstatuscode"}),
    mocks=frozenset({"mock"}),
    local=True,
    any_case=True,
)
