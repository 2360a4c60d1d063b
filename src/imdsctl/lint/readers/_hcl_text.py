"""The texts in HCL: quoted strings, heredocs, and the marks of templates in both."""

import re
from collections.abc import Iterator
from typing import Final

_MARK: Final = re.compile(r"[$%]\{")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def unquoted(text: str) -> str:
    """What stands between a quoted string's quotes, its escapes undone."""
    inner = text[1:-1] if len(text) > 1 and text[0] == '"' == text[-1] else text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inner)


def heredoc(text: str) -> tuple[str, int]:
    """A heredoc's text without its marks, and how much indentation `<<-` took off it."""
    lines = text.split("\n")
    inner = lines[1:-1]
    indent = 0
    if text.startswith("<<-"):
        widths = [len(line) - len(line.lstrip(" \t")) for line in inner if line.strip()]
        indent = min(widths, default=0)
        inner = [line[indent:] for line in inner]
    return "\n".join(inner) + "\n" if inner else "", indent


def template_pieces(text: str) -> Iterator[tuple[str, str]]:
    """A template's literal pieces (`""`), interpolations (`${`) and directives (`%{`), in order."""
    literal, at = [], 0
    while True:
        mark = _MARK.search(text, at)
        if mark is None:
            break
        found = mark.start()
        if found > 0 and text[found - 1] == text[found]:
            # $${ and %%{ are the marks themselves.
            literal.append(text[at:found] + "{")
            at = found + 2
            continue
        literal.append(text[at:found])
        if joined := "".join(literal):
            yield "", joined
        literal = []
        end = _closing(text, found + 2)
        yield text[found : found + 2], text[found + 2 : end].strip("~ ")
        at = min(end + 1, len(text))
    if joined := "".join(literal) + text[at:]:
        yield "", joined


def _closing(text: str, at: int) -> int:
    """Where the brace is that closes one opened before `at`."""
    depth, quoted, limit = 1, False, min(len(text), at + 4096)
    while at < limit:
        sign = text[at]
        if sign == "\\" and quoted:
            at += 1
        elif sign == '"':
            quoted = not quoted
        elif sign == "{" and not quoted:
            depth += 1
        elif sign == "}" and not quoted:
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return limit


def placeholder(expression: str) -> str:
    """A word as long as the interpolation, that no program takes for anything."""
    return re.sub(r"\W", "_", expression.split("\n", 1)[0]).ljust(1, "_")
