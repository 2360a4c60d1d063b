"""YAML and JSON as trees that know where each value stands and which tag it carries."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from imdsctl.lint.facts import Place
from imdsctl.lint.source import Source

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCAN: Final[Any] = getattr(json.decoder, "scanstring")  # noqa: B009 - of no type stub
_DEEPEST: Final = 200
"""Nesting beyond this is no configuration, and would cost the parsers time without end."""
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
}
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_JSON_PLAIN: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")
_HEADER: Final = re.compile(r"(?:[!&]\S*\s+)*[|>][-+0-9]*[^\n]*\n")


class UnreadableError(Exception):
    """The text is no YAML or JSON from a place on."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why, self.at = why, at


@dataclass(slots=True, eq=False)
class Node:
    """A value: a map (`pairs`), a list (`items`) or a scalar (`text`).

    `start` and `end` are character offsets; `style` is `|`, `>`, a quote or empty, and `{` for maps
    and lists in flow style.
    """

    kind: str
    start: int
    end: int
    tag: str = ""
    style: str = ""
    text: str = ""
    pairs: list[tuple["Node", "Node"]] = field(default_factory=list)
    items: list["Node"] = field(default_factory=list)

    @property
    def plain(self) -> str | int | bool | None:
        """A scalar's value, as far as the kinds that matter here go."""
        if self.style or self.kind != "scalar":
            return self.text
        if self.text in _NOTHING:
            return None
        if (lower := self.text.lower()) in _BOOLEANS:
            return _BOOLEANS[lower]
        return int(self.text) if re.fullmatch(r"[-+]?[0-9]{1,18}", self.text) else self.text

    def get(self, key: str, depth: int = 0) -> "Node | None":
        """The value of a key of a map, merged maps (`<<`) included."""
        for name, value in self.pairs:
            if name.text == key:
                return value
        if depth < 5:  # noqa: PLR2004 - merges of merges; a cycle must end
            for name, value in self.pairs:
                if name.text == "<<":
                    for merged in value.items or (value,):
                        if (found := merged.get(key, depth + 1)) is not None:
                            return found
        return None

    def at(self, *keys: str) -> "Node | None":
        """The value at the end of a path of keys."""
        here: Node | None = self
        for key in keys:
            here = here.get(key) if here is not None else None
        return here

    def string(self, *keys: str) -> str:
        """The text of the scalar at the end of a path, empty where there is none."""
        found = self.at(*keys)
        return found.text if found is not None and found.kind == "scalar" else ""


def walk(root: Node) -> Iterator[Node]:
    """Every value below, each once however often it is referred to, in the order of the text."""
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        below = node.items or [value for _, value in node.pairs]
        pending.extend(reversed(below))


def yaml_documents(text: str) -> Iterator[Node]:
    """The documents of a YAML text.

    Raises:
        UnreadableError: at the place where it is none; the documents before have been given.
    """
    events = iter(yaml.parse(text, Loader=_LOADER))
    while True:
        try:
            found = _document(events)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            why = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
            raise UnreadableError(str(why), mark.index if mark else 0) from error
        except (ValueError, RecursionError) as error:
            raise UnreadableError(str(error), 0) from error
        if found is _END:
            return
        if found is not None:
            yield found


_END: Final = Node("end", 0, 0)


def _document(events: Iterator[Any]) -> Node | None:
    """The next document; None for an empty one, `_END` after the last."""
    anchors: dict[str, Node] = {}
    open_nodes: list[tuple[Node, list[Node]]] = []
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.StreamEndEvent):
            return _END
        if isinstance(event, yaml.DocumentEndEvent):
            return root
        if isinstance(event, yaml.CollectionEndEvent):
            _end(*open_nodes.pop(), event.end_mark.index)
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        node = _started(event, anchors)
        if open_nodes:
            open_nodes[-1][1].append(node)
        else:
            root = node
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_nodes) >= _DEEPEST:
                raise UnreadableError("it is nested too deeply", node.start)
            open_nodes.append((node, []))
    return _END


def _started(event: Any, anchors: dict[str, Node]) -> Node:
    """The node that an event begins, or that an alias means."""
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.AliasEvent):
        return anchors.get(event.anchor) or Node("scalar", start, end)
    if isinstance(event, yaml.ScalarEvent):
        node = Node("scalar", start, end, event.tag or "", event.style or "", event.value)
    else:
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        node = Node(kind, start, end, event.tag or "", "{" if event.flow_style else "")
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _end(node: Node, children: list[Node], end: int) -> None:
    node.end = end
    if node.kind == "map":
        node.pairs = list(zip(children[::2], children[1::2], strict=False))
    else:
        node.items = children


