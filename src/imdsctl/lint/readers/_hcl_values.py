"""The values of HCL's expressions, as far as the text tells.

Nothing is run: what only a run would tell is `Unknown`, what a condition decides is `Either`.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from tree_sitter import Node

from imdsctl.lint.readers import _tree
from imdsctl.lint.readers._hcl import Expression, body, parse, text_of
from imdsctl.lint.readers._hcl_text import heredoc, placeholder, template_pieces, unquoted
from imdsctl.lint.readers._unknown import UNKNOWN, Either, Unknown, either, into, small

_DEEPEST: Final = 60
_LARGEST: Final = 2**20
"""Characters of a text that is put together."""


@lru_cache(maxsize=4096)
def _snippet(expression: str) -> Expression | None:
    """The text of an expression as one, None for what is none."""
    root = parse(b"x = " + expression.encode("utf-8", "replace")).root_node
    attribute = body(root).attributes.get("x")
    return None if attribute is None or root.has_error else attribute.value


Lookup = Callable[[str, tuple[Any, ...]], Any]
"""What a name with its first steps means (`var`, `("x",)`), `Unknown` where nobody knows."""


class Values:
    """The values of expressions.

    Args:
        lookup: what the names in them mean.
        read: the text of a file by its path and the function that reads it (`file`,
            `templatefile`, `filebase64`), None where it cannot be read.
        names: names that are bound here (`each`, a dynamic block's iterator).
    """

    def __init__(
        self,
        lookup: Lookup,
        read: Callable[[str, str], str | None] = lambda _name, _function: None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        self.lookup, self.read, self.names = lookup, read, names or {}

    def bound(self, names: Mapping[str, Any]) -> "Values":
        """The same with more names bound."""
        return Values(self.lookup, self.read, {**self.names, **names})

    def of(self, expression: Expression, depth: int = 0) -> Any:
        """Text, number, truth, None, list, dict, `Either` or `Unknown`."""
        if depth > _DEEPEST:
            return UNKNOWN
        if isinstance(expression, _tree.Node):
            return self._of_json(expression, depth)
        handler = _HANDLERS.get(expression.type)
        return handler(self, expression, depth + 1) if handler else UNKNOWN

    def _of_json(self, node: _tree.Node, depth: int) -> Any:
        if node.kind == "map":
            return {key.text: self.of(value, depth + 1) for key, value in node.pairs}
        if node.kind == "list":
            return [self.of(value, depth + 1) for value in node.items]
        if node.style and ("${" in node.text or "%{" in node.text):
            return self.template(node.text, depth + 1)
        return node.plain

    def template(self, text: str, depth: int = 0) -> Any:
        """The value of a template's text; that of the expression if it is nothing else."""
        pieces = list(template_pieces(text))
        if len(pieces) == 1 and pieces[0][0] == "${":
            return self.snippet(pieces[0][1], depth)
        parts, size = [], 0
        for mark, piece in pieces:
            value = piece if not mark else self.snippet(piece, depth) if mark == "${" else UNKNOWN
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                return UNKNOWN
            parts.append(str(value))
            size += len(parts[-1])
            if size > _LARGEST:
                return UNKNOWN
        return "".join(parts)

    def snippet(self, expression: str, depth: int = 0) -> Any:
        """The value of the text of an expression."""
        if depth > _DEEPEST:
            return UNKNOWN
        parsed = _snippet(expression)
        return UNKNOWN if parsed is None else self.of(parsed, depth + 1)

    def rendered(self, text: str, names: Mapping[str, Any] | None = None) -> str:
        """A template with what is known put in, what is not as a word, line for line."""
        scope = self.bound(names) if names else self
        out = ""
        for mark, piece in template_pieces(text):
            if not mark:
                out += piece
                continue
            value = scope.snippet(piece) if mark == "${" else ""
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                value = placeholder(piece)
            out += str(value).replace("\n", " ") + "\n" * piece.count("\n")
        return out

    def _expression(self, node: Node, depth: int) -> Any:
        children = [child for child in node.children if child.type != "comment"]
        if children and children[0].type == "variable_expr":
            return self._traversal(children, depth)
        if not children:
            return UNKNOWN
        if children[0].type == "(":
            return self.of(children[1], depth) if len(children) == 3 else UNKNOWN  # noqa: PLR2004
        value = self.of(children[0], depth)
        return self._steps(value, children[1:], depth)

    def _traversal(self, children: list[Node], depth: int) -> Any:
        name = text_of(children[0])
        steps: list[Any] = []
        for child in children[1:]:
            step = self._step(child, depth)
            if step is UNKNOWN:
                break
            steps.append(step)
        if name in self.names:
            return into(self.names[name], steps)
        value = self.lookup(name, tuple(steps))
        if len(steps) < len(children) - 1:
            return UNKNOWN
        return value

    def _step(self, node: Node, depth: int) -> Any:
        if node.type == "get_attr":
            return text_of(node.named_children[-1]) if node.named_children else UNKNOWN
        if node.type == "index":
            for inner in node.named_children:
                for child in inner.named_children:
                    if child.type == "expression":
                        found = self.of(child, depth)
                        return found if isinstance(found, str | int) else UNKNOWN
        return UNKNOWN

    def _steps(self, value: Any, nodes: list[Node], depth: int) -> Any:
        steps = [self._step(node, depth) for node in nodes]
        return UNKNOWN if UNKNOWN in steps else into(value, steps)

    def _literal(self, node: Node, depth: int) -> Any:
        child = node.named_children[0] if node.named_children else None
        text = text_of(node)
        if child is None or child.type == "bool_lit":
            return {"true": True, "false": False}.get(text, UNKNOWN)
        if child.type == "null_lit":
            return None
        if child.type == "numeric_lit":
            return _number(text)
        return unquoted(text)

    def _quoted(self, node: Node, depth: int) -> Any:
        inner = node.named_children[0] if node.named_children else None
        if inner is None:
            return UNKNOWN
        if inner.type == "heredoc_template":
            return self.template(heredoc(text_of(inner))[0], depth)
        return self.template(unquoted(text_of(inner)), depth)

    def _collection(self, node: Node, depth: int) -> Any:
        holder = node.named_children[0] if node.named_children else None
        if holder is None:
            return UNKNOWN
        if holder.type == "tuple":
            return [
                self.of(one, depth) for one in holder.named_children if one.type == "expression"
            ]
        found: dict[str, Any] = {}
        for element in holder.named_children:
            parts = [one for one in element.named_children if one.type == "expression"]
            if element.type == "object_elem" and len(parts) == 2:  # noqa: PLR2004 - key and value
                key = text_of(parts[0]).strip('"() ')
                found[key] = self.of(parts[1], depth)
        return found

    def _conditional(self, node: Node, depth: int) -> Any:
        parts = [one for one in node.named_children if one.type == "expression"]
        if len(parts) != 3:  # noqa: PLR2004 - condition and two branches
            return UNKNOWN
        condition = self.of(parts[0], depth)
        if isinstance(condition, bool):
            return self.of(parts[1] if condition else parts[2], depth)
        return either(self.of(parts[1], depth), self.of(parts[2], depth))

    def _operation(self, node: Node, depth: int) -> Any:
        inner = node.named_children[0] if node.named_children else None
        if inner is None:
            return UNKNOWN
        # The grammar lays an operand's parts (a name and its steps) flat beside the sign.
        at = next((n for n, child in enumerate(inner.children) if not child.is_named), None)
        if at is None:
            return UNKNOWN
        sign = inner.children[at].type
        sides = [
            self._operand(side, depth) for side in (inner.children[:at], inner.children[at + 1 :])
        ]
        if inner.type == "unary_operation":
            value = sides[1]
            if sign == "!" and isinstance(value, bool):
                return not value
            return -value if sign == "-" and type(value) is int else UNKNOWN
        if sign not in _SIGNS or any(isinstance(side, Unknown | Either) for side in sides):
            return UNKNOWN
        if not small(sides):
            return UNKNOWN
        return _SIGNS[sign](*sides)

    def _operand(self, children: list[Node], depth: int) -> Any:
        if not children:
            return UNKNOWN
        if children[0].type == "variable_expr":
            return self._traversal(children, depth)
        if children[0].type in ("binary_operation", "unary_operation"):
            return UNKNOWN
        return self._steps(self.of(children[0], depth), children[1:], depth)

    def _call(self, node: Node, depth: int) -> Any:
        name = text_of(node.named_children[0]) if node.named_children else ""
        given: list[Any] = []
        for child in node.named_children[1:]:
            if child.type == "function_arguments":
                given = [
                    self.of(one, depth) for one in child.named_children if one.type == "expression"
                ]
        return self._called(name, given)

    def _called(self, name: str, given: list[Any]) -> Any:
        if name in ("file", "templatefile", "filebase64") and given and isinstance(given[0], str):
            text = self.read(given[0], name)
            return UNKNOWN if text is None else text
        function = _FUNCTIONS.get(name)
        if function is None or not given or not small(given):
            return UNKNOWN
        try:
            return function(given)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            return UNKNOWN


_HANDLERS: Final[dict[str, Callable[[Values, Node, int], Any]]] = {
    "expression": Values._expression,  # noqa: SLF001 - the class's own table
    "literal_value": Values._literal,  # noqa: SLF001
    "template_expr": Values._quoted,  # noqa: SLF001
    "collection_value": Values._collection,  # noqa: SLF001
    "conditional": Values._conditional,  # noqa: SLF001
    "operation": Values._operation,  # noqa: SLF001
    "function_call": Values._call,  # noqa: SLF001
}
_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "&&": lambda a, b: a and b,
    "||": lambda a, b: a or b,
}


