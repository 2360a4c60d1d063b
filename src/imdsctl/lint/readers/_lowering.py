"""From a parser's tree to forms: what every language's lowering shares."""

import re
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from tree_sitter import Language as Grammar
from tree_sitter import Node

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _metadata_url
from imdsctl.lint.readers._language import Language
from imdsctl.lint.readers._parsing import parsed
from imdsctl.lint.readers._run import Run
from imdsctl.lint.readers._seen import Seen, facts
from imdsctl.lint.source import Source

_DEEPEST: Final = 150
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|(\r?\n)|(.))", re.DOTALL
)
_TEST: Final = re.compile(
    r"(?:^|/)(?:test_[^/]*\.py|conftest\.py|[^/]*_(?:test|spec)\.(?:py|go|rb)"
    r"|[^/]*[._-](?:test|spec)\.[cm]?[jt]sx?|(?-i:[^/]*Tests?\.java)|[^/]*\.tests\.ps1)$",
    re.IGNORECASE,
)
"""Files of tests by the names that their frameworks look for: what they ask is mostly mocked."""
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "s": " "}


class Lowering:
    """One text's forms. A language's class says in `FORMS` which method lowers which node."""

    FORMS: ClassVar[dict[str, str]] = {}
    SKIPPED: ClassVar[frozenset[str]] = frozenset({"comment"})

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mentioned: set[str] = set()
        self._depth = 0
        self._methods: dict[str, Callable[[Node], f.Form]] = {
            kind: getattr(self, name) for kind, name in self.FORMS.items()
        }

    def program(self, root: Node) -> tuple[f.Form, ...]:
        """All of a text."""
        return self.block(root)

    def lower(self, node: Node | None) -> f.Form:
        """One node; what is nested too deep is not looked into."""
        if node is None:
            return f.Opaque((0, 0))
        if self._depth >= _DEEPEST:
            return f.Opaque(span(node))
        self._depth += 1
        try:
            # A grammar's levels around one thing (PowerShell has fourteen) are no depth.
            while (method := self._methods.get(node.type)) is None:
                inner = self.children(node)
                if len(inner) != 1:
                    return self.rest(node)
                node = inner[0]
            return method(node)
        finally:
            self._depth -= 1

    def rest(self, node: Node) -> f.Form:
        """A node that has no method: what is in it; around one thing it is nothing itself."""
        return f.Opaque(span(node), self.block(node))

    def children(self, node: Node) -> list[Node]:
        """The named children that mean something."""
        return [one for one in node.named_children if one.type not in self.SKIPPED]

    def block(self, node: Node | None) -> tuple[f.Form, ...]:
        """The statements of a block."""
        if node is None:
            return ()
        return tuple(self.lower(one) for one in self.children(node))

    def named(self, node: Node, name: str) -> f.Form:
        """The child in a field."""
        return self.lower(node.child_by_field_name(name))

    def maybe(self, node: Node, name: str) -> f.Form | None:
        """The child in a field, None without one."""
        child = node.child_by_field_name(name)
        return None if child is None else self.lower(child)

    def text(self, node: Node | None) -> str:
        """A node's own text."""
        if node is None:
            return ""
        # Not `node.text`, which reads through the whole text each time.
        return self.source.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def name(self, node: Node) -> f.Form:
        """A variable or the like."""
        name = self.text(node)
        self.mentioned.add(name)
        return f.Name(span(node), name)

    def constant(self, node: Node) -> f.Form:
        """A number or truth value."""
        return f.Text(span(node), self.text(node))

    def nil(self, node: Node) -> f.Form:
        """None, null, nil."""
        return f.Nil(span(node))

    def nothing(self, node: Node) -> f.Form:
        """Something that says nothing."""
        return f.Opaque(span(node))

    def leaves(self, node: Node) -> f.Form:
        """`break`, `continue`, `raise`: what goes elsewhere."""
        return f.Raise(span(node), f.Block(span(node), self.block(node)))

    def member(self, node: Node, of: str, name: str) -> f.Form:
        """`of.name` by the fields that hold them."""
        member = self.text(node.child_by_field_name(name))
        self.mentioned.add(member)
        return f.Member(span(node), self.named(node, of), member)

    def added(self, node: Node, operators: tuple[str, ...] = ("+",)) -> f.Form:
        """A binary operation; a chain of additions is one form, however long."""
        if self.text(node.child_by_field_name("operator")) not in operators:
            return f.Opaque(span(node), self.block(node))
        parts: list[Node] = []
        current: Node | None = node
        while current is not None and current.type == node.type:
            if self.text(current.child_by_field_name("operator")) not in operators:
                break
            right = current.child_by_field_name("right")
            if right is not None:
                parts.append(right)
            current = current.child_by_field_name("left")
        if current is not None:
            parts.append(current)
        return f.Joined(span(node), tuple(self.lower(one) for one in reversed(parts)))

    def string(
        self, node: Node, pieces: frozenset[str], holes: frozenset[str], *, raw: bool = False
    ) -> f.Form:
        """A string of literal pieces and interpolations, by the types of these nodes."""
        parts: list[f.Form] = []
        for child in node.children:
            if child.type in pieces:
                shown = self.text(child)
                parts.append(f.Text(span(child), shown if raw else unescaped(shown)))
            elif child.type in holes:
                parts += [self.lower(one) for one in self.children(child)[:1]]
        if len(parts) == 1 and isinstance(parts[0], f.Text):
            return parts[0]
        return f.Joined(span(node), tuple(parts)) if parts else f.Text(span(node), "")


