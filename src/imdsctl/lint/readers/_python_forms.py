"""Python's tree as forms; Python 2 is understood as far as its grammar is."""

from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span, unescaped

_MOCKS: Final = (
    "responses.", "httpretty", "requests_mock", "mock.patch", "patch(", "patch.object", "respx",
    "aioresponses", "requests_mock.Mocker", "urlmatch", "HTTMock", "vcr.", "aiohttp_mock",
)  # fmt: skip
_MOCK_PARAMS: Final = {
    "requests_mock", "mocked_responses", "responses", "httpx_mock", "respx_mock", "aioresponses",
    "mocker", "mock_get", "mock_requests", "mock_urlopen", "monkeypatch", "httpretty", "m_requests",
}  # fmt: skip


class PythonForms(Lowering):
    """Python's nodes."""

    FORMS: ClassVar = {
        "identifier": "name", "none": "nil", "true": "constant", "false": "constant",
        "integer": "constant", "float": "constant", "string": "literal",
        "concatenated_string": "concatenated", "attribute": "attribute", "subscript": "subscript",
        "call": "call", "dictionary": "dictionary", "list": "items", "tuple": "items",
        "expression_list": "items", "pattern_list": "items", "tuple_pattern": "items",
        "list_pattern": "items", "set": "items", "assignment": "assignment",
        "augmented_assignment": "augmented", "named_expression": "walrus",
        "function_definition": "function", "decorated_definition": "decorated",
        "lambda": "closure", "class_definition": "class_definition", "return_statement": "returned",
        "yield": "returned", "raise_statement": "leaves", "break_statement": "leaves",
        "continue_statement": "leaves", "if_statement": "branches", "for_statement": "loop",
        "while_statement": "while_loop", "try_statement": "tried", "with_statement": "with_block",
        "conditional_expression": "conditional", "boolean_operator": "boolean",
        "binary_operator": "binary", "list_comprehension": "comprehension",
        "set_comprehension": "comprehension", "generator_expression": "comprehension",
        "dictionary_comprehension": "comprehension", "import_statement": "imported",
        "import_from_statement": "imported_from", "block": "statements",
        "as_pattern": "aliased", "interpolation": "interpolated", "type": "nothing",
        "print_statement": "statements", "comparison_operator": "statements",
        "not_operator": "statements", "global_statement": "nothing",
        "nonlocal_statement": "nothing", "ellipsis": "nothing", "match_statement": "matched",
    }  # fmt: skip
    SKIPPED: ClassVar = frozenset({"comment", "line_continuation"})

    def literal(self, node: Node) -> f.Form:
        """A string of any prefix."""
        first = node.children[0] if node.children else node
        raw = "r" in self.text(first).rstrip("'\"").lower()
        parts: list[f.Form] = []
        for child in node.children:
            if child.type == "string_content":
                shown = self.text(child)
                parts.append(f.Text(span(child), shown if raw else unescaped(shown)))
            elif child.type == "interpolation":
                parts.append(self.interpolated(child))
        if len(parts) == 1 and isinstance(parts[0], f.Text):
            return parts[0]
        return f.Joined(span(node), tuple(parts)) if parts else f.Text(span(node), "")

    def interpolated(self, node: Node) -> f.Form:
        """`{expression!r:>3}` in an f-string."""
        return self.named(node, "expression")

    def concatenated(self, node: Node) -> f.Form:
        """Strings beside one another."""
        return f.Joined(span(node), self.block(node))

    def attribute(self, node: Node) -> f.Form:
        """`object.attribute`."""
        return self.member(node, "object", "attribute")

    def subscript(self, node: Node) -> f.Form:
        """`value[subscript]`."""
        return f.Item(span(node), self.named(node, "value"), self.named(node, "subscript"))

    def call(self, node: Node) -> f.Form:
        """A call, with keywords and spreads."""
        args: list[f.Form] = []
        named: list[tuple[str, f.Form]] = []
        arguments = node.child_by_field_name("arguments")
        if arguments is not None and arguments.type == "generator_expression":
            args.append(self.lower(arguments))
        elif arguments is not None:
            for one in self.children(arguments):
                if one.type == "keyword_argument":
                    named.append(
                        (self.text(one.child_by_field_name("name")), self.named(one, "value"))
                    )
                elif one.type == "dictionary_splat":
                    named.append(("", self.lower(one)))
                else:
                    args.append(self.lower(one))
        function = self.named(node, "function")
        if isinstance(function, f.Name) and function.name == "dict":
            entries = ((f.Text(v.at, k) if k else None, v) for k, v in named)
            spread = tuple((None, one) for one in args)
            return f.Table(span(node), (*spread, *entries))
        if isinstance(function, f.Name) and function.name in {"exit", "quit"}:
            return f.Raise(span(node))
        return f.Call(span(node), function, tuple(args), tuple(named))

    def dictionary(self, node: Node) -> f.Form:
        """`{key: value, **more}`."""
        entries: list[tuple[f.Form | None, f.Form]] = []
        for one in self.children(node):
            if one.type == "pair":
                entries.append((self.named(one, "key"), self.named(one, "value")))
            elif one.type == "dictionary_splat":
                entries.append((None, self.lower(one)))
        return f.Table(span(node), tuple(entries))

    def items(self, node: Node) -> f.Form:
        """A list, tuple or set."""
        return f.Items(span(node), self.block(node))

    def assignment(self, node: Node) -> f.Form:
        """`left = right`, annotated or not."""
        value = self.maybe(node, "right")
        if value is None:
            return f.Opaque(span(node))
        return f.Assign(span(node), (self.named(node, "left"),), value)

    def augmented(self, node: Node) -> f.Form:
        """`left += right`, `|=`."""
        adds = self.text(node.child_by_field_name("operator")) in {"+=", "|="}
        target, value = self.named(node, "left"), self.named(node, "right")
        return f.Assign(span(node), (target,), value, adds=adds)

    def walrus(self, node: Node) -> f.Form:
        """`(name := value)`."""
        return f.Assign(span(node), (self.named(node, "name"),), self.named(node, "value"))

    def _params(self, node: Node | None) -> list[f.Param]:
        params: list[f.Param] = []
        for one in self.children(node) if node is not None else ():
            named = one.child_by_field_name("name")
            value = self.maybe(one, "value")
            if one.type == "identifier":
                params.append(f.Param(span(one), self.text(one)))
            elif named is not None:
                params.append(f.Param(span(one), self.text(named), value))
            elif one.type == "typed_parameter" and one.named_children:
                params.append(f.Param(span(one), self.text(one.named_children[0])))
        return params

    def function(self, node: Node, decorators: str = "") -> f.Form:
        """`def`; a method's first parameter is its receiver."""
        name = self.text(node.child_by_field_name("name"))
        params = self._params(node.child_by_field_name("parameters"))
        receiver = "this"
        if params and params[0].name in {"self", "cls"} and "staticmethod" not in decorators:
            receiver = params.pop(0).name
        given = {one.name for one in params}
        mocked = any(mock in decorators for mock in _MOCKS) or (
            bool(given & _MOCK_PARAMS) and name.startswith("test")
        )
        body = self.block(node.child_by_field_name("body"))
        return f.Function(
            span(node), name, tuple(params), body, receiver=receiver, mocked=mocked,
            is_property="property" in decorators,
        )  # fmt: skip

    def decorated(self, node: Node) -> f.Form:
        """A function or class with what is said of it."""
        definition = node.child_by_field_name("definition")
        above = [one for one in node.named_children if one.type == "decorator"]
        decorators = " ".join(self.text(one) for one in above)
        if definition is not None and definition.type == "function_definition":
            return self.function(definition, decorators)
        return self.lower(definition)

    def closure(self, node: Node) -> f.Form:
        """`lambda`."""
        params = self._params(node.child_by_field_name("parameters"))
        return f.Function(span(node), "", tuple(params), (self.named(node, "body"),), yields=True)

    def class_definition(self, node: Node) -> f.Form:
        """`class`."""
        bases = node.child_by_field_name("superclasses")
        return f.Class(
            span(node),
            self.text(node.child_by_field_name("name")),
            tuple(self.lower(one) for one in self.children(bases) if one.type != "keyword_argument")
            if bases is not None
            else (),
            self.block(node.child_by_field_name("body")),
        )

    def returned(self, node: Node) -> f.Form:
        """`return` and `yield`."""
        inner = self.children(node)
        return f.Return(span(node), self.lower(inner[0]) if inner else None)

    def branches(self, node: Node) -> f.Form:
        """`if`, its `elif`s and its `else`."""
        tests = [self.named(node, "condition")]
        arms = [self.block(node.child_by_field_name("consequence"))]
        whole = False
        for one in node.children_by_field_name("alternative"):
            if one.type == "elif_clause":
                tests.append(self.named(one, "condition"))
                arms.append(self.block(one.child_by_field_name("consequence")))
            else:
                whole = True
                arms.append(self.block(one.child_by_field_name("body")))
        return f.Branch(span(node), tuple(tests), tuple(arms), whole)

    def matched(self, node: Node) -> f.Form:
        """`match`: each case is an arm."""
        body = node.child_by_field_name("body") or node
        cases = [one for one in body.named_children if one.type == "case_clause"]
        arms = tuple(self.block(one.child_by_field_name("consequence")) for one in cases)
        return f.Branch(span(node), (self.named(node, "subject"),), arms)

    def loop(self, node: Node) -> f.Form:
        """`for`, with its `else`."""
        body = self.block(node.child_by_field_name("body"))
        more = self.block(node.child_by_field_name("alternative"))
        left, right = self.named(node, "left"), self.named(node, "right")
        return f.Each(span(node), left, right, (*body, *more))

    def while_loop(self, node: Node) -> f.Form:
        """`while`."""
        body = self.block(node.child_by_field_name("body"))
        return f.Block(span(node), (self.named(node, "condition"), *body))

    def comprehension(self, node: Node) -> f.Form:
        """A comprehension: a loop around its body."""
        inner: tuple[f.Form, ...] = (self.named(node, "body"),)
        for one in reversed(self.children(node)):
            if one.type == "for_in_clause":
                left, right = self.named(one, "left"), self.named(one, "right")
                inner = (f.Each(span(node), left, right, inner),)
        return inner[0]

    def tried(self, node: Node) -> f.Form:
        """`try`, with what catches and what comes after."""
        body = self.block(node.child_by_field_name("body"))
        handlers: list[tuple[f.Form, ...]] = []
        final: tuple[f.Form, ...] = ()
        for one in node.named_children:
            inner = next((c for c in reversed(one.named_children) if c.type == "block"), None)
            if one.type in {"except_clause", "except_group_clause"}:
                handlers.append(self.block(inner))
            elif one.type == "else_clause":
                body = (*body, *self.block(inner))
            elif one.type == "finally_clause":
                final = self.block(inner)
        return f.Try(span(node), body, tuple(handlers), final)

    def with_block(self, node: Node) -> f.Form:
        """`with`: what it names, and its block."""
        clause = next((one for one in node.named_children if one.type == "with_clause"), None)
        opened = self.block(clause)
        shown = self.text(clause)
        mocked = any(mock in shown for mock in _MOCKS)
        body = self.block(node.child_by_field_name("body"))
        if "suppress(" in shown:
            return f.Try(span(node), (*opened, *body), ((),))
        return f.Block(span(node), (*opened, *body), mocked=mocked)

    def aliased(self, node: Node) -> f.Form:
        """`value as name`."""
        inner = self.children(node)
        target = node.child_by_field_name("alias")
        if target is None or not inner:
            return self.rest(node)
        return f.Assign(span(node), (self.lower(target),), self.lower(inner[0]))

    def conditional(self, node: Node) -> f.Form:
        """`a if test else b`."""
        inner = self.block(node)
        if not inner:
            return f.Opaque(span(node))
        return f.Block(span(node), (*inner[1:-1], f.Choice(span(node), (inner[0], inner[-1]))))

    def boolean(self, node: Node) -> f.Form:
        """`a or b`; of `a and b` the value is mostly b."""
        left, right = self.named(node, "left"), self.named(node, "right")
        if self.text(node.child_by_field_name("operator")) == "or":
            return f.Choice(span(node), (left, right))
        return f.Block(span(node), (left, right))

    def binary(self, node: Node) -> f.Form:
        """`+` and `%` of strings."""
        if self.text(node.child_by_field_name("operator")) != "%":
            return self.added(node, ("+", "|"))
        right = node.child_by_field_name("right")
        filling = (
            self.block(right)
            if right is not None and right.type == "tuple"
            else (self.lower(right),)
        )
        return f.Formatted(span(node), self.named(node, "left"), filling)

    def imported(self, node: Node) -> f.Form:
        """`import a.b as c`."""
        return f.Block(span(node), tuple(self._imports(node, "")))

    def imported_from(self, node: Node) -> f.Form:
        """`from a import b as c`."""
        module = self.text(node.child_by_field_name("module_name"))
        return f.Block(span(node), tuple(self._imports(node, module + ".")))

    def _imports(self, node: Node, prefix: str) -> list[f.Form]:
        found: list[f.Form] = []
        for one in node.children_by_field_name("name"):
            alias = one.child_by_field_name("alias")
            whole = self.text(one.child_by_field_name("name") if alias is not None else one)
            if alias is not None:
                found.append(f.Import(span(one), self.text(alias), prefix + whole))
            elif prefix:
                found.append(f.Import(span(one), whole, prefix + whole))
            else:
                first = whole.partition(".")[0]
                found.append(f.Import(span(one), first, first))
        return found

    def statements(self, node: Node) -> f.Form:
        """A block, or something of which only the parts count."""
        return f.Opaque(span(node), self.block(node))
