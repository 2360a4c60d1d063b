"""What a file knows from the files beside it: a sourced script, a parent, a go.mod.

`Source.context` gets a name for each: for shell, functions and variables as `token`, where they
fetch or hold a session token.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import Final

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

Read = Callable[[str], str | None]
"""A file's text by its name, None where there is none."""

TOKEN: Final = "token"  # noqa: S105 - the word for what a name holds, no token
_DEEPEST: Final = 8
_SOURCED: Final = re.compile(
    r"^\s*(?:\.|source)\s+(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s;&|\"'#]+))", re.MULTILINE
)
_OWN_FOLDER: Final = re.compile(
    r"^(?:\$\{?(?:DIR|HERE|SCRIPT_DIR|SCRIPTDIR|BASEDIR|ROOT)\}?"
    r"|\$\(\s*(?:cd\s+)?\"?\$?\(?\s*dirname[^)]*\)?[^)]*\)|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\})/",
    re.IGNORECASE,
)
_TOKEN_PATH: Final = "/api/token"  # noqa: S105 - a path


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
    for found in _SOURCED.finditer(text):
        name = _OWN_FOLDER.sub("", found[1] or found[2] or found[3])
        if "$" in name or "`" in name:
            continue
        other = _beside(path, name)
        if other in seen or depth > _DEEPEST:
            continue
        seen.add(other)
        inner = read(other)
        if inner is not None and kind_of(other, inner[:200]) in ("shell", None):
            known |= _of_sourced(other, inner, read, depth + 1, seen)
            known |= token_names(inner, known)
    return known


def token_names(text: str, known: dict[str, str]) -> dict[str, str]:
    """The functions and variables of a shell script that fetch or hold a session token."""
    import tree_sitter_bash  # noqa: PLC0415 - only where a script sources another
    from tree_sitter import Language, Node, Parser  # noqa: PLC0415

    names = dict(known)
    if _TOKEN_PATH not in text and not known:
        return names
    data = text.encode("utf-8", "surrogatepass")
    pending: list[Node] = [Parser(Language(tree_sitter_bash.language())).parse(data).root_node]
    holders: list[tuple[str, str]] = []
    while pending:
        node = pending.pop()
        if node.type in ("function_definition", "variable_assignment"):
            name = node.child_by_field_name("name")
            body = node.child_by_field_name(
                "body" if node.type == "function_definition" else "value"
            )
            if name is not None and body is not None:
                inner = (body.text or b"").decode("utf-8", "replace")
                holders.append(((name.text or b"").decode("utf-8", "replace"), inner))
        pending.extend(node.children)
    # Once for those that fetch it themselves, once more for those that call or copy these.
    for _ in range(2):
        for name_, inner in holders:
            words = set(re.findall(r"[A-Za-z_]\w*", inner))
            if _TOKEN_PATH in inner or (words & names.keys() and "169.254" not in inner):
                names[name_] = TOKEN
    return names


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
