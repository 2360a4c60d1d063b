"""Long lists as XML, written straight from the API's own model.

moto's serialiser takes seconds for a group of some ten thousand instances; this one takes what
is a plain dictionary already, and needs a tenth of that.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from moto.core.utils import get_service_model

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto

_NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


def render(operation: str, result: Mapping[str, Any]) -> str:
    """The XML answer of an Auto Scaling operation, in the query protocol.

    Args:
        operation: the operation's name, e.g. `DescribeAutoScalingGroups`.
        result: its output, under the API's own member names; None and what the model does not
            know is left out.
    """
    shape = get_service_model("autoscaling").operation_model(operation).output_shape
    parts = [
        f'<?xml version="1.0" encoding="utf-8"?>\n<{operation}Response xmlns="{_NAMESPACE}">',
        f"<{operation}Result>",
    ]
    _members(parts, shape, result)
    # moto puts the request's id where this one stands.
    parts.append(
        f"</{operation}Result><ResponseMetadata><RequestId>none</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return "".join(parts)


def _members(parts: list[str], shape: Any, values: Mapping[str, Any]) -> None:
    members = shape.members
    for name, value in values.items():
        if value is not None and name in members:
            _element(parts, members[name], name, value)


def _element(parts: list[str], shape: Any, name: str, value: Any) -> None:
    kind = shape.type_name
    if kind == "structure":
        parts.append(f"<{name}>")
        _members(parts, shape, value)
        parts.append(f"</{name}>")
    elif kind == "list":
        parts.append(f"<{name}>")
        for item in value:
            _element(parts, shape.member, "member", item)
        parts.append(f"</{name}>")
    else:
        parts.append(f"<{name}>{_text(kind, value)}</{name}>")


def _text(kind: str, value: Any) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp" and isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return escape(str(value))
