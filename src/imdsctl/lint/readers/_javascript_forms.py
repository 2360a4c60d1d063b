"""The trees of JavaScript and TypeScript as forms."""

from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span

_PIECES: Final = frozenset({"string_fragment", "escape_sequence", "template_chars"})
_HOLES: Final = frozenset({"template_substitution"})


class JavascriptForms(Lowering):
    """Their nodes."""

    FORMS: ClassVar = {
        "identifier": "name", "this": "name", "undefined": "nil", "null": "nil",
        "true": "constant", "false": "constant", "number": "constant", "string": "literal",
        "template_string": "literal", "shorthand_property_identifier": "name",
        "shorthand_property_identifier_pattern": "name", "property_identifier": "property_name",
        "member_expression": "member_expression", "subscript_expression": "subscript",
        "call_expression": "call", "new_expression": "call", "object": "table", "array": "items",
        "object_pattern": "table", "array_pattern": "items",
        "variable_declarator": "declared", "assignment_expression": "assignment",
        "augmented_assignment_expression": "augmented", "binary_expression": "binary",
        "ternary_expression": "ternary", "arrow_function": "function",
        "function_declaration": "function", "function_expression": "function",
        "generator_function_declaration": "function", "generator_function": "function",
        "function": "function", "method_definition": "function",
        "class_declaration": "class_definition", "class": "class_definition",
        "abstract_class_declaration": "class_definition", "field_definition": "field_of_class",
        "public_field_definition": "field_of_class", "return_statement": "returned",
        "yield_expression": "returned", "throw_statement": "leaves", "break_statement": "leaves",
        "continue_statement": "leaves", "if_statement": "branches", "for_in_statement": "loop",
        "try_statement": "tried", "switch_statement": "switched", "import_statement": "imported",
        "as_expression": "first", "satisfies_expression": "first", "non_null_expression": "first",
        "type_annotation": "nothing", "type_arguments": "nothing", "statement_block": "statements",
        "interface_declaration": "nothing", "type_alias_declaration": "nothing",
        "parenthesized_expression": "first",
    }  # fmt: skip
    SKIPPED: ClassVar = frozenset(
        {"comment", "optional_chain", "type_arguments", "type_annotation"}
    )

    def literal(self, node: Node) -> f.Form:
        """A string or a template."""
        return self.string(node, _PIECES, _HOLES)

    def property_name(self, node: Node) -> f.Form:
        """A key that is written without quotes."""
        return f.Text(span(node), self.text(node))

    def first(self, node: Node) -> f.Form:
        """What the type is said of."""
        inner = self.children(node)
        return self.lower(inner[0]) if inner else f.Opaque(span(node))

    def member_expression(self, node: Node) -> f.Form:
        """`object.property`."""
        return self.member(node, "object", "property")

    def subscript(self, node: Node) -> f.Form:
        """`object[index]`."""
        return f.Item(span(node), self.named(node, "object"), self.named(node, "index"))

    def call(self, node: Node) -> f.Form:
        """A call, `new`, or a tagged template."""
        function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        arguments = node.child_by_field_name("arguments")
        if arguments is not None and arguments.type == "template_string":
            return f.Call(span(node), self.lower(function), (self.lower(arguments),))
        return f.Call(span(node), self.lower(function), self.block(arguments))

    def table(self, node: Node) -> f.Form:
        """An object, or a pattern that takes one apart."""
        entries: list[tuple[f.Form | None, f.Form]] = []
        for one in self.children(node):
            key = one.child_by_field_name("key") or one.child_by_field_name("name")
            if one.type in {"pair", "pair_pattern"}:
                entries.append((self._key(key, node), self.named(one, "value")))
            elif one.type in {"spread_element", "rest_pattern"}:
                entries.append((None, self.lower((self.children(one) or [one])[0])))
            elif one.type == "method_definition":
                entries.append((self._key(key, node), self.function(one)))
            elif one.type == "object_assignment_pattern":
                left = one.child_by_field_name("left")
                entries.append((self._key(left, node), self.lower(left)))
            else:
                entries.append((self._key(one, node), self.lower(one)))
        return f.Table(span(node), tuple(entries))

    def _key(self, key: Node | None, of: Node) -> f.Form:
        if key is not None and key.type == "computed_property_name":
            return self.first(key)
        shown = self.text(key).strip("'\"")
        at = span(key) if key is not None else span(of)
        # In a pattern a key is a member's name, never a variable's value.
        return f.Name(at, shown) if of.type == "object_pattern" else f.Text(at, shown)

    def items(self, node: Node) -> f.Form:
        """An array."""
        return f.Items(span(node), self.block(node))

    def declared(self, node: Node) -> f.Form:
        """`const name = value`."""
        value = node.child_by_field_name("value")
        target = self.named(node, "name")
        if value is None:
            return f.Assign(span(node), (target,), f.Nil(span(node)), declares=True)
        return f.Assign(span(node), (target,), self.lower(value), declares=True)

    def assignment(self, node: Node) -> f.Form:
        """`left = right`."""
        return f.Assign(span(node), (self.named(node, "left"),), self.named(node, "right"))

    def augmented(self, node: Node) -> f.Form:
        """`left += right`."""
        adds = self.text(node.child_by_field_name("operator")) == "+="
        target, value = self.named(node, "left"), self.named(node, "right")
        return f.Assign(span(node), (target,), value, adds=adds)

    def binary(self, node: Node) -> f.Form:
        """`a + b`, `a || b`, `a && b`."""
        operator = self.text(node.child_by_field_name("operator"))
        if operator in {"||", "??", "&&"}:
            left, right = self.named(node, "left"), self.named(node, "right")
            if operator == "&&":
                return f.Block(span(node), (left, right))
            return f.Choice(span(node), (left, right))
        return self.added(node)

    def ternary(self, node: Node) -> f.Form:
        """`test ? a : b`."""
        options = (self.named(node, "consequence"), self.named(node, "alternative"))
        return f.Block(span(node), (self.named(node, "condition"), f.Choice(span(node), options)))

    def function(self, node: Node) -> f.Form:
        """A function of any writing."""
        params: list[f.Param] = []
        single = node.child_by_field_name("parameter")
        if single is not None:
            params.append(f.Param(span(single), self.text(single)))
        many = node.child_by_field_name("parameters")
        params += [self._param(one) for one in self.children(many)] if many is not None else []
        body = node.child_by_field_name("body")
        whole = body is not None and body.type == "statement_block"
        is_property = any(one.type == "get" for one in node.children)
        return f.Function(
            span(node),
            self.text(node.child_by_field_name("name")),
            tuple(params),
            self.block(body) if whole else (self.lower(body),),
            is_property=is_property,
            yields=not whole,
        )

    def _param(self, node: Node) -> f.Param:
        pattern = node.child_by_field_name("pattern") or node.child_by_field_name("left") or node
        default = self.maybe(node, "value") or self.maybe(node, "right")
        if pattern.type == "object_pattern":
            parts: list[tuple[str, str]] = []
            for one in self.children(pattern):
                value = one.child_by_field_name("value") or one.child_by_field_name("left") or one
                key = one.child_by_field_name("key") or value
                parts.append((self.text(key), self.text(value)))
            return f.Param(span(node), "", default, tuple(parts))
        return f.Param(span(node), self.text(pattern), default)

    def class_definition(self, node: Node) -> f.Form:
        """`class`."""
        heritage = [one for one in node.named_children if one.type == "class_heritage"]
        bases = tuple(self.lower(one) for one in heritage)
        name = self.text(node.child_by_field_name("name"))
        return f.Class(span(node), name, bases, self.block(node.child_by_field_name("body")))

    def field_of_class(self, node: Node) -> f.Form:
        """A field with its first value."""
        name = node.child_by_field_name("property") or node.child_by_field_name("name")
        value = self.maybe(node, "value")
        if name is None or value is None:
            return f.Opaque(span(node))
        target = f.Name(span(name), self.text(name).lstrip("#"))
        return f.Assign(span(node), (target,), value, declares=True)

    def returned(self, node: Node) -> f.Form:
        """`return`."""
        inner = self.children(node)
        return f.Return(span(node), self.lower(inner[0]) if inner else None)

    def branches(self, node: Node) -> f.Form:
        """`if`, with `else`."""
        arms = [self._arm(node.child_by_field_name("consequence"))]
        other = node.child_by_field_name("alternative")
        if other is not None:
            arms.append(self.block(other))
        return f.Branch(
            span(node), (self.named(node, "condition"),), tuple(arms), other is not None
        )

    def _arm(self, node: Node | None) -> tuple[f.Form, ...]:
        if node is not None and node.type == "statement_block":
            return self.block(node)
        return (self.lower(node),)

    def loop(self, node: Node) -> f.Form:
        """`for … of`, `for … in`."""
        body = self._arm(node.child_by_field_name("body"))
        return f.Each(span(node), self.named(node, "left"), self.named(node, "right"), body)

    def tried(self, node: Node) -> f.Form:
        """`try`."""
        body = self.block(node.child_by_field_name("body"))
        handler = node.child_by_field_name("handler")
        final = node.child_by_field_name("finalizer")
        handlers = (self.block(handler.child_by_field_name("body")),) if handler is not None else ()
        last = self.block(final.child_by_field_name("body")) if final is not None else ()
        return f.Try(span(node), body, handlers, last)

    def switched(self, node: Node) -> f.Form:
        """`switch`: each case is an arm."""
        body = node.child_by_field_name("body")
        arms = tuple(self.block(one) for one in self.children(body)) if body is not None else ()
        return f.Branch(span(node), (self.named(node, "value"),), arms)

    def imported(self, node: Node) -> f.Form:
        """`import` in all its writings."""
        module = self.text(node.child_by_field_name("source")).strip("'\"`").removeprefix("node:")
        found: list[f.Form] = []
        waiting = list(node.named_children)
        while waiting:
            one = waiting.pop()
            if one.type == "import_specifier":
                name = self.text(one.child_by_field_name("name"))
                alias = self.text(one.child_by_field_name("alias")) or name
                whole = module if name == "default" else f"{module}.{name}"
                found.append(f.Import(span(one), alias, whole))
            elif one.type == "identifier":
                found.append(f.Import(span(one), self.text(one), module))
            elif one.type in {"import_clause", "named_imports", "namespace_import"}:
                waiting += one.named_children
            elif one.type == "import_require_clause":
                name = self.text((one.named_children or [one])[0])
                whole = self.text(one.child_by_field_name("source")).strip("'\"")
                found.append(f.Import(span(one), name, whole.removeprefix("node:")))
        return f.Block(span(node), tuple(found))

    def statements(self, node: Node) -> f.Form:
        """A block."""
        return f.Opaque(span(node), self.block(node))
