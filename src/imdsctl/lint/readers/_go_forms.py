"""Go's tree as forms; a struct with its methods is a class."""

from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span

_PIECES: Final = frozenset({
    "interpreted_string_literal_content", "raw_string_literal_content", "escape_sequence",
})  # fmt: skip


class GoForms(Lowering):
    """Go's nodes."""

    FORMS: ClassVar = {
        "identifier": "name", "package_identifier": "name", "type_identifier": "name",
        "field_identifier": "name", "nil": "nil", "true": "constant", "false": "constant",
        "int_literal": "constant", "float_literal": "constant",
        "interpreted_string_literal": "literal", "raw_string_literal": "raw_literal",
        "selector_expression": "selector", "index_expression": "index", "call_expression": "call",
        "composite_literal": "composite", "binary_expression": "binary",
        "short_var_declaration": "declared", "assignment_statement": "assignment",
        "const_spec": "specified", "var_spec": "specified", "function_declaration": "function",
        "func_literal": "function", "return_statement": "returned", "if_statement": "branches",
        "for_statement": "loop", "expression_switch_statement": "switched",
        "type_switch_statement": "switched", "select_statement": "switched",
        "import_spec": "imported", "block": "statements", "statement_list": "statements",
        "expression_list": "items", "break_statement": "leaves", "continue_statement": "leaves",
        "type_declaration": "nothing", "package_clause": "nothing", "qualified_type": "nothing",
        "type_conversion_expression": "converted", "type_assertion_expression": "converted",
        "slice_expression": "converted",
    }  # fmt: skip

    def program(self, root: Node) -> tuple[f.Form, ...]:
        """All of a file: imports and values, each struct with its methods, functions."""
        forms: list[f.Form] = []
        methods: dict[str, list[f.Form]] = {}
        structs: dict[str, f.Span] = {}
        for node in self.children(root):
            if node.type == "method_declaration":
                receiver = node.child_by_field_name("receiver")
                name, of = self._receiver(receiver)
                methods.setdefault(of, []).append(self.function(node, receiver=name))
                structs.setdefault(of, span(node))
            elif node.type == "type_declaration":
                for one in self.children(node):
                    structs[self.text(one.child_by_field_name("name"))] = span(one)
            else:
                forms.append(self.lower(node))
        classes = [
            f.Class(at, name, (), tuple(methods.get(name, ()))) for name, at in structs.items()
        ]
        return (*classes, *forms)

    def _receiver(self, node: Node | None) -> tuple[str, str]:
        declared = (self.children(node) or [node])[0] if node is not None else None
        if declared is None:
            return "this", ""
        name = self.text(declared.child_by_field_name("name")) or "this"
        kind = self.text(declared.child_by_field_name("type")).lstrip("*").partition("[")[0]
        return name, kind

    def literal(self, node: Node) -> f.Form:
        """A string in quotes."""
        return self.string(node, _PIECES, frozenset())

    def raw_literal(self, node: Node) -> f.Form:
        """A string in backticks."""
        return self.string(node, _PIECES, frozenset(), raw=True)

    def selector(self, node: Node) -> f.Form:
        """`operand.field`."""
        return self.member(node, "operand", "field")

    def index(self, node: Node) -> f.Form:
        """`operand[index]`."""
        return f.Item(span(node), self.named(node, "operand"), self.named(node, "index"))

    def converted(self, node: Node) -> f.Form:
        """A conversion or a slice: what it is of."""
        return self.named(node, "operand")

    def call(self, node: Node) -> f.Form:
        """A call."""
        args = self.block(node.child_by_field_name("arguments"))
        return f.Call(span(node), self.named(node, "function"), args)

    def composite(self, node: Node) -> f.Form:
        """A map, a slice or a struct with its values."""
        kind = node.child_by_field_name("type")
        body = node.child_by_field_name("body")
        entries: list[tuple[Node, f.Form]] = []
        items: list[f.Form] = []
        for one in self.children(body) if body is not None else ():
            key = one.child_by_field_name("key")
            if one.type == "keyed_element" and key is not None:
                entries.append((key, self.named(one, "value")))
            else:
                items.append(self.lower(one))
        written = self.text(kind)
        if kind is not None and (kind.type == "map_type" or written == "http.Header"):
            return f.Table(span(node), tuple((self.lower(key), value) for key, value in entries))
        if kind is not None and kind.type in {
            "slice_type",
            "array_type",
            "implicit_length_array_type",
        }:
            return f.Items(span(node), tuple(items))
        if kind is None or kind.type not in {"type_identifier", "qualified_type", "generic_type"}:
            return f.Items(span(node), (*items, *(value for _, value in entries)))
        named = tuple((self.text(key), value) for key, value in entries)
        return f.Call(span(node), self._type(kind), tuple(items), named)

    def _type(self, kind: Node) -> f.Form:
        self.mentioned.add(self.text(kind))
        package = self.text(kind.child_by_field_name("package"))
        if package:
            name = self.text(kind.child_by_field_name("name"))
            return f.Member(span(kind), f.Name(span(kind), package), name)
        return f.Name(span(kind), self.text(kind))

    def binary(self, node: Node) -> f.Form:
        """`+` of strings."""
        return self.added(node)

    def items(self, node: Node) -> f.Form:
        """Several values; one is itself."""
        parts = self.block(node)
        return parts[0] if len(parts) == 1 else f.Items(span(node), parts)

    def _targets(self, node: Node, name: str) -> tuple[f.Form, ...]:
        left = node.child_by_field_name(name)
        return self.block(left) if left is not None else ()

    def declared(self, node: Node) -> f.Form:
        """`a, err := …`."""
        targets = self._targets(node, "left")
        return f.Assign(span(node), targets, self.named(node, "right"), declares=True)

    def assignment(self, node: Node) -> f.Form:
        """`a, err = …`, `a += …`."""
        adds = self.text(node.child_by_field_name("operator")) == "+="
        targets = self._targets(node, "left")
        return f.Assign(span(node), targets, self.named(node, "right"), adds=adds)

    def specified(self, node: Node) -> f.Form:
        """`const a, b = …`, `var c http.Client`."""
        names = [one for one in node.children_by_field_name("name") if one.is_named]
        targets = tuple(f.Name(span(one), self.text(one)) for one in names)
        value = node.child_by_field_name("value")
        kind = node.child_by_field_name("type")
        if value is not None:
            return f.Assign(span(node), targets, self.lower(value), declares=True)
        if kind is not None and kind.type in {"qualified_type", "type_identifier"} and targets:
            made = f.Call(span(node), self._type(kind))
            return f.Assign(span(node), targets[:1], made, declares=True)
        return f.Assign(span(node), targets, f.Nil(span(node)), declares=True)

    def function(self, node: Node, receiver: str = "this") -> f.Form:
        """A function, method or closure."""
        params: list[f.Param] = []
        many = node.child_by_field_name("parameters")
        for one in self.children(many) if many is not None else ():
            names = [n for n in one.children_by_field_name("name") if n.is_named]
            params += [f.Param(span(n), self.text(n)) for n in names]
        name = self.text(node.child_by_field_name("name"))
        body = self.block(node.child_by_field_name("body"))
        return f.Function(span(node), name, tuple(params), body, receiver=receiver)

    def returned(self, node: Node) -> f.Form:
        """`return value, err`: the value."""
        values = [one for child in self.children(node) for one in self.children(child) or [child]]
        if len(self.children(node)) == 1 and self.children(node)[0].type != "expression_list":
            return f.Return(span(node), self.lower(self.children(node)[0]))
        forms = tuple(self.lower(one) for one in values)
        if not forms:
            return f.Return(span(node))
        return f.Return(span(node), forms[0] if len(forms) == 1 else f.Items(span(node), forms))

    def branches(self, node: Node) -> f.Form:
        """`if a := …; test { } else { }`."""
        before = self.maybe(node, "initializer")
        arms = [self.block(node.child_by_field_name("consequence"))]
        other = node.child_by_field_name("alternative")
        if other is not None:
            arms.append((self.lower(other),))
        test = self.named(node, "condition")
        branch = f.Branch(span(node), (test,), tuple(arms), other is not None)
        return f.Block(span(node), (before, branch)) if before else branch

    def loop(self, node: Node) -> f.Form:
        """`for` of any kind."""
        body = self.block(node.child_by_field_name("body"))
        clause = next((one for one in node.named_children if one.type == "range_clause"), None)
        if clause is None:
            heads = [one for one in self.children(node) if one.type != "block"]
            return f.Block(span(node), (*(self.lower(one) for one in heads), *body))
        targets = self._targets(clause, "left")
        target = targets[-1] if targets else None
        return f.Each(span(node), target, self.named(clause, "right"), body)

    def switched(self, node: Node) -> f.Form:
        """`switch`, `select`: each case is an arm."""
        cases = [one for one in self.children(node) if one.type.endswith(("_case", "_clause"))]
        return f.Branch(
            span(node), (self.named(node, "value"),), tuple(self.block(one) for one in cases)
        )

    def imported(self, node: Node) -> f.Form:
        """`import name "path"`."""
        path = self.text(node.child_by_field_name("path")).strip('"`')
        whole = next(
            (p for p in reversed(path.split("/")) if not p.startswith("v") or not p[1:].isdigit()),
            path,
        )
        name = self.text(node.child_by_field_name("name")) or whole.rpartition("go-")[2] or whole
        return f.Import(span(node), name, whole)

    def statements(self, node: Node) -> f.Form:
        """A block."""
        return f.Opaque(span(node), self.block(node))