def json_document(text: str) -> Node:
    """A JSON text.

    Raises:
        UnreadableError: it is none.
    """
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    open_nodes: list[tuple[Node, list[Node]]] = []
    while True:
        if text[at : at + 1] in ("{", "["):
            if len(open_nodes) >= _DEEPEST:
                raise UnreadableError("it is nested too deeply", at)
            kind = "map" if text[at] == "{" else "list"
            open_nodes.append((Node(kind, at, at, style="{"), []))
            at = _skip(text, at + 1)
            if text[at : at + 1] not in ("}", "]"):
                continue
            node, at = _close(text, at, open_nodes)
        else:
            node = _scalar(text, at)
            at = _skip(text, node.end)
        while open_nodes:
            holder, children = open_nodes[-1]
            children.append(node)
            mark = text[at : at + 1]
            key = holder.kind == "map" and len(children) % 2 == 1
            if key and mark == ":" and node.style == '"':
                at = _skip(text, at + 1)
                break
            if not key and mark == ",":
                at = _skip(text, at + 1)
                break
            if key or mark not in ("}", "]"):
                raise UnreadableError("a comma, a colon or a closing bracket is missing", at)
            node, at = _close(text, at, open_nodes)
        else:
            if at < len(text):
                raise UnreadableError("there is more after the end of the value", at)
            return node


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _close(text: str, at: int, open_nodes: list[tuple[Node, list[Node]]]) -> tuple[Node, int]:
    node, children = open_nodes.pop()
    if text[at] != ("}" if node.kind == "map" else "]"):
        raise UnreadableError("the closing bracket is not that of the opening one", at)
    _end(node, children, at + 1)
    return node, _skip(text, at + 1)


def _scalar(text: str, at: int) -> Node:
    if text[at : at + 1] == '"':
        try:
            value, end = _SCAN(text, at + 1, False)  # noqa: FBT003 - a C function
        except ValueError as error:
            raise UnreadableError("a string has no end", at) from error
        return Node("scalar", at, end, style='"', text=value)
    if found := _JSON_PLAIN.match(text, at):
        return Node("scalar", at, found.end(), text=found[0])
    raise UnreadableError("a value is missing", at)


def place(source: Source, node: Node) -> Place:
    """Where a value stands."""
    return source.place(node.start, max(node.end, node.start + 1))


@dataclass(frozen=True, slots=True)
class Lines:
    """A text with the line of the source (from 1) that each of its lines comes from."""

    text: str
    lines: tuple[int, ...]
    indent: int = 0

    def __add__(self, other: "Lines") -> "Lines":
        keep = self.lines if self.text and not self.text.endswith("\n") else self.lines[:-1]
        rest = other.lines[1:] if keep is self.lines else other.lines
        return Lines(self.text + other.text, (*keep, *rest), self.indent or other.indent)

    def as_source(self, source: Source, kind: str = "", inside: str = "") -> Source:
        """The text as one that stands in `source`."""
        if source.lines is not None:
            last = len(source.lines) - 1
            lines = tuple(source.lines[min(line - 1, last)] for line in self.lines)
        else:
            lines = self.lines
        return Source(
            path=source.path,
            kind=kind,
            text=self.text,
            inside=", ".join(part for part in (source.inside, inside) if part),
            lines=lines,
            indent=self.indent,
            context=source.context,
            expanded=source.expanded,
        )


def lines_of(source: Source, node: Node) -> Lines:
    """A scalar's text with its lines: those of a block scalar are the file's own."""
    first = source.row(node.start)
    count = node.text.count("\n") + 1
    header = _HEADER.match(source.text, node.start) if node.style in ("|", ">") else None
    if header is None:
        return Lines(node.text, (first,) * count)
    first += header[0].count("\n")
    if node.style == ">":
        return Lines(node.text, (first,) * count)
    indent = 0
    for raw, line in zip(source.text[header.end() : node.end].split("\n"),
                         node.text.split("\n"), strict=False):  # fmt: skip
        if line.strip():
            indent = len(raw) - len(raw.lstrip(" ")) - (len(line) - len(line.lstrip(" ")))
            break
    return Lines(node.text, tuple(range(first, first + count)), indent)
