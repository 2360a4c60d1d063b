"""Gemfile and *.gemspec, which are Ruby, and Gemfile.lock (Bundler)."""

import re
from collections.abc import Iterator
from typing import Final

import tree_sitter_ruby
from tree_sitter import Language, Node

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, lines
from imdsctl.lint.readers._parsing import parsed
from imdsctl.lint.source import Source

KINDS: Final = ("gemfile", "gemspec", "gemfile-lock")

_RUBY: Final = Language(tree_sitter_ruby.language())
_CALLS: Final = {
    "gemfile": ("gem",),
    "gemspec": ("add_dependency", "add_runtime_dependency", "add_development_dependency"),
}
_LOCKED: Final = re.compile(r"    ([A-Za-z0-9][\w.-]*) \((\d[\w.]*)(?:-[\w.-]+)?\)\s*$")


def read(source: Source) -> Iterator[Fact]:
    """Each gem that is named by a plain string, with its requirements."""
    if source.kind == "gemfile-lock":
        yield from _lock(source)
        return
    tree = parsed(source.data, _RUBY)
    pending = [tree.root_node]
    while pending:
        node = pending.pop()
        if node.type == "call":
            yield from _call(source, node)
        pending.extend(reversed(node.children))


def _call(source: Source, node: Node) -> Iterator[Fact]:
    method = node.child_by_field_name("method")
    arguments = node.child_by_field_name("arguments")
    if method is None or arguments is None or _text(method) not in _CALLS[source.kind]:
        return
    texts = []
    for argument in arguments.named_children:
        plain = _plain(argument)
        if plain is None:
            break
        texts.append(plain)
    if texts:
        allowed = _ranges.gem(texts[1:])
        at = (source.characters(node.start_byte), source.characters(node.end_byte))
        yield dependency(source, "rubygems", texts[0], allowed, at)


def _plain(node: Node) -> str | None:
    """A string without interpolation, or a list of such; None for anything else."""
    if node.type == "array":
        parts = [_plain(one) for one in node.named_children]
        return None if None in parts else ",".join(filter(None, parts))
    if node.type != "string" or any(c.type == "interpolation" for c in node.named_children):
        return None
    return "".join(_text(c) for c in node.named_children if c.type == "string_content")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _lock(source: Source) -> Iterator[Fact]:
    """The lines below `specs:` that are indented by four; those below them are constraints."""
    inside = False
    for start, line in lines(source.text):
        if line[:1] not in ("", " "):
            inside = False
        elif line.strip() == "specs:":
            inside = True
        elif inside and (found := _LOCKED.match(line)):
            place = (start + found.start(1), start + found.end(2))
            yield dependency(source, "rubygems", found[1], _ranges.pinned(found[2]), place)