def span(node: Node) -> f.Span:
    """The bytes of a node."""
    return node.start_byte, node.end_byte


def unescaped(written: str) -> str:
    """A string's value from its spelling between the quotes."""
    if "\\" not in written:
        return written

    def one(found: re.Match[str]) -> str:
        if code := found[1] or found[2] or found[3]:
            value = int(code, 16)
            return chr(value) if value < 0x110000 else ""  # noqa: PLR2004 - the end of Unicode
        return "" if found[4] else _SHORT.get(found[5], found[5])

    return _ESCAPE.sub(one, written)


def gone_through(
    source: Source,
    grammar: Grammar,
    lowering: type[Lowering],
    language: Language,
    finish: Callable[[Source, Node, list[Seen]], None] | None = None,
) -> Iterator[Fact | Source]:
    """Everything that a program's text tells, if it is about the metadata service at all.

    Args:
        source: the text.
        grammar: its parser's.
        lowering: what makes forms of its tree.
        language: what is known of its libraries.
        finish: what adds edits to the requests, where a language has that.
    """
    if _TEST.search(source.path) or not _metadata_url.concerns(source.text):
        return
    tree = parsed(source.data, grammar)
    lowered = lowering(source)
    run = Run(source, language)
    run.program(lowered.program(tree.root_node), frozenset(lowered.mentioned))
    if run.everything_mocked:
        run.seen.clear()
    for one in run.seen:
        if one.form in run.elsewhere:  # a token must not be sent to anybody else
            one.origin = None
    if finish is not None:
        finish(source, tree.root_node, run.seen)
    yield from facts(source, run.seen)
    yield from run.settings
    yield from run.embedding
    yield from _unparsed(source, tree.root_node)


def _unparsed(source: Source, root: Node) -> Iterator[Unparsed]:
    """The outermost stretches that the grammar has no place for: the first is told."""
    if not root.has_error:
        return
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            found.append(node)
        elif node.has_error:
            waiting += node.children
    if not found:
        return
    first = min(found, key=lambda one: one.start_byte)
    more = f"; so are {len(found) - 1} more places" if len(found) > 1 else ""
    yield Unparsed(
        place=source.place_of_bytes(first.start_byte, max(first.end_byte, first.start_byte + 1)),
        why=f"a part of the text is not understood by its grammar{more}",
    )
