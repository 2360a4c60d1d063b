"""Pages of a list: what MaxResults may be, and tokens that hold as things come and go."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from imdsctl.simulator.ec2.errors import Refused


def page_size(value: object, lowest: int, highest: int) -> int:
    """The page size that MaxResults asks for; `highest` if it is absent.

    Raises:
        Refused: InvalidParameterValue outside `lowest` to `highest`.
    """
    if value is None:
        return highest
    size = int(str(value))
    if size < lowest:
        raise Refused(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value greater than or equal to {lowest}.",
        )
    if size > highest:
        raise Refused(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value less than or equal to {highest}.",
        )
    return size


def token(operation: str, last: str) -> str:
    """An opaque token that goes on after `last`."""
    return urlsafe_b64encode(f"{operation}\0{last}".encode()).decode()


def read_token(operation: str, text: str | None) -> str | None:
    """What a token of this operation goes on after; None without a token.

    Raises:
        Refused: InvalidNextToken for a token that this operation never gave.
    """
    if not text:
        return None
    try:
        given, _, last = urlsafe_b64decode(text).decode().partition("\0")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        given, last = "", ""
    if given != operation:
        raise Refused("InvalidNextToken", "The specified NextToken is not valid.")
    return last


def cut(
    operation: str,
    rows: Iterable[Any],
    key: Callable[[Any], tuple[str | int, ...]],
    size: int,
    next_token: str | None,
) -> tuple[list[Any], str | None]:
    """One page of `rows` and the token for the next.

    Rows are put in the order of `key`, whose values must not change while a row exists: so a
    page begins where the last one ended, whatever was created or deleted meanwhile.

    Raises:
        Refused: InvalidNextToken.
    """
    last = read_token(operation, next_token)
    ordered = sorted(rows, key=key)
    if last is not None:
        ordered = [row for row in ordered if _text(key(row)) > last]
    if len(ordered) <= size:
        return ordered, None
    page = ordered[:size]
    return page, token(operation, _text(key(page[-1])))


def _text(key: Sequence[str | int]) -> str:
    # Numbers are padded so that text order is number order.
    return "\1".join(f"{part:012d}" if isinstance(part, int) else str(part) for part in key)
