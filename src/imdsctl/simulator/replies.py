"""AWS error answers, written as each wire protocol writes them."""

import json
import uuid
from http import HTTPStatus
from xml.sax.saxutils import escape

from imdsctl.simulator.calls import Call, Reply

_IAM_PREFIXES = {"monitoring": "cloudwatch"}
"""The prefixes of IAM actions, where they are not those of the service's endpoint."""


def error(call: Call, code: str, message: str, status: int = 400) -> Reply:
    """An AWS error in the protocol of `call`.

    Args:
        call: the call that is refused.
        code: AWS's error code, e.g. `UnauthorizedOperation`.
        message: AWS's text.
        status: the HTTP status.
    """
    request_id = str(uuid.uuid4())
    fault = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    if call.protocol == "ec2":
        return _xml(
            f"<Response><Errors><Error><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>",
            status,
        )
    if call.protocol == "query":
        return _xml(
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>",
            status,
        )
    if call.protocol == "cbor":
        headers = (
            ("Content-Type", "application/cbor"),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("x-amzn-query-error", f"{code};{fault}"),
            ("x-amzn-RequestId", request_id),
        )
        return Reply(status, headers, _cbor({"__type": code, "message": message}))
    body = json.dumps({"__type": code, "message": message}).encode()
    fields = (
        ("Content-Type", "application/x-amz-json-1.1"),
        ("x-amzn-ErrorType", code),
        ("x-amzn-query-error", f"{code};{fault}"),
        ("x-amzn-RequestId", request_id),
    )
    return Reply(status, fields, body)


def _has_query_errors(call: Call) -> bool:
    """Whether the service's error codes are those of the query protocol.

    CloudWatch keeps them in its newer protocols, too, in the header `x-amzn-query-error`.
    """
    return call.protocol == "query" or call.service == "monitoring"


def _xml(body: str, status: int) -> Reply:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
    return Reply(status, (("Content-Type", "text/xml;charset=UTF-8"),), document)


def _cbor(members: dict[str, str]) -> bytes:
    """A map of short texts in CBOR (RFC 8949, major types 3 and 5)."""
    parts = [bytes([0xA0 | len(members)])]
    for text in (text for pair in members.items() for text in pair):
        data = text.encode()
        parts.append(b"\x79" + len(data).to_bytes(2, "big") + data)
    return b"".join(parts)


def throttled(call: Call) -> Reply:
    """The throttling error of the called service (EC2 API: "Request throttling")."""
    if call.service == "ec2":
        return error(call, "RequestLimitExceeded", "Request limit exceeded.", 503)
    code = "Throttling" if _has_query_errors(call) else "ThrottlingException"
    return error(call, code, "Rate exceeded", 400)


def internal(call: Call) -> Reply:
    """A fault of the service itself."""
    return error(call, "InternalError", "An internal error has occurred", 500)


def unavailable(call: Call) -> Reply:
    """The service does not answer just now."""
    message = "The service is unavailable. Please try again shortly."
    return error(call, "ServiceUnavailable", message, 503)


def denied(call: Call, identity: str) -> Reply:
    """The refusal of a call that the identity has no permission for."""
    if call.service == "ec2":
        message = (
            "You are not authorized to perform this operation. "
            f"User: {identity} is not authorized to perform: ec2:{call.operation} "
            "with an explicit deny in a service control policy"
        )
        return error(call, "UnauthorizedOperation", message, 403)
    code = "AccessDenied" if _has_query_errors(call) else "AccessDeniedException"
    message = (
        f"User: {identity} is not authorized to perform: {_action(call)} "
        "with an explicit deny in a service control policy"
    )
    forbidden = _has_query_errors(call) or call.protocol == "rest"
    return error(call, code, message, 403 if forbidden else 400)


def _action(call: Call) -> str:
    """The call as IAM names it: with the service's prefix, which is not always the endpoint's."""
    return f"{_IAM_PREFIXES.get(call.service, call.service)}:{call.operation}"


def expired(call: Call) -> Reply:
    """The refusal of credentials that are past their end."""
    message = "The security token included in the request is expired"
    if call.service == "ec2":
        return error(call, "RequestExpired", "Request has expired.", 400)
    code = "ExpiredToken" if _has_query_errors(call) else "ExpiredTokenException"
    return error(call, code, message, 403 if _has_query_errors(call) else 400)
