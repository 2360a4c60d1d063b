"""Edits that make a launch V2 only, each as little as it can be and in the style of its place.

They are made where the text alone shows what will come of them: a value that is written out, a map
or a block that stands there. Nothing ever enables an endpoint, or takes an option away.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from imdsctl.lint.facts import Edit
from imdsctl.lint.readers._hcl import Block
from imdsctl.lint.readers._tree import Node
from imdsctl.lint.source import Source

_STEP: Final = 2


def in_place(source: Source, node: Node, value: str | int) -> tuple[Edit, ...]:
    """A scalar of YAML or JSON that is written out, replaced by another."""
    if node.kind != "scalar" or node.tag or node.style in ("|", ">"):
        return ()
    raw = source.text[node.start : node.end]
    quote = node.style if isinstance(value, str) or raw[:1] in "'\"" else ""
    return (Edit(start=node.start, end=node.start + len(raw), text=f"{quote}{value}{quote}"),)


def first_in(
    source: Source, holder: Node, path: Sequence[str], members: Mapping[str, str | int]
) -> tuple[Edit, ...]:
    """New first keys of a map, below the maps that `path` names, which are new, too."""
    if holder.kind != "map" or not holder.pairs:
        return ()
    key = holder.pairs[0][0]
    if holder.style != "{":
        if key.tag or source.text[key.start : key.start + 1] in ("?", "&", "*"):
            return ()
        pad = "\n" + " " * column_of(source, key.start)
        rows = [" " * (_STEP * depth) + f"{name}:" for depth, name in enumerate(path)]
        inner = " " * (_STEP * len(path))
        rows += [f"{inner}{name}: {value}" for name, value in members.items()]
        return (Edit(start=key.start, end=key.start, text=pad.join([*rows, ""])),)
    quoted = key.style == '"'
    gap = source.text[holder.start + 1 : key.start]
    if gap.strip():
        return ()
    text = _pairs(members, quoted=quoted)
    for name in reversed(path):
        text = f"{_key(name, quoted=quoted)}: {{{text}}}"
    return (Edit(start=key.start, end=key.start, text=f"{text},{gap or ' '}"),)


def _pairs(members: Mapping[str, str | int], *, quoted: bool) -> str:
    return ", ".join(
        f"{_key(name, quoted=quoted)}: {json.dumps(value) if quoted else value}"
        for name, value in members.items()
    )


def _key(name: str, *, quoted: bool) -> str:
    return json.dumps(name) if quoted else name


def column_of(source: Source, at: int) -> int:
    """The column (from 0) of a character."""
    return at - (source.text.rfind("\n", 0, at) + 1)


def hcl_block(
    source: Source, holder: Block, name: str, members: dict[str, str | int]
) -> tuple[Edit, ...]:
    """A block put at the end of another, as `terraform fmt` would have it."""
    start, end = source.characters(holder.start), source.characters(holder.end)
    if "\n" not in source.text[start:end] or source.text[end - 1 : end] != "}":
        return ()
    pad = " " * column_of(source, start)
    if source.text[:start].rpartition("\n")[2].strip():
        return ()
    brace = end - 1
    if source.text[:brace].rpartition("\n")[2].strip():
        return ()
    line = source.text.rfind("\n", 0, brace) + 1
    inner = pad + " " * _STEP
    width = max(len(key) for key in members)
    rows = "".join(
        f"{inner}{' ' * _STEP}{key.ljust(width)} = {json.dumps(value)}\n"
        for key, value in members.items()
    )
    return (Edit(start=line, end=line, text=f"\n{inner}{name} {{\n{rows}{inner}}}\n"),)


def hcl_attribute(source: Source, block: Block, name: str, value: str | int) -> tuple[Edit, ...]:
    """An attribute put first into a block, its sign in line with the others'."""
    start, brace, end = (source.characters(at) for at in (block.start, block.brace, block.end))
    if source.text[end - 1 : end] != "}":
        return ()
    pad = " " * (column_of(source, start) + _STEP)
    if not source.text[brace : end - 1].strip():
        text = f"\n{pad}{name} = {json.dumps(value)}\n{pad[_STEP:]}"
        return (Edit(start=brace, end=end - 1, text=text),)
    if not block.attributes or "\n" not in source.text[brace:end]:
        return ()
    width = max(len(key) for key in (name, *block.attributes))
    text = f"\n{pad}{name.ljust(width)} = {json.dumps(value)}"
    return (Edit(start=brace, end=brace, text=text),)


def hcl_value(source: Source, start: int, end: int, value: str | int) -> tuple[Edit, ...]:
    """An expression that is a plain literal, replaced by another; offsets in bytes."""
    first, last = source.characters(start), source.characters(end)
    raw = source.text[first:last]
    plain = (
        raw == "null"
        or raw.isdigit()
        or (len(raw) > 1 and raw[0] == '"' == raw[-1] and not set(raw[1:-1]) & set('"\\$%{'))
    )
    return (Edit(start=first, end=last, text=json.dumps(value)),) if plain else ()
