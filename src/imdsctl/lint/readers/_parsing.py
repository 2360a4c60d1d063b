"""What every grammar is called through: a limit in time, and a scanner kept from a crash."""

import re
import time
from typing import Any, Final

from tree_sitter import Language, Parser, Tree

from imdsctl.lint.source import TookTooLong

LONGEST: Final = 5.0
"""Seconds for one text. What a person wrote takes a hundredth of that."""
_PIECE: Final = 4_096
_AFTER_BRACE: Final = re.compile(rb"(?<=[{.0-9])[\xe0-\xf4][\x80-\xbf]{2,3}")


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


def safe_for_bash(data: bytes) -> bytes:
    """A script as tree-sitter-bash 0.25.1 may see it, byte for byte as long.

    Where `{` may begin a range such as `{1..9}`, its scanner asks C's isdigit() about characters of
    any size. isdigit() is a table of 256 entries: an emoji reads far behind it, and that can end
    the process. A character of three or four bytes is an `é` and a filler there.
    """
    return _AFTER_BRACE.sub(_harmless, data)


def _harmless(found: re.Match[bytes]) -> bytes:
    return b"\xc3\xa9\xc3\xa9" if len(found[0]) == 4 else b"\xc3\xa9x"  # noqa: PLR2004 - bytes
