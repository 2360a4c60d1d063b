"""moto, called as the WSGI application it is."""

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from imdsctl.simulator.calls import Call, Reply


class Moto:
    """moto's WSGI applications, one a service, made when they are first called."""

    def __init__(self, dispatcher: Callable[..., Any]) -> None:
        self._dispatcher = dispatcher
        self._known: dict[str, Callable[..., Any]] = {}

    def application(self, call: Call) -> Callable[..., Any]:
        """The application that answers `call`.

        Where the service alone decides it, it is looked up once: moto's dispatcher walks through
        its own folders on every request, which takes longer than most answers do.
        """
        if call.protocol == "rest":
            return self._dispatcher
        if call.service not in self._known:
            scope = f"Credential=x/x/{call.region}/{call.service}/aws4_request"
            environ = {"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 {scope}", "PATH_INFO": "/"}
            find = self._dispatcher.get_application  # type: ignore[attr-defined]
            self._known[call.service] = find(environ)
        return self._known[call.service]

    def perform(
        self, call: Call, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """Let moto answer an HTTP request.

        Args:
            call: what the request asks for, with the account it is for.
            method: the HTTP method.
            target: path and query of the request line.
            headers: the headers, with names in lower case.
            body: the whole body.

        Raises:
            NotImplementedError: moto does not know the operation.
        """
        return _through_wsgi(self.application(call), call, method, target, headers, body)


def _through_wsgi(
    application: Callable[..., Any],
    call: Call,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Reply:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ["CONTENT_TYPE"] = headers.get("content-type", "")
    environ["CONTENT_LENGTH"] = str(len(body))
    # moto reads a region out of user agents before it looks at the signature.
    environ.pop("HTTP_USER_AGENT", None)
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account
    answered: list[Any] = []

    def start_response(status: str, fields: list[tuple[str, str]], _: object = None) -> None:
        answered[:] = [int(status.split(" ", 1)[0]), fields]

    chunks = application(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, fields = answered
    return Reply(status, tuple(fields), content)
