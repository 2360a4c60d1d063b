"""HCL as blocks, attributes and expressions.

Native syntax comes from tree-sitter's grammar; HCL's JSON syntax (`.tf.json`, `.pkr.json`) is
brought into the same shape, where a string is a template ("JSON Configuration Syntax", Terraform
documentation).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import tree_sitter_hcl
from tree_sitter import Language, Node, Tree

from imdsctl.lint.readers import _tree
from imdsctl.lint.readers._parsing import parsed

_DEEPEST: Final = 60
"""Blocks within blocks; real ones are five deep."""

Expression = Node | _tree.Node


@dataclass(slots=True)
class Attribute:
    """`name = value`, by byte offsets (character offsets in JSON syntax)."""

    name: str
    value: Expression
    start: int
    end: int


@dataclass(slots=True)
class Block:
    """`type "label" { … }`, or a whole file, with no type."""

    type: str = ""
    labels: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    brace: int = 0
    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)
    json: _tree.Node | None = None

    def nested(self, kind: str) -> Iterator["Block"]:
        """The blocks of a type; in JSON syntax also the attribute that may be one."""
        yield from (block for block in self.blocks if block.type == kind)
        if self.json is not None and (found := self.attributes.get(kind)):
            assert isinstance(found.value, _tree.Node)
            for one in found.value.items or (found.value,):
                if one.kind == "map":
                    yield _json_block(kind, (), one)


@cache
def _language() -> Language:
    return Language(tree_sitter_hcl.language())


def parse(data: bytes) -> Tree:
    """The syntax tree of a text in native syntax."""
    return parsed(data, _language())


def body(root: Node, depth: int = 0) -> Block:
    """The blocks and attributes of a file's root, or of a block's body."""
    found = Block(start=root.start_byte, end=root.end_byte)
    for child in root.named_children:
        if child.type == "body":
            inner = body(child, depth)
            found.attributes |= inner.attributes
            found.blocks += inner.blocks
        elif child.type == "attribute" and (attribute := _attribute(child)):
            found.attributes[attribute.name] = attribute
        elif child.type == "block" and depth < _DEEPEST and (block := _block(child, depth)):
            found.blocks.append(block)
    return found


def _attribute(node: Node) -> Attribute | None:
    children = node.named_children
    if len(children) < 2 or children[0].type != "identifier":  # noqa: PLR2004 - name and value
        return None
    return Attribute(text_of(children[0]), children[1], node.start_byte, node.end_byte)


def _block(node: Node, depth: int) -> Block | None:
    kind, labels, brace = "", list[str](), node.start_byte
    inner: Block | None = None
    for child in node.children:
        if child.type == "identifier" and not kind:
            kind = text_of(child)
        elif child.type in ("identifier", "string_lit"):
            labels.append(text_of(child).strip('"'))
        elif child.type == "block_start":
            brace = child.end_byte
        elif child.type == "body":
            inner = body(child, depth + 1)
    if not kind:
        return None
    found = inner or Block()
    found.type, found.labels, found.brace = kind, tuple(labels), brace
    found.start, found.end = node.start_byte, node.end_byte
    return found


_LABELS: Final = {"resource": 2, "data": 2, "variable": 1, "module": 1, "source": 2, "provider": 1,
                  "output": 1, "ephemeral": 2}  # fmt: skip


def json_body(root: _tree.Node) -> Block:
    """A file in JSON syntax as blocks."""
    found = Block(end=root.end, json=root)
    for key, value in root.pairs:
        for one in value.items or (value,):
            found.blocks += _labelled(key.text, (), one, _LABELS.get(key.text, 0))
    return found


def _labelled(kind: str, labels: tuple[str, ...], node: _tree.Node, left: int) -> Iterator[Block]:
    if left == 0:
        if node.kind == "map":
            yield _json_block(kind, labels, node)
        return
    for key, value in node.pairs:
        for one in value.items or (value,):
            yield from _labelled(kind, (*labels, key.text), one, left - 1)


def _json_block(kind: str, labels: tuple[str, ...], node: _tree.Node) -> Block:
    block = Block(kind, labels, node.start, node.end, node.start + 1, json=node)
    for key, value in node.pairs:
        block.attributes[key.text] = Attribute(key.text, value, key.start, value.end)
    for dynamic in (value for key, value in node.pairs if key.text == "dynamic"):
        for holder in dynamic.items or (dynamic,):
            for key, value in holder.pairs:
                for one in value.items or (value,):
                    block.blocks.append(_json_block("dynamic", (key.text,), one))
    return block


def text_of(node: Node) -> str:
    """A node of the syntax tree as it is written."""
    return (node.text or b"").decode("utf-8", "replace")
