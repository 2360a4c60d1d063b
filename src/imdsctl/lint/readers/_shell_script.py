"""A shell script as its grammar sees it, and the way from its nodes to places in the file."""

import re
from functools import cached_property
from typing import Final

import tree_sitter_bash
from tree_sitter import Language, Node, Tree

from imdsctl.lint.facts import Place
from imdsctl.lint.readers._parsing import parsed
from imdsctl.lint.source import Source

_LANGUAGE: Final = Language(tree_sitter_bash.language())
# Directives of Terraform's and Jinja's templates are no shell; what they surround is.
_DIRECTIVE: Final = re.compile(
    rb"%\{~?\s*(?:if|else|endif|for|endfor)\b[^}\n]*\}|\{%[^%\n]*%\}|\{#[^#\n]*#\}"
)
# Terraform's `$${NAME}` is the shell's `${NAME}`; `${NAME-}` says that in as many characters.
_ESCAPED: Final = re.compile(rb"\$\$\{([A-Za-z_]\w*(?:\[[@*]\])?)\}")
# A character of more than two bytes where `{` may begin a range.
_AFTER_BRACE: Final = re.compile(rb"(?<=[{.0-9])[\xe0-\xf4][\x80-\xbf]{2,3}")


def tree(data: bytes) -> Tree:
    """The tree of a script's bytes."""
    return parsed(_safe(data), _LANGUAGE)


def _safe(data: bytes) -> bytes:
    """A script as tree-sitter-bash 0.25.1 may see it, byte for byte as long.

    Where `{` may begin a range such as `{1..9}`, its scanner asks C's isdigit() about characters of
    any size. isdigit() is a table of 256 entries: an emoji reads far behind it, and that can end
    the process. A character of three or four bytes is an `é` and a filler there.
    """
    return _AFTER_BRACE.sub(_harmless, data)


def _harmless(found: re.Match[bytes]) -> bytes:
    return b"\xc3\xa9\xc3\xa9" if len(found[0]) == 4 else b"\xc3\xa9x"  # noqa: PLR2004 - bytes


class Script:
    """The parsed text of a Source of kind `shell`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        data = source.data
        if b"%{" in data or b"{%" in data or b"{#" in data:
            data = _DIRECTIVE.sub(lambda found: b" " * len(found[0]), data)
        if b"$${" in data:
            data = _ESCAPED.sub(lambda found: b"${" + found[1] + b"-}", data)
        self.data = data
        self.root = tree(data).root_node

    def text(self, node: Node) -> str:
        """The text of a node, as it stands in the script."""
        return self.slice(node.start_byte, node.end_byte)

    def slice(self, start: int, end: int) -> str:
        """The text between two byte offsets."""
        return self.data[start:end].decode("utf-8", "replace")

    def place(self, node: Node) -> Place:
        """The place of a node in the file."""
        return self.source.place(self.character(node.start_byte), self.character(node.end_byte))

    def line(self, node: Node) -> int:
        """The line of the script, from 1, on which a node begins."""
        return int(node.start_point[0]) + 1

    def character(self, offset: int) -> int:
        """The character at a byte offset."""
        if self._ascii:
            return offset
        return len(self.data[:offset].decode("utf-8", "surrogatepass"))

    @cached_property
    def _ascii(self) -> bool:
        return self.data.isascii()
