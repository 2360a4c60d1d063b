"""What every grammar is called through: a limit in time."""

import time
from typing import Any, Final

from tree_sitter import Language, Parser, Tree

from imdsctl.lint.source import TookTooLong

LONGEST: Final = 5.0
"""Seconds for one text. What a person wrote takes a hundredth of that."""
_PIECE: Final = 4_096


def parsed(data: bytes, grammar: Language) -> Tree:
    """A text's tree.

    Raises:
        TookTooLong: the parser is not done after `LONGEST` seconds.
    """
    until = time.monotonic() + LONGEST

    def going_on(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - tree-sitter's call
        return time.monotonic() > until

    def piece(offset: int, _point: Any) -> bytes:
        return data[offset : offset + _PIECE]

    try:
        return Parser(grammar).parse(piece, progress_callback=going_on)
    except ValueError:
        raise TookTooLong from None
