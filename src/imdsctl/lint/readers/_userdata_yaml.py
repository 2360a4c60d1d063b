"""YAML of which only some keys matter, with the lines of its values.

libyaml's composer is recursive and ends the process on text that is nested deeply enough; so the
events, which it gives without recursion, are looked at first.
"""

from collections.abc import Iterator
from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_DEEPEST: Final = 60
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(text: str) -> Node | None:
    """The first document of a text as nodes with marks; None where it is empty.

    Raises:
        ValueError: it is no YAML, or nested too deeply.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEEPEST:
                    raise ValueError("nested too deeply")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentEndEvent):
                break
        loader = _Loader(text)
        try:
            loader.check_node()
            return loader.get_node()
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, UnicodeError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Keys and values of a mapping; nothing of anything else."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield key.value, value


def items(node: Node | None) -> list[Node]:
    """Members of a sequence; nothing of anything else."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def scalar(node: Node | None) -> str:
    """The text of a scalar, empty for anything else."""
    return str(node.value) if isinstance(node, ScalarNode) else ""


def first_line(node: Node) -> int:
    """The line (from 1) on which the text of a scalar begins: a block's is behind its header."""
    line = int(node.start_mark.line) + 1
    return line + 1 if isinstance(node, ScalarNode) and node.style in {"|", ">"} else line
