"""A file's bytes as text, and back: what is no text, too large or made by a program is told."""

import codecs
import re
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 1_000_000
"""Bytes of a file that a person wrote; larger ones are data."""
LARGEST_LOCK: Final = 32_000_000
"""Bytes of a lock, which a program writes for every package of a project."""

_LOCKS: Final = frozenset(
    (
        *("poetry-lock", "uv-lock", "pdm-lock", "pylock", "pipfile-lock", "npm-lock", "yarn-lock"),
        *("pnpm-lock", "gradle-lock", "go-sum", "gemfile-lock", "nuget-lock", "composer-lock"),
    )
)
_PROGRAMS: Final = frozenset(("javascript", "typescript", "python", "go", "java", "ruby"))
_GENERATED: Final = re.compile(
    r"(?:^|\n)\s*(?://|#|/?\*|--)[^\n]*(?:Code generated .* DO NOT EDIT|@generated\b)"
)
_HEAD: Final = 4096
_MINIFIED: Final = 5000
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and how its bytes are made from it again."""

    text: str
    encoding: str
    mark: bytes = b""

    def encoded(self, text: str) -> bytes:
        """Another text in the same encoding, with the same mark before it."""
        return self.mark + text.encode(self.encoding.removesuffix("-sig"))


def decoded(data: bytes) -> Decoded | None:
    """The text, None where the bytes are none.

    UTF-8, UTF-16 with its mark (as PowerShell writes it), else Latin-1, in which every byte is a
    character: what matters to lint is ASCII.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                plain = data[len(mark) :].decode(encoding.removesuffix("-sig"))
            except UnicodeDecodeError:
                return None
            return Decoded(plain, encoding, mark)
    if b"\0" in data:
        return None
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return Decoded(data.decode("latin-1"), "latin-1")


def largest(kind: str | None) -> int:
    """How many bytes of a kind of file are read."""
    return LARGEST_LOCK if kind in _LOCKS else LARGEST


def made_by_a_program(kind: str, text: str) -> str:
    """Why a program's text is nobody's to mend, empty where a person wrote it."""
    if kind not in _PROGRAMS:
        return ""
    if _GENERATED.search(text[:_HEAD]):
        return "generated"
    if kind == "javascript" and any(len(row) > _MINIFIED for row in text.split("\n", 50)[:50]):
        return "minified"
    return ""
