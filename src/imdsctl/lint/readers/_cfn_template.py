"""A CloudFormation template's values: parameters, conditions, maps and the functions over them.

Functions are followed as far as the template tells: parameters by their defaults, `Fn::If` by its
condition or by both branches, `Fn::FindInMap` by its keys ("Intrinsic function reference",
CloudFormation User Guide).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from imdsctl.lint.readers import _tree
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.readers._unknown import UNKNOWN, Unknown, either
from imdsctl.lint.source import Source

_DEEPEST: Final = 40
_SHORT: Final = frozenset({
    "Ref", "Sub", "GetAtt", "If", "Join", "FindInMap", "Base64", "Equals", "And", "Or", "Not",
    "Condition", "Select", "Split", "ImportValue", "Transform", "GetAZs", "Cidr", "ToJsonString",
    "Length", "ForEach",
})  # fmt: skip


def intrinsic(node: Node) -> tuple[str, Node] | None:
    """A function's short name and its argument; None for any other value."""
    if node.tag.startswith("!") and node.tag[1:] in _SHORT:
        return node.tag[1:], node
    if node.kind == "map" and len(node.pairs) == 1:
        key = node.pairs[0][0].text
        if key in ("Ref", "Condition"):
            return key, node.pairs[0][1]
        if key.startswith("Fn::"):
            return key[4:], node.pairs[0][1]
    return None