def _merge(given: list[Any]) -> Any:
    if not all(isinstance(one, dict) for one in given):
        return UNKNOWN
    return {key: value for one in given for key, value in one.items()}


def _first(given: list[Any]) -> Any:
    """Of coalesce() and try(): the first that is there."""
    for one in given:
        if isinstance(one, Unknown):
            return UNKNOWN
        if one not in (None, ""):
            return one
    return None


def _known(function: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def called(given: list[Any]) -> Any:
        return (
            UNKNOWN if any(isinstance(one, Unknown | Either) for one in given) else function(*given)
        )

    return called


_FUNCTIONS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "merge": _merge,
    "coalesce": _first,
    "try": _first,
    "lookup": lambda given: UNKNOWN if isinstance(given[0], Unknown) else given[0].get(*given[1:3]),
    "tostring": _known(lambda one: str(one).lower() if isinstance(one, bool) else str(one)),
    "tonumber": _known(int),
    "tobool": _known(
        lambda one: one if isinstance(one, bool) else {"true": True, "false": False}[one]
    ),
    "toset": lambda given: given[0],
    "tolist": lambda given: given[0],
    "tomap": lambda given: given[0],
    "nonsensitive": lambda given: given[0],
    "sensitive": lambda given: given[0],
    "lower": _known(str.lower),
    "upper": _known(str.upper),
    "trimspace": _known(str.strip),
    "chomp": _known(lambda one: one.rstrip("\r\n")),
    "join": _known(lambda sign, many: sign.join(str(one) for one in many)),
    "concat": _known(lambda *many: [one for part in many for one in part]),
    "length": _known(len),
    "contains": _known(lambda many, one: one in many),
    "jsonencode": lambda given: json.dumps(given[0], default=lambda _: "unknown"),
    "base64encode": _known(lambda one: base64.b64encode(one.encode()).decode()),
}


def _number(text: str) -> int | float | Unknown:
    try:
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else float(text)
    except ValueError:
        return UNKNOWN


def type_defaults(expression: Expression) -> Any:
    """What `optional(type, default)` in a variable's type gives, as a value; None where nothing."""
    node: Any = expression
    while isinstance(node, Node) and node.type == "expression" and len(node.named_children) == 1:
        node = node.named_children[0]
    if not isinstance(node, Node) or node.type != "function_call":
        return None
    name = text_of(node.named_children[0])
    given = [one for child in node.named_children[1:] for one in _expressions(child)]
    if name == "optional" and len(given) > 1:
        value = Values(lambda _name, _steps: UNKNOWN).of(given[1])
        inner = type_defaults(given[0])
        both = isinstance(value, dict) and isinstance(inner, dict)
        return {**inner, **value} if both else value
    if name != "object" or not given:
        return None
    found: dict[str, Any] = {}
    for holder in given[0].named_children:
        for element in (one for objects in holder.named_children for one in objects.named_children):
            parts = _expressions(element)
            if len(parts) == 2 and (value := type_defaults(parts[1])) is not None:  # noqa: PLR2004
                found[text_of(parts[0]).strip('"')] = value
    return found or None


def _expressions(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type == "expression"]
