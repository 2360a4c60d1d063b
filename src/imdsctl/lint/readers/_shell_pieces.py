"""Texts that a script hands on: here documents, arguments of `sh -c`, files that it writes."""

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from tree_sitter import Node

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_words import Values, Word
from imdsctl.lint.source import Source

_ESCAPED: Final = re.compile(r"\\([$`\"\\])")
_SHELL_FILES: Final = re.compile(
    r"(?:^|/)(?:rc\.local|environment|\.?(?:bashrc|bash_profile|profile|zshrc)|[^/]*\.env|envvars"
    r"|default/[^/]+|sysconfig/[^/]+|cron\.(?:hourly|daily|weekly|monthly)/[^/]+)$"
)
_INTERPRETERS: Final = {
    "sh": "shell", "bash": "shell", "dash": "shell", "ksh": "shell", "zsh": "shell", "ash": "shell",
    "python": "python", "python2": "python", "python3": "python",
    "node": "javascript", "ruby": "ruby", "pwsh": "powershell", "powershell": "powershell",
}  # fmt: skip
# Scripts that no other shell, Dockerfile or unit reads before.
_VERBATIM: Final = re.compile(
    r"(?:^|, )(?:user.?data\b[^,]*|part \d+ [^,]*|[^,]* of write_files|runcmd|bootcmd)$",
    re.IGNORECASE,
)
COMMAND_OPTIONS: Final = {
    "shell": ("c",), "python": ("c",), "javascript": ("e", "p", "eval", "print"), "ruby": ("e",),
    "powershell": ("c", "command", "Command"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A text within a script.

    Attributes:
        text: as the program gets it that it is handed to.
        line: of the script, from 1, on which it begins.
        indent: characters before it on its only line.
        expanded: whether the shell of the script expands variables in it first.
        verbatim: whether its lines are the script's own, each behind `indent` characters.
    """

    text: str
    line: int
    indent: int = 0
    expanded: bool = False
    verbatim: bool = False


def kind_of_file(path: str, text: str) -> str | None:
    """The kind of a file that a script writes to `path`."""
    found = kind_of(path, text)
    if found is None and _SHELL_FILES.search(path):
        return "shell"
    return found


def interpreter(program: str) -> str | None:
    """The kind of text that a program runs, None if it is no interpreter."""
    return _INTERPRETERS.get(re.sub(r"(?<=python3)\.\d+$", "", PurePosixPath(program).name))


def of_heredoc(script: Script, redirect: Node) -> Piece | None:
    """The here document of a `heredoc_redirect`."""
    start = next((one for one in redirect.children if one.type == "heredoc_start"), None)
    body = next((one for one in redirect.children if one.type == "heredoc_body"), None)
    if start is None or body is None:
        return None
    quoted = script.text(start)[:1] in {"'", '"', "\\"}
    text = script.text(body) if quoted else _expanded(script, body, body.start_byte, body.end_byte)
    indent = 0
    if redirect.children[0].type == "<<-":
        # The grammar takes the first line's tabs for none of the text.
        before = script.slice(script.data.rfind(b"\n", 0, body.start_byte) + 1, body.start_byte)
        tabs = re.findall(r"^(\t*)[^\t\n]", before + text, flags=re.MULTILINE)
        depths = {len(one) for one in tabs}
        text = re.sub(r"^\t+", "", text, flags=re.MULTILINE)
        if len(depths) > 1:
            return Piece(text, script.line(body), expanded=not quoted)
        indent = depths.pop() if depths else 0
    return Piece(text, script.line(body), indent, expanded=not quoted, verbatim=quoted)


def of_word(script: Script, word: Word) -> Piece | None:
    """The text of a quoted argument, None where it is none or comes from elsewhere."""
    node = word.node
    if node is None or not word.own or node.type not in {"string", "raw_string", "ansi_c_string"}:
        return Piece(word.text, script.line(node)) if node is not None and word.known else None
    expanded = node.type == "string"
    start, end = node.start_byte + 1, max(node.start_byte + 1, node.end_byte - 1)
    if node.type == "ansi_c_string":
        text = word.text
    else:
        text = _expanded(script, node, start, end) if expanded else script.slice(start, end)
    column = int(node.start_point[1]) + 1
    # The column holds for the first line alone; where there are more, lines are what counts.
    several = "\n" in text
    verbatim = several and node.type == "raw_string"
    return Piece(text, script.line(node), 0 if several else column, expanded, verbatim)


def is_verbatim(source: Source) -> bool:
    """Whether a script stands in its file as it is: a line can be added, and a quote is a quote."""
    if source.expanded:
        return False
    return source.lines is None or source.verbatim or _VERBATIM.search(source.inside) is not None


def filled_in(word: Word) -> str:
    """A word with the values of its variables; `${NAME}` for one that is not known.

    Empty where a part has no name by which it could be known again.
    """
    if not all(hole.name.isidentifier() for hole in word.holes):
        return ""
    return "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in word.parts)


def embedded(source: Source, piece: Piece, kind: str, inside: str, values: Values) -> Source:
    """A piece as a Source, with what is known of the variables that stand in it."""
    first = source.margin(piece.line - 1)
    found = source.embedded(kind, piece.text, piece.line, inside, first + piece.indent)
    context = dict(source.context)
    for name, words in values.items():
        if name not in piece.text or len(words) != 1 or not name.isidentifier():
            continue
        if words[0].token:
            context[name] = "token"
        elif words[0].known:
            context[name] = "=" + words[0].text
    rows = range(piece.line - 1, piece.line - 1 + len(found.lines or ()))
    return replace(
        found,
        context=context,
        indents=tuple(source.margin(row) + piece.indent for row in rows) if source.indents else (),
        verbatim=piece.verbatim and is_verbatim(source),
        expanded=source.expanded or piece.expanded,
    )


def _expanded(script: Script, node: Node, start: int, end: int) -> str:
    """A text in which the shell expands: command substitutions, which it runs itself, are gone."""
    pieces = []
    at = start
    for child in node.named_children:
        if child.type == "command_substitution":
            pieces.append(script.slice(at, child.start_byte))
            gone = script.text(child)
            pieces.append(re.sub(r"[^\n]", "_", gone).replace("\n", " \\\n") if gone else "")
            at = child.end_byte
    pieces.append(script.slice(at, end))
    return _ESCAPED.sub(r"\1", "".join(pieces))
