"""What a file knows from the files beside it: a sourced script, a parent, a go.mod.

`Source.context` gets what they define. For shell that is what the reader says of a sourced script:
`token` for a variable that holds a session token and for a function that prints one, `=text` for a
variable whose value is written down.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import names_given
from imdsctl.lint.source import Source

if TYPE_CHECKING:
    from tree_sitter import Node

Read = Callable[[str], str | None]
"""A file's text by its name, None where there is none."""

_DEEPEST: Final = 8
_OWN_FOLDER: Final = re.compile(r"(?:\$\(.*\)|`.*`|\$\{[^}]*\}|\$\w+)/")
"""However a script names its own folder, a file is looked for beside it."""


def context_of(path: str, kind: str, text: str, read: Read) -> dict[str, str]:
    """The names that a file's neighbours give it.

    Args:
        path: its name; neighbours are looked for from its folder on.
        kind: what it is.
        text: its text.
        read: how a neighbour is read; only its names are taken, nothing of it is reported.
    """
    if kind == "shell":
        return _of_sourced(path, text, read, 0, {os.path.normpath(path)})
    if kind == "maven":
        return _of_parents(path, text, read, 0)
    if kind == "go-sum":
        return _of_go_mod(path, read)
    return {}


def included_requirements(path: str, text: str) -> Iterator[str]:
    """The requirements files that one takes in, whatever they are called."""
    from imdsctl.lint.readers.python_requirements import includes  # noqa: PLC0415 - with its kind

    for name in includes(text):
        yield _beside(path, name)


def _beside(path: str, name: str) -> str:
    folder = os.path.dirname(path)  # noqa: PTH120 - paths stay text
    return os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - same


def _of_sourced(path: str, text: str, read: Read, depth: int, seen: set[str]) -> dict[str, str]:
    """Names from every file that a script sources by a plain name, and from what those source."""
    known: dict[str, str] = {}
    if not re.search(r"(?:^|[\s;&|])(?:\.|source)\s", text):
        return known
    for name in _sourced(text):
        other = _beside(path, name)
        if other in seen or depth > _DEEPEST:
            continue
        seen.add(other)
        inner = read(other)
        if inner is not None and kind_of(other, inner[:200]) in ("shell", None):
            known |= _of_sourced(other, inner, read, depth + 1, seen)
            source = Source(other, "shell", inner, context=dict(known))
            for names in names_given("shell"):
                known |= names(source)
    return known


def _nodes(text: str) -> "Iterator[Node]":
    """Every node of a shell script's tree, in the script's order."""
    from imdsctl.lint.readers._shell_script import tree  # noqa: PLC0415 - where it is needed

    pending = [tree(text.encode("utf-8", "surrogatepass")).root_node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _sourced(text: str) -> Iterator[str]:
    """The files that `.` and `source` name, from the script's own folder on."""
    for node in _nodes(text):
        if node.type != "command":
            continue
        name = node.child_by_field_name("name")
        argument = node.child_by_field_name("argument")
        if name is None or argument is None or _text(name) not in (".", "source"):
            continue
        word = _text(argument).strip("\"'")
        if found := _OWN_FOLDER.match(word):
            word = word[found.end() :]
        if word and not set(word) & set("$`*?\"'"):
            yield word


def _of_parents(path: str, text: str, read: Read, depth: int) -> dict[str, str]:
    """The properties of a Maven project's parents, as far as their files are there."""
    from imdsctl.lint.readers import java_maven  # noqa: PLC0415 - with its kind
    from imdsctl.lint.readers._xml import parse  # noqa: PLC0415

    if "<parent>" not in text or depth > _DEEPEST:
        return {}
    try:
        parent = parse(Source(path, "maven", text)).child("parent")
    except ValueError:
        return {}
    if parent is None:
        return {}
    named = parent.child("relativePath")
    relative = named.text.strip() if named else "../pom.xml"
    if not relative or "${" in relative:
        return {}
    other = _beside(path, relative)
    if not other.endswith(".xml"):
        other = f"{other}/pom.xml"
    inner = read(other)
    if inner is None:
        return {}
    own = java_maven.properties(Source(other, "maven", inner))
    return {**_of_parents(other, inner, read, depth + 1), **own}


def _of_go_mod(path: str, read: Read) -> dict[str, str]:
    from imdsctl.lint.readers import go_modules  # noqa: PLC0415 - with its kind

    other = _beside(path, "go.mod")
    inner = read(other)
    return {} if inner is None else go_modules.required(Source(other, "go-mod", inner))
