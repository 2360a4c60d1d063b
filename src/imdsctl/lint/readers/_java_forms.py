"""Java's tree as forms."""

from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span

_PIECES: Final = frozenset({"string_fragment", "escape_sequence", "multiline_string_fragment"})
_INJECTED: Final = {
    "RestTemplate", "HttpClient", "OkHttpClient", "CloseableHttpClient", "WebClient", "RestClient",
}  # fmt: skip
"""Clients that mostly come by a field or parameter alone; its type tells what it is."""


class JavaForms(Lowering):
    """Java's nodes."""

    FORMS: ClassVar = {
        "identifier": "name", "this": "name", "type_identifier": "name", "null_literal": "nil",
        "true": "constant", "false": "constant", "decimal_integer_literal": "constant",
        "string_literal": "literal", "field_access": "access", "array_access": "index",
        "method_invocation": "call", "object_creation_expression": "created",
        "array_initializer": "items", "array_creation_expression": "created_array",
        "local_variable_declaration": "declared", "field_declaration": "declared",
        "assignment_expression": "assignment", "binary_expression": "binary",
        "ternary_expression": "ternary", "cast_expression": "cast", "lambda_expression": "closure",
        "class_declaration": "class_definition", "record_declaration": "class_definition",
        "enum_declaration": "class_definition", "interface_declaration": "class_definition",
        "method_declaration": "function", "constructor_declaration": "function",
        "return_statement": "returned", "yield_statement": "returned", "throw_statement": "leaves",
        "break_statement": "leaves", "continue_statement": "leaves", "if_statement": "branches",
        "enhanced_for_statement": "loop", "try_statement": "tried",
        "try_with_resources_statement": "tried", "resource": "resource", "switch_block": "switched",
        "block": "statements", "constructor_body": "statements", "import_declaration": "nothing",
        "package_declaration": "nothing", "annotation": "nothing", "marker_annotation": "nothing",
        "modifiers": "nothing", "scoped_identifier": "scoped",
        "explicit_constructor_invocation": "nothing",
    }  # fmt: skip
    SKIPPED: ClassVar = frozenset({
        "comment", "line_comment", "block_comment", "modifiers", "type_arguments", "dimensions",
    })  # fmt: skip

    def literal(self, node: Node) -> f.Form:
        """A string or a text block; the indentation of the block stays."""
        return self.string(node, _PIECES, frozenset())

    def access(self, node: Node) -> f.Form:
        """`object.field`."""
        return self.member(node, "object", "field")

    def scoped(self, node: Node) -> f.Form:
        """A name with its package: the name."""
        return self.member(node, "scope", "name")

    def index(self, node: Node) -> f.Form:
        """`array[index]`."""
        return f.Item(span(node), self.named(node, "array"), self.named(node, "index"))

    def call(self, node: Node) -> f.Form:
        """A call, with or without its object."""
        args = self.block(node.child_by_field_name("arguments"))
        name = self.text(node.child_by_field_name("name"))
        self.mentioned.add(name)
        of = node.child_by_field_name("object")
        if of is None:
            return f.Call(span(node), f.Name(span(node), name), args)
        if self.text(node).startswith("System.exit"):
            return f.Raise(span(node))
        return f.Call(span(node), f.Member(span(node), self.lower(of), name), args)

    def type_name(self, node: Node | None) -> str:
        """A type's name without package and parameters: `HttpGet`, `Request.Builder`."""
        written = self.text(node).partition("<")[0].strip()
        parts = [one.strip() for one in written.split(".")]
        return ".".join(one for one in parts if one[:1].isupper()) or written

    def created(self, node: Node) -> f.Form:
        """`new Type(…)`, and what an anonymous class says."""
        args = self.block(node.child_by_field_name("arguments"))
        name = self.type_name(node.child_by_field_name("type"))
        self.mentioned.add(name)
        made = f.Call(span(node), f.Name(span(node), name), args)
        inner = next((one for one in node.named_children if one.type == "class_body"), None)
        if inner is None:
            return made
        return f.Block(span(node), (f.Class(span(inner), "", (), self.block(inner)), made))

    def items(self, node: Node) -> f.Form:
        """`{a, b}`."""
        return f.Items(span(node), self.block(node))

    def created_array(self, node: Node) -> f.Form:
        """`new String[] {a, b}`."""
        return self.named(node, "value")

    def declared(self, node: Node) -> f.Form:
        """Variables or fields; one without a value is what its type says."""
        kind = self.type_name(node.child_by_field_name("type"))
        found: list[f.Form] = []
        for one in node.children_by_field_name("declarator"):
            name = one.child_by_field_name("name") or one
            target = f.Name(span(name), self.text(name))
            value = self.maybe(one, "value") or self._injected(kind, name)
            value = value or f.Opaque(span(one))
            found.append(f.Assign(span(one), (target,), value, declares=True))
        return found[0] if len(found) == 1 else f.Block(span(node), tuple(found))

    def _injected(self, kind: str, node: Node) -> f.Form | None:
        return f.Call(span(node), f.Name(span(node), kind)) if kind in _INJECTED else None

    def resource(self, node: Node) -> f.Form:
        """What a `try` opens."""
        name = node.child_by_field_name("name")
        if name is None:
            return f.Opaque(span(node), self.block(node))
        target = f.Name(span(name), self.text(name))
        return f.Assign(span(node), (target,), self.named(node, "value"), declares=True)

    def assignment(self, node: Node) -> f.Form:
        """`left = right`, `left += right`."""
        adds = self.text(node.child_by_field_name("operator")) == "+="
        target, value = self.named(node, "left"), self.named(node, "right")
        return f.Assign(span(node), (target,), value, adds=adds)

    def binary(self, node: Node) -> f.Form:
        """`+` of strings."""
        return self.added(node)

    def ternary(self, node: Node) -> f.Form:
        """`test ? a : b`."""
        options = (self.named(node, "consequence"), self.named(node, "alternative"))
        return f.Block(span(node), (self.named(node, "condition"), f.Choice(span(node), options)))

    def cast(self, node: Node) -> f.Form:
        """`(Type) value`."""
        return self.named(node, "value")

    def closure(self, node: Node) -> f.Form:
        """`a -> …`."""
        params: list[f.Param] = []
        given = node.child_by_field_name("parameters")
        if given is not None and given.type == "identifier":
            params.append(f.Param(span(given), self.text(given)))
        elif given is not None:
            params += [self._param(one) for one in self.children(given)]
        body = node.child_by_field_name("body")
        whole = body is not None and body.type == "block"
        forms = self.block(body) if whole else (self.lower(body),)
        return f.Function(span(node), "", tuple(params), forms, yields=not whole)

    def _param(self, node: Node) -> f.Param:
        name = node.child_by_field_name("name")
        if name is None:
            inner = [one for one in node.named_children if one.type == "variable_declarator"]
            name = inner[0] if inner else node
        kind = self.type_name(node.child_by_field_name("type"))
        return f.Param(span(node), self.text(name), self._injected(kind, name))

    def class_definition(self, node: Node) -> f.Form:
        """A class, its fields first."""
        body = node.child_by_field_name("body")
        above = node.child_by_field_name("superclass")
        bases = tuple(self.lower(one) for one in self.children(above)) if above is not None else ()
        name = self.text(node.child_by_field_name("name"))
        inner = self.children(body) if body is not None else []
        inner = [
            m
            for one in inner
            for m in (self.children(one) if one.type == "enum_body_declarations" else [one])
        ]
        fields = [one for one in inner if one.type == "field_declaration"]
        rest = [one for one in inner if one.type != "field_declaration"]
        # A field may use a method that stands after it.
        functions = [one for one in rest if one.type == "method_declaration"]
        others = [one for one in rest if one.type != "method_declaration"]
        ordered = tuple(self.lower(one) for one in (*functions, *fields, *others))
        return f.Class(span(node), name, bases, ordered)

    def function(self, node: Node) -> f.Form:
        """A method or constructor."""
        many = node.child_by_field_name("parameters")
        params = tuple(self._param(one) for one in self.children(many)) if many is not None else ()
        name = self.text(node.child_by_field_name("name"))
        return f.Function(span(node), name, params, self.block(node.child_by_field_name("body")))

    def returned(self, node: Node) -> f.Form:
        """`return`."""
        inner = self.children(node)
        return f.Return(span(node), self.lower(inner[0]) if inner else None)

    def branches(self, node: Node) -> f.Form:
        """`if`, with `else`."""
        arms = [(self.named(node, "consequence"),)]
        other = node.child_by_field_name("alternative")
        if other is not None:
            arms.append((self.lower(other),))
        return f.Branch(
            span(node), (self.named(node, "condition"),), tuple(arms), other is not None
        )

    def loop(self, node: Node) -> f.Form:
        """`for (Type name : items)`."""
        name = node.child_by_field_name("name")
        target = f.Name(span(node), self.text(name))
        return f.Each(span(node), target, self.named(node, "value"), (self.named(node, "body"),))

    def tried(self, node: Node) -> f.Form:
        """`try`, with what it opens."""
        opened = self.block(node.child_by_field_name("resources"))
        body = (*opened, *self.block(node.child_by_field_name("body")))
        handlers: list[tuple[f.Form, ...]] = []
        final: tuple[f.Form, ...] = ()
        for one in node.named_children:
            if one.type == "catch_clause":
                handlers.append(self.block(one.child_by_field_name("body")))
            elif one.type == "finally_clause":
                final = self.block(one)
        return f.Try(span(node), body, tuple(handlers), final)

    def switched(self, node: Node) -> f.Form:
        """The cases of a `switch`: each is an arm."""
        return f.Branch(span(node), (), tuple(self.block(one) for one in self.children(node)))

    def statements(self, node: Node) -> f.Form:
        """A block."""
        return f.Opaque(span(node), self.block(node))
