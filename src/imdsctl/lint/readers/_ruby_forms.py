"""Ruby's tree as forms; modules are classes, blocks share the variables around them."""

from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span

_PIECES: Final = frozenset({"string_content", "escape_sequence", "heredoc_content"})
_HOLES: Final = frozenset({"interpolation"})


class RubyForms(Lowering):
    """Ruby's nodes."""

    FORMS: ClassVar = {
        "identifier": "name", "constant": "name", "self": "name", "global_variable": "name",
        "instance_variable": "variable_of_object", "class_variable": "variable_of_object",
        "nil": "nil", "true": "constant", "false": "constant", "integer": "constant",
        "float": "constant", "string": "literal", "chained_string": "chained",
        "simple_symbol": "symbol", "hash_key_symbol": "symbol", "delimited_symbol": "literal",
        "subshell": "subshell", "heredoc_beginning": "heredoc", "heredoc_body": "nothing",
        "scope_resolution": "scoped", "element_reference": "index", "call": "call", "hash": "table",
        "array": "items", "string_array": "items", "bare_string": "literal",
        "right_assignment_list": "items", "left_assignment_list": "items",
        "assignment": "assignment", "operator_assignment": "augmented", "binary": "binary",
        "conditional": "ternary", "block": "closure", "do_block": "closure", "lambda": "closure",
        "method": "method", "singleton_method": "method", "class": "class_definition",
        "module": "class_definition", "singleton_class": "statements", "return": "returned",
        "next": "returned", "break": "leaves", "retry": "leaves", "if": "branches",
        "unless": "branches", "elsif": "branches", "if_modifier": "modified",
        "unless_modifier": "modified", "while_modifier": "statements", "case": "switched",
        "for": "loop", "begin": "begun", "rescue_modifier": "rescued", "body_statement": "begun",
        "then": "statements", "else": "statements", "block_body": "statements",
        "block_argument": "nothing", "parenthesized_statements": "statements",
    }  # fmt: skip

    def __init__(self, source: object) -> None:
        super().__init__(source)  # type: ignore[arg-type]
        self._heredocs: list[Node] = []

    def program(self, root: Node) -> tuple[f.Form, ...]:
        """All of a file; the bodies of its heredocs stand after the lines that they belong to."""
        cursor = [root]
        while cursor:
            node = cursor.pop()
            if node.type == "heredoc_body":
                self._heredocs.append(node)
            cursor += node.children
        self._heredocs.sort(key=lambda one: one.start_byte)
        return self.block(root)

    def heredoc(self, node: Node) -> f.Form:
        """`<<~EOS`: the next body."""
        body = next((one for one in self._heredocs if one.start_byte >= node.end_byte), None)
        if body is None:
            return f.Text(span(node), "")
        self._heredocs.remove(body)
        parts: list[f.Form] = []
        for child in body.children:
            if child.type in _PIECES:
                parts.append(f.Text(span(child), self.text(child)))
            elif child.type == "interpolation":
                parts += [self.lower(one) for one in self.children(child)[:1]]
        if parts and isinstance(parts[0], f.Text) and parts[0].value.startswith("\n"):
            first = parts[0]
            parts[0] = f.Text((first.at[0] + 1, first.at[1]), first.value[1:])
        joined = f.Joined(span(body), tuple(parts))
        return f.Shell(span(node), joined) if "`" in self.text(node) else joined

    def literal(self, node: Node) -> f.Form:
        """A string of either quotes."""
        opened = self.text(node.children[0]) if node.children else ""
        return self.string(node, _PIECES, _HOLES, raw=opened in {"'", "%q("})

    def chained(self, node: Node) -> f.Form:
        """Strings beside one another."""
        return f.Joined(span(node), self.block(node))

    def symbol(self, node: Node) -> f.Form:
        """`:name`, or a key."""
        return f.Text(span(node), self.text(node).strip(":\"'"))

    def subshell(self, node: Node) -> f.Form:
        """Backticks and `%x()`."""
        return f.Shell(span(node), self.string(node, _PIECES, _HOLES))

    def variable_of_object(self, node: Node) -> f.Form:
        """`@name`: a member of self."""
        return f.Member(span(node), f.Name(span(node), "self"), self.text(node).lstrip("@"))

    def scoped(self, node: Node) -> f.Form:
        """`Net::HTTP`."""
        if node.child_by_field_name("scope") is None:
            return self.named(node, "name")
        return self.member(node, "scope", "name")

    def index(self, node: Node) -> f.Form:
        """`object[key]`."""
        inner = self.children(node)
        key = self.lower(inner[1]) if len(inner) > 1 else f.Opaque(span(node))
        return f.Item(span(node), self.lower(inner[0]), key) if inner else f.Opaque(span(node))

    def call(self, node: Node) -> f.Form:
        """A call; pairs among its arguments are named ones."""
        args: list[f.Form] = []
        named: list[tuple[str, f.Form]] = []
        given = node.child_by_field_name("arguments")
        for one in self.children(given) if given is not None else ():
            if one.type == "pair":
                key = self.named(one, "key")
                shown = key.value if isinstance(key, f.Text) else ""
                value = one.child_by_field_name("value")
                named.append(
                    (shown, self.lower(value) if value is not None else f.Name(span(one), shown))
                )
            elif one.type == "hash_splat_argument":
                named.append(("", self.lower((self.children(one) or [one])[0])))
            elif one.type != "block_argument":
                args.append(self.lower(one))
        block = node.child_by_field_name("block")
        if block is not None:
            args.append(self.lower(block))
        name = self.text(node.child_by_field_name("method"))
        self.mentioned.add(name)
        of = node.child_by_field_name("receiver")
        if of is None:
            return self._bare(node, name, args, named)
        at = span(node)
        target = self.lower(of)
        if not name:  # lambda.(argument)
            return f.Call(at, target, tuple(args), tuple(named))
        return f.Call(at, f.Member(at, target, name), tuple(args), tuple(named))

    def _bare(
        self, node: Node, name: str, args: list[f.Form], named: list[tuple[str, f.Form]]
    ) -> f.Form:
        at = span(node)
        if name in {"raise", "fail", "abort", "exit", "throw"}:
            return f.Raise(at, f.Block(at, tuple(args)))
        if name in {"attr_reader", "attr_accessor"}:
            readers = [one.value for one in args if isinstance(one, f.Text)]
            return f.Block(at, tuple(self._reader(at, one) for one in readers))
        if name in {"private", "public", "protected", "module_function", "memoize"} and args:
            return f.Block(at, tuple(args))
        return f.Call(at, f.Name(at, name), tuple(args), tuple(named))

    @staticmethod
    def _reader(at: f.Span, name: str) -> f.Form:
        body = f.Member(at, f.Name(at, "self"), name)
        return f.Function(at, name, (), (body,), receiver="self", is_property=True, yields=True)

    def table(self, node: Node) -> f.Form:
        """`{key => value}`."""
        entries: list[tuple[f.Form | None, f.Form]] = []
        for one in self.children(node):
            if one.type == "pair":
                entries.append((self.named(one, "key"), self.named(one, "value")))
            elif one.type == "hash_splat_argument":
                entries.append((None, self.lower((self.children(one) or [one])[0])))
        return f.Table(span(node), tuple(entries))

    def items(self, node: Node) -> f.Form:
        """A list."""
        return f.Items(span(node), self.block(node))

    def assignment(self, node: Node) -> f.Form:
        """`left = right`, also of several."""
        left = node.child_by_field_name("left")
        value = self.named(node, "right")
        if left is not None and left.type == "left_assignment_list":
            return f.Assign(span(node), self.block(left), value)
        if left is not None and left.type == "call":  # object.name = value
            of = self.named(left, "receiver")
            name = self.text(left.child_by_field_name("method"))
            return f.Assign(span(node), (f.Member(span(left), of, name),), value)
        return f.Assign(span(node), (self.lower(left),), value)

    def augmented(self, node: Node) -> f.Form:
        """`left += right`, `left ||= right`."""
        adds = self.text(node.child_by_field_name("operator")) == "+="
        target, value = self.named(node, "left"), self.named(node, "right")
        return f.Assign(span(node), (target,), value, adds=adds)

    def binary(self, node: Node) -> f.Form:
        """`+`, `%`, `||`, `<<`."""
        operator = self.text(node.child_by_field_name("operator"))
        if operator in {"||", "or"}:
            return f.Choice(span(node), (self.named(node, "left"), self.named(node, "right")))
        if operator in {"&&", "and"}:
            return f.Block(span(node), (self.named(node, "left"), self.named(node, "right")))
        if operator == "<<":
            target, value = self.named(node, "left"), self.named(node, "right")
            return f.Assign(span(node), (target,), value, adds=True)
        if operator == "%":
            right = self.named(node, "right")
            filling = right.items if isinstance(right, f.Items) else (right,)
            return f.Formatted(span(node), self.named(node, "left"), filling)
        return self.added(node)

    def ternary(self, node: Node) -> f.Form:
        """`test ? a : b`."""
        options = (self.named(node, "consequence"), self.named(node, "alternative"))
        return f.Block(span(node), (self.named(node, "condition"), f.Choice(span(node), options)))

    def _params(self, node: Node | None) -> tuple[f.Param, ...]:
        params: list[f.Param] = []
        for one in self.children(node) if node is not None else ():
            named = one.child_by_field_name("name")
            name = self.text(named if named is not None else one).lstrip("*&")
            params.append(f.Param(span(one), name, self.maybe(one, "value")))
        return tuple(params)

    def closure(self, node: Node) -> f.Form:
        """A block or lambda."""
        params = self._params(node.child_by_field_name("parameters"))
        body = node.child_by_field_name("body")
        if body is not None and body.type in {"block", "do_block"}:
            body = body.child_by_field_name("body")
        forms = (self.lower(body),) if body is not None else ()
        return f.Function(span(node), "", params, forms, inline=True, yields=True)

    def method(self, node: Node) -> f.Form:
        """`def name`, `def self.name`."""
        params = self._params(node.child_by_field_name("parameters"))
        body = node.child_by_field_name("body")
        forms = (self.lower(body),) if body is not None else ()
        name = self.text(node.child_by_field_name("name"))
        return f.Function(span(node), name, params, forms, receiver="self", yields=True)

    def class_definition(self, node: Node) -> f.Form:
        """A class or module."""
        above = node.child_by_field_name("superclass")
        bases = tuple(self.lower(one) for one in self.children(above)) if above is not None else ()
        name = self.text(node.child_by_field_name("name")).rpartition("::")[2]
        body = node.child_by_field_name("body")
        forms: list[f.Form] = []
        for one in self.children(body) if body is not None else ():
            inner = (
                self.children(one.child_by_field_name("body") or one)
                if one.type == "singleton_class"
                else [one]
            )
            for each in inner:
                lowered = self.lower(each)
                forms += lowered.body if isinstance(lowered, f.Block) else [lowered]
        return f.Class(span(node), name, bases, tuple(forms))

    def returned(self, node: Node) -> f.Form:
        """`return`, `next`."""
        values = [one for child in self.children(node) for one in self.children(child)]
        return f.Return(span(node), self.lower(values[0]) if values else None)

    def branches(self, node: Node) -> f.Form:
        """`if`, `unless`, `elsif`."""
        arms = [self.block(node.child_by_field_name("consequence"))]
        other = node.child_by_field_name("alternative")
        if other is not None:
            arms.append((self.lower(other),))
        return f.Branch(
            span(node), (self.named(node, "condition"),), tuple(arms), other is not None
        )

    def modified(self, node: Node) -> f.Form:
        """`body if test`."""
        arm = (self.named(node, "body"),)
        return f.Branch(span(node), (self.named(node, "condition"),), (arm,))

    def switched(self, node: Node) -> f.Form:
        """`case`: each `when` is an arm."""
        arms = tuple(
            (self.lower(one),) for one in self.children(node) if one.type in {"when", "else"}
        )
        return f.Branch(span(node), (self.named(node, "value"),), arms)

    def loop(self, node: Node) -> f.Form:
        """`for name in items`."""
        body = self.block(node.child_by_field_name("body"))
        return f.Each(span(node), self.named(node, "pattern"), self.named(node, "value"), body)

    def begun(self, node: Node) -> f.Form:
        """A body with what rescues it."""
        body: list[f.Form] = []
        handlers: list[tuple[f.Form, ...]] = []
        final: tuple[f.Form, ...] = ()
        for one in self.children(node):
            if one.type == "rescue":
                handlers.append(self.block(one.child_by_field_name("body")))
            elif one.type == "ensure":
                final = self.block(one)
            else:
                body.append(self.lower(one))
        if not handlers and not final:
            return f.Block(span(node), tuple(body))
        return f.Try(span(node), tuple(body), tuple(handlers), final)

    def rescued(self, node: Node) -> f.Form:
        """`body rescue value`."""
        handler = (self.named(node, "handler"),)
        return f.Try(span(node), (self.named(node, "body"),), (handler,))

    def statements(self, node: Node) -> f.Form:
        """A block."""
        return f.Block(span(node), self.block(node))