class Template:
    """A template's parameters, conditions and maps; `defaulted` is raised by a default taken."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.defaulted = False
        self._container_templates: set[str] | None = None

    def resources(self) -> Iterator[tuple[Node, Node]]:
        """The resources, by the nodes of their names."""
        found = self.root.get("Resources")
        for key, value in found.pairs if found is not None else ():
            if value.kind == "map":
                yield key, value
            elif key.text.startswith("Fn::ForEach::") and len(value.items) == 3:  # noqa: PLR2004
                # A loop: its name, its values, and the resources once for each of them.
                yield from (pair for pair in value.items[2].pairs if pair[1].kind == "map")

    def value(self, node: Node, depth: int = 0) -> Any:
        """A value, as far as the template tells; None for AWS::NoValue."""
        if depth > _DEEPEST:
            return UNKNOWN
        if found := intrinsic(node):
            return self._function(*found, depth + 1)
        if node.kind == "scalar":
            return node.plain
        if node.kind == "list":
            return [self.value(one, depth + 1) for one in node.items]
        return {key.text: self.value(one, depth + 1) for key, one in node.pairs}

    def branches(self, node: Node | None, depth: int = 0) -> list[Node | None]:
        """The nodes that a value may be, by the conditions in front of it."""
        if node is None or depth > _DEEPEST:
            return [None]
        found = intrinsic(node)
        if found is None:
            return [node]
        name, argument = found
        if name == "If" and len(argument.items) == 3:  # noqa: PLR2004 - condition, two branches
            condition = self.condition(argument.items[0].text)
            chosen = (
                argument.items[1:] if condition is None else [argument.items[1 if condition else 2]]
            )
            return [one for branch in chosen for one in self.branches(branch, depth + 1)]
        if name == "Ref" and argument.text == "AWS::NoValue":
            return [None]
        return [node]

    def _function(self, name: str, argument: Node, depth: int) -> Any:
        if name == "Ref":
            return self._reference(argument.text)
        if name == "If" and len(argument.items) == 3:  # noqa: PLR2004 - condition, two branches
            condition = self.condition(argument.items[0].text)
            both = [self.value(one, depth) for one in argument.items[1:]]
            return either(*both) if condition is None else both[0 if condition else 1]
        if name == "Sub" and argument.kind == "scalar":
            return self.substituted(argument.text, strict=True)
        if name == "FindInMap":
            return self._mapped([self.value(one, depth) for one in argument.items])
        if name == "Base64":
            return self.value(argument, depth) if argument.tag in ("", "!Sub", "!Join") else UNKNOWN
        if name == "Join" and len(argument.items) == 2:  # noqa: PLR2004 - delimiter and values
            parts = [self.value(one, depth) for one in argument.items[1].items]
            known = all(isinstance(one, str | int) for one in parts)
            return argument.items[0].text.join(str(one) for one in parts) if known else UNKNOWN
        return UNKNOWN

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        parameter = self.root.at("Parameters", name)
        if parameter is None:
            return Unknown(name)
        self.defaulted = True
        default = parameter.get("Default")
        return default.plain if default is not None else Unknown(name)

    def _mapped(self, keys: list[Any]) -> Any:
        if len(keys) < 3:  # noqa: PLR2004 - a map's name and two keys
            return UNKNOWN
        here = self.root.at("Mappings", str(keys[0]))
        for key in keys[1:3]:
            if here is None:
                return UNKNOWN
            if not isinstance(key, str | int) or here.get(str(key)) is None:
                found = [self.value(one) for one in _leaves(here)] if key is keys[1] else []
                return either(*found) if 0 < len(set(map(str, found))) <= 2 else UNKNOWN  # noqa: PLR2004
            here = here.get(str(key))
        return self.value(here) if here is not None else UNKNOWN

    def substituted(self, text: str, *, strict: bool = False) -> Any:
        """A text of Fn::Sub; what is not known is a word, or makes all unknown if `strict`."""
        unknown = False

        def one(found: re.Match[str]) -> str:
            nonlocal unknown
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            value = self._reference(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value).replace("\n", " ")
            unknown = True
            return re.sub(r"\W", "_", name)

        done = re.sub(r"\$\{([^{}\n]{1,300})\}", one, text)
        return UNKNOWN if strict and unknown else done

    def condition(self, name: str, depth: int = 0) -> bool | None:
        """Whether a condition holds by the parameters' defaults.

        A condition over parameters may come out otherwise for whoever gives others: None.
        """
        node = self.root.at("Conditions", name)
        return self._holds(node, depth + 1) if node is not None else None

    def _holds(self, node: Node, depth: int) -> bool | None:
        found = intrinsic(node)
        if found is None or depth > _DEEPEST:
            return None
        name, argument = found
        if name == "Condition":
            return self.condition(argument.text, depth + 1)
        if name == "Equals" and len(argument.items) == 2:  # noqa: PLR2004 - two sides
            before, self.defaulted = self.defaulted, False
            one, other = (self.value(side, depth) for side in argument.items)
            free, self.defaulted = self.defaulted, before
            known = isinstance(one, str | int) and isinstance(other, str | int)
            return str(one) == str(other) if known and not free else None
        parts = [self._holds(one, depth + 1) for one in argument.items]
        if name == "Not" and parts:
            return None if parts[0] is None else not parts[0]
        if name in ("And", "Or") and parts:
            decisive = name == "Or"
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        return None

    def texts(self, node: Node | None, source: Source, depth: int = 0) -> Iterator[Lines]:
        """A text with its lines, once for each branch of a condition."""
        if node is None or depth > _DEEPEST:
            return
        found = intrinsic(node)
        if found is None:
            if node.kind == "scalar":
                yield _tree.lines_of(source, node)
            return
        name, argument = found
        if name == "Base64" and argument is not node:
            yield from self.texts(argument, source, depth + 1)
        elif name == "Base64":
            yield _tree.lines_of(source, node)
        elif name == "Sub":
            text = argument.items[0] if argument.kind == "list" and argument.items else argument
            lines = _tree.lines_of(source, text)
            yield Lines(str(self.substituted(lines.text)), lines.lines, lines.indent)
        elif name == "Join" and len(argument.items) == 2:  # noqa: PLR2004 - delimiter and values
            yield self._joined(argument, source, depth)
        elif name == "If":
            for branch in argument.items[1:]:
                yield from self.texts(branch, source, depth + 1)

    def _joined(self, argument: Node, source: Source, depth: int) -> Lines:
        sign = argument.items[0].text
        done = Lines("", (source.row(argument.start),))
        for index, one in enumerate(argument.items[1].items):
            row = source.row(one.start)
            if index and sign:
                done += Lines(sign, (row,) * (sign.count("\n") + 1))
            part = next(self.texts(one, source, depth + 1), None)
            if part is None:
                inner = intrinsic(one)
                value = self.value(one)
                known = isinstance(value, str | int) and not isinstance(value, bool)
                word = re.sub(r"\W", "_", inner[1].text) if inner else "x"
                part = Lines(str(value).replace("\n", " ") if known else word or "x", (row,))
            done += part
        return done

    def names(self, node: Node | None) -> set[str]:
        """The resources that a value refers to."""
        if node is None:
            return set()
        found: set[str] = set()
        for one in _tree.walk(node):
            call = intrinsic(one)
            if call and call[0] in ("Ref", "GetAtt"):
                argument = call[1]
                text = argument.items[0].text if argument.items else argument.text
                found.add(text.split(".", 1)[0])
            elif call and call[0] == "Sub":
                found.update(re.findall(r"\$\{(\w+)", call[1].text))
        return found

    def container_templates(self) -> set[str]:
        """Launch templates that node groups, capacity providers and compute environments name."""
        if self._container_templates is None:
            found, groups = set[str](), set[str]()
            for _, resource in self.resources():
                kind = resource.string("Type")
                if kind in ("AWS::EKS::Nodegroup", "AWS::Batch::ComputeEnvironment"):
                    found |= self.names(resource)
                elif kind == "AWS::ECS::CapacityProvider":
                    groups |= self.names(resource)
            for name, resource in self.resources():
                if name.text in groups:
                    found |= self.names(resource)
            self._container_templates = found
        return self._container_templates


def _leaves(node: Node) -> Iterator[Node]:
    for one in _tree.walk(node):
        if one.kind == "scalar":
            yield one
