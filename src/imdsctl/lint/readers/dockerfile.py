"""Dockerfiles: what RUN, CMD, ENTRYPOINT and HEALTHCHECK run, and what ENV sets.

Dockerfile reference. The instructions are told apart line by line, as the reference does it, and
variables are parsed one instruction at a time, so that one that the grammar does not know hides no
other.
"""

import json
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import tree_sitter_dockerfile
from tree_sitter import Language, Node

from imdsctl.lint.facts import Fact, Setting
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.readers._parsing import parsed
from imdsctl.lint.readers._settings import is_setting
from imdsctl.lint.readers._shell_pieces import kind_of_file
from imdsctl.lint.source import Source

KINDS: Final = ("dockerfile",)
_INSTRUCTION: Final = re.compile(r"\s*(?:ONBUILD\s+)?([A-Za-z]+)(?=\s|$)", re.IGNORECASE)
_RUNS: Final = {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}
_FLAGS: Final = re.compile(r"(?:\s*--[a-z][\w-]*=\S*)+", re.IGNORECASE)
_HEREDOC: Final = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_NO_CALL: Final = ("no_proxy", "noproxy")

with warnings.catch_warnings():
    # This grammar still hands its address over as a number.
    warnings.simplefilter("ignore", DeprecationWarning)
    _LANGUAGE: Final = Language(tree_sitter_dockerfile.language())


@dataclass(frozen=True, slots=True)
class _Instruction:
    """One instruction: its name, where it stands (characters), and its text with what follows."""

    name: str
    start: int
    text: str
    body: str = ""
    body_start: int = 0


def read(source: Source) -> Iterator[Fact | Source]:
    """The commands of a Dockerfile as shell, and its environment."""
    context = dict(source.context)
    shell = "shell"
    for one in _instructions(source.text):
        if one.name == "FROM":
            context, shell = dict(source.context), "shell"
        elif one.name in {"ENV", "ARG"}:
            for name, value in _pairs(one):
                context[name] = "=" + value
                yield from _setting(source, one, name, value)
        elif one.name == "SHELL":
            shell = "powershell" if re.search(r"powershell|pwsh", one.text) else "shell"
        elif one.name in _RUNS:
            for found in _commands(source, one, shell):
                yield replace(found, context=dict(context))
        elif one.name in {"COPY", "ADD"} and one.body:
            path = one.text.split()[-1]
            if kind := kind_of_file(path, one.body):
                yield _embedded(source, kind, one.body_start, one.body, f"{path} of {one.name}")


def _setting(source: Source, one: _Instruction, name: str, value: str) -> Iterator[Setting]:
    if is_setting(name) or (mentions(value) and name.lower() not in _NO_CALL):
        place = source.place(one.start, one.start + len(one.text.rstrip()))
        yield Setting(place=place, name=name, value=value)


def _instructions(text: str) -> Iterator[_Instruction]:
    """The instructions with their continuation lines and here documents."""
    lines = text.splitlines(keepends=True)
    escape = "`" if re.match(r"\s*#\s*escape\s*=\s*`", text) else "\\"
    row = at = 0
    while row < len(lines):
        line = lines[row]
        start = at
        found = _INSTRUCTION.match(line)
        at += len(line)
        row += 1
        if not found or line.lstrip().startswith("#"):
            continue
        pieces = [line]
        while row < len(lines) and _goes_on(pieces, escape):
            comment = lines[row].lstrip().startswith("#") or not lines[row].strip()
            # A comment between continued lines is dropped; the shell would end the command at it.
            ending = lines[row][len(lines[row].rstrip("\r\n")) :]
            pieces.append("\\" + ending if comment else lines[row])
            at += len(lines[row])
            row += 1
        joined = "".join(pieces)
        if escape == "`":
            joined = re.sub(r"`(?=[ \t]*\r?\n)", "\\\\", joined)
        body, body_start = [], at
        for mark in _HEREDOC.findall(joined):
            while row < len(lines) and lines[row].strip() != mark[1]:
                body.append(lines[row])
                at += len(lines[row])
                row += 1
            if row < len(lines):
                at += len(lines[row])
                row += 1
        yield _Instruction(found[1].upper(), start, joined, "".join(body), body_start)


def _goes_on(pieces: list[str], escape: str) -> bool:
    last = pieces[-1].rstrip("\r\n \t")
    return last.endswith((escape, "\\"))


def _commands(source: Source, one: _Instruction, shell: str) -> Iterator[Source]:
    """What an instruction runs."""
    head = _INSTRUCTION.match(one.text)
    begin = head.end() if head else 0
    if one.name == "HEALTHCHECK":
        command = re.search(r"\bCMD\b", one.text)
        if not command:
            return
        begin = command.end()
    if flags := _FLAGS.match(one.text, begin):
        begin = flags.end()
    rest = one.text[begin:]
    if one.body and _HEREDOC.match(rest.strip()):
        yield _embedded(source, _kind(one.body, shell), one.body_start, one.body, one.name)
        return
    argv = _exec_form(rest)
    # Blanks instead of what stands before keep columns as they are in the file.
    blank = re.sub(r"[^\n]", " ", one.text[:begin])
    text = shlex.join(argv) if argv is not None else blank + rest
    if one.body:
        ends = "\n".join(mark[1] for mark in _HEREDOC.findall(one.text))
        text = f"{text.rstrip()}\n{one.body}{ends}\n"
    yield _embedded(source, shell, one.start, text, one.name)


def _kind(body: str, shell: str) -> str:
    return (kind_of_file("", body) or shell) if body.startswith("#!") else shell


def _exec_form(rest: str) -> list[str] | None:
    """The words of a JSON array, None for shell form."""
    if not rest.lstrip().startswith("["):
        return None
    try:
        words = json.loads(re.sub(r"\\\r?\n", "", rest))
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(w, str) for w in words) else None


def _embedded(source: Source, kind: str, start: int, text: str, inside: str) -> Source:
    first = source.row(start)
    return source.embedded(kind, text, first, inside)


def _pairs(one: _Instruction) -> Iterator[tuple[str, str]]:
    """Names and values of ENV and ARG."""
    data = one.text.strip().encode("utf-8", "surrogatepass")
    pairs = list(_found(parsed(data + b"\n", _LANGUAGE).root_node))
    if not pairs and one.name == "ENV":
        # The old form, `ENV NAME all of the rest`.
        words = one.text.split(None, 2)
        if len(words) > 2 and "=" not in words[1]:  # noqa: PLR2004
            yield words[1], words[2].strip()
        return
    for pair in pairs:
        name = pair.child_by_field_name("name")
        value = pair.child_by_field_name("value") or pair.child_by_field_name("default")
        if name is not None and value is not None:
            yield _text(name), _text(value).strip("\"'")


def _found(root: Node) -> Iterator[Node]:
    if root.has_error:
        return
    for instruction in root.named_children:
        if instruction.type == "arg_instruction":
            yield instruction
        yield from (one for one in instruction.named_children if one.type == "env_pair")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
