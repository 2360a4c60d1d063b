"""Pages of Auto Scaling lists: opaque tokens that hold as groups come and go."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError

from imdsctl.simulator import _moto_env  # noqa: F401 - must come before moto

Row = TypeVar("Row")


def page(
    response: Any, rows: Sequence[Row], key: Callable[[Row], str], *, default: int, most: int
) -> tuple[list[Row], str | None]:
    """The page of `rows` that a request asks for, and the token of the next one.

    Args:
        response: moto's response object, whose MaxRecords and NextToken are read.
        rows: all the rows, sorted by `key`.
        key: a text that orders the rows and that no two share.
        default: the page size where the request gives none.
        most: the largest page size the API takes.

    Raises:
        ValidationError: MaxRecords is out of bounds.
        AutoscalingClientError: InvalidNextToken.
    """
    size = response._get_int_param("MaxRecords", default)  # noqa: SLF001 - moto's way in
    if not 1 <= size <= most:
        bound, limit = ("less", most) if size > most else ("greater", 1)
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy "
            f"constraint: Member must have value {bound} than or equal to {limit}"
        )
    token = response._get_param("NextToken")  # noqa: SLF001
    after = _decode(token) if token else None
    left = [row for row in rows if after is None or key(row) > after]
    chosen = left[:size]
    return chosen, _encode(key(chosen[-1])) if len(left) > size else None


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(f"after/{key}".encode()).decode()


def _decode(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text.startswith("after/"):
        raise AutoscalingClientError("InvalidNextToken", f"The token '{token}' is invalid.")
    return text.removeprefix("after/")
