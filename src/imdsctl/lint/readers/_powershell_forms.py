"""PowerShell's tree as forms; names have no case there, so they come in lower case."""

import re
from typing import ClassVar, Final

from tree_sitter import Node

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._lowering import Lowering, span

_SWITCHES: Final = frozenset({
    "usebasicparsing", "noproxy", "skipcertificatecheck", "disablekeepalive", "passthru", "verbose",
    "skiphttperrorcheck", "usedefaultcredentials", "allowunencryptedauthentication", "debug",
    "skipheadervalidation", "asplaintext", "force", "raw", "noenumerate", "compress", "nonewline",
})  # fmt: skip
_PARAMETERS: Final = (
    "uri", "method", "headers", "proxy", "body", "timeoutsec", "contenttype", "outfile",
    "erroraction", "custommethod", "usebasicparsing",
)  # fmt: skip
_ALIASES: Final = {"ea": "erroraction", "url": "uri", "cm": "custommethod"}
_SCOPE: Final = re.compile(r"(?:script|global|local|private|using|variable):", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"`(\r?\n|.)", re.DOTALL)
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_REAL_CURL: Final = re.compile(r"--?[a-zA-Z]{1,3}$|--\w")


class PowershellForms(Lowering):
    """PowerShell's nodes."""

    FORMS: ClassVar = {
        "variable": "variable", "braced_variable": "variable", "string_literal": "literal",
        "verbatim_string_characters": "verbatim",
        "verbatim_here_string_characters": "verbatim_here",
        "expandable_string_literal": "expandable", "expandable_here_string_literal": "expandable",
        "integer_literal": "constant", "real_literal": "constant", "generic_token": "token",
        "command": "command", "pipeline": "pipeline", "pipeline_chain": "chain",
        "assignment_expression": "assignment", "hash_literal_expression": "table",
        "member_access": "access", "element_access": "index", "invokation_expression": "invoked",
        "invocation_expression": "invoked", "array_literal_expression": "items",
        "additive_expression": "sum", "additive_argument_expression": "sum",
        "format_expression": "formatted", "format_argument_expression": "formatted",
        "cast_expression": "cast", "function_statement": "function", "script_block": "statements",
        "script_block_expression": "closure", "if_statement": "branches",
        "foreach_statement": "loop", "try_statement": "tried", "flow_control_statement": "flow",
        "class_statement": "class_definition", "class_method_definition": "method",
        "type_literal": "type_name", "param_block": "params", "statement_list": "statements",
        "switch_statement": "statements", "simple_name": "simple",
        "sub_expression": "statements", "comparison_expression": "compared",
        "logical_expression": "compared", "bitwise_expression": "compared",
    }  # fmt: skip
    SKIPPED: ClassVar = frozenset({"comment", "command_argument_sep", "pre_increment_expression"})

    # Names and constants.

    def variable(self, node: Node) -> f.Form:
        """`$name`, `${name}`, `$env:NAME`, `$script:name`."""
        name = self.text(node).strip().lstrip("$@").strip("{}")
        if name.lower().startswith("env:"):
            return f.Member(span(node), f.Name(span(node), "env"), name[4:])
        name = _SCOPE.sub("", name).lower()
        if name == "null":
            return f.Nil(span(node))
        if name in {"true", "false"}:
            return f.Text(span(node), name)
        return f.Name(span(node), name)

    def simple(self, node: Node) -> f.Form:
        """A bare word."""
        return f.Text(span(node), self.text(node))

    def token(self, node: Node) -> f.Form:
        """A bare argument; it may have variables in it."""
        return self._expanded(node, self.text(node), span(node)[0], ())

    def literal(self, node: Node) -> f.Form:
        """A string of any quotes."""
        inner = self.children(node)
        return self.lower(inner[0]) if inner else f.Text(span(node), self.text(node).strip("'\""))

    def verbatim(self, node: Node) -> f.Form:
        """`'as it is'`."""
        return f.Text(span(node), self.text(node)[1:-1].replace("''", "'"))

    def verbatim_here(self, node: Node) -> f.Form:
        """`@'…'@`."""
        shown = self.text(node)[2:-2].lstrip(" \r").removeprefix("\n").removesuffix("\n")
        return f.Text((node.start_byte + 3, node.end_byte), shown)

    def expandable(self, node: Node) -> f.Form:
        """`"with $variables"`, also of several lines."""
        here = "here" in node.type
        cut = 2 if here else 1
        data = self.source.data
        parts: list[f.Form] = []
        at = node.start_byte + cut
        if here and data[at : at + 1] == b"\n":
            at += 1
        end = max(at, node.end_byte - cut)
        if here and data[end - 1 : end] == b"\n":
            end = max(at, end - 1)
        for child in self.children(node):
            # In here-strings the grammar takes the white space before a variable to it.
            written = self.text(child)
            lead = len(written) - len(written.lstrip())
            parts += self._piece(data, at, child.start_byte + lead)
            parts.append(self.lower(child))
            at = child.end_byte
        parts += self._piece(data, at, end)
        if len(parts) == 1 and isinstance(parts[0], f.Text):
            return parts[0]
        return f.Joined(span(node), tuple(parts)) if parts else f.Text(span(node), "")

    @staticmethod
    def _piece(data: bytes, start: int, end: int) -> list[f.Form]:
        if end <= start:
            return []
        shown = data[start:end].decode("utf-8", "replace")
        shown = _ESCAPE.sub(lambda m: _SHORT.get(m[1], "" if "\n" in m[1] else m[1]), shown)
        return [f.Text((start, end), shown.replace('""', '"'))]

    def _expanded(self, node: Node, shown: str, at: int, _none: tuple[()]) -> f.Form:
        """A bare argument such as `http://$address/latest/`."""
        parts: list[f.Form] = []
        end = 0
        for found in re.finditer(r"\$\{?(?:env:)?(\w+)\}?", shown):
            if found.start() > end:
                parts.append(f.Text((at, node.end_byte), shown[end : found.start()]))
            parts.append(f.Name(span(node), found[1].lower()))
            end = found.end()
        if not parts:
            return f.Text(span(node), shown)
        if shown[end:]:
            parts.append(f.Text((at, node.end_byte), shown[end:]))
        return f.Joined(span(node), tuple(parts))

    def type_name(self, node: Node) -> f.Form:
        """`[System.Net.WebClient]`: without its first namespace."""
        name = self.text(node).strip("[]").lower().removeprefix("system.")
        self.mentioned.add(name)
        return f.Name(span(node), name)

    # Commands.

    def command(self, node: Node) -> f.Form:
        """A cmdlet, a function, or a program."""
        named = node.child_by_field_name("command_name")
        name = self.text(named).strip("'\"").lower()
        elements = self._elements(node)
        if (
            named is not None
            and named.named_child_count
            and named.named_children[0].type == "variable"
        ):
            return f.Call(span(node), self.lower(named.named_children[0]), self._plain(elements))
        self.mentioned.add(name)
        if name == "." and not elements:
            return f.Opaque(span(node))
        if self._is_program(name, elements):
            words = (f.Text(span(node), name.removesuffix(".exe")), *self._words(elements))
            return f.Call(
                span(node), f.Name(span(node), "a program"), (f.Items(span(node), words),)
            )
        args, keywords = self._arguments(elements)
        return f.Call(span(node), f.Name(span(node), name), args, keywords)

    def _elements(self, node: Node) -> list[Node]:
        found: list[Node] = []
        for one in node.named_children:
            if one.type == "command_elements":
                found += [
                    c
                    for c in one.named_children
                    if c.type not in self.SKIPPED or ":" in self.text(c)
                ]
        return found

    def _is_program(self, name: str, elements: list[Node]) -> bool:
        if name in {"curl.exe", "wget.exe", "cmd", "cmd.exe", "bash", "sh", "wsl", "wsl.exe"}:
            return True
        if name not in {"curl", "wget"}:
            return False
        return any(
            _REAL_CURL.match(self.text(one)) for one in elements
            if one.type in {"command_parameter", "generic_token"}
        )  # fmt: skip

    def _words(self, elements: list[Node]) -> list[f.Form]:
        return [
            f.Text(span(one), self.text(one))
            if one.type == "command_parameter"
            else self.lower(one)
            for one in elements
            if one.type not in self.SKIPPED
        ]

    def _plain(self, elements: list[Node]) -> tuple[f.Form, ...]:
        return tuple(self._words(elements))

    def _arguments(
        self, elements: list[Node]
    ) -> tuple[tuple[f.Form, ...], tuple[tuple[str, f.Form], ...]]:
        args: list[f.Form] = []
        named: list[tuple[str, f.Form]] = []
        waiting: tuple[str, Node] | None = None
        for one in elements:
            if one.type in self.SKIPPED:
                continue
            if one.type == "command_parameter":
                if waiting:
                    named.append((waiting[0], f.Text(span(waiting[1]), "true")))
                key = self._parameter(self.text(one))
                if key in _SWITCHES:
                    named.append((key, f.Text(span(one), "true")))
                    waiting = None
                else:
                    waiting = (key, one)
            elif self.text(one).startswith("@") and self._splat(one):
                named.append(("", self.lower(one)))
            elif one.type == "redirection" or re.match(r"[\d*]?>", self.text(one)):
                continue
            elif waiting:
                named.append((waiting[0], self.lower(one)))
                waiting = None
            else:
                args.append(self.lower(one))
        if waiting:
            named.append((waiting[0], f.Text(span(waiting[1]), "true")))
        return tuple(args), tuple(named)

    def _splat(self, node: Node) -> bool:
        return re.fullmatch(r"@\w+", self.text(node)) is not None

    def _parameter(self, written: str) -> str:
        """A parameter's full name: PowerShell takes any beginning that is unique."""
        name = written.lstrip("-").rstrip(":").lower()
        if name in _ALIASES:
            return _ALIASES[name]
        if len(name) > 2:  # noqa: PLR2004 - shorter ones are programs' options
            full = [one for one in _PARAMETERS if one.startswith(name)]
            return full[0] if len(full) == 1 else name
        return name

    def chain(self, node: Node) -> f.Form:
        """`a | b | c`: each gets what comes out of the one before."""
        inner = self.children(node)
        if not inner:
            return f.Opaque(span(node))
        value = self.lower(inner[0])
        for one in inner[1:]:
            value = self._piped(value, one)
        return value

    def _piped(self, value: f.Form, node: Node) -> f.Form:
        lowered = self.lower(node)
        if not isinstance(lowered, f.Call):
            return f.Opaque(span(node), (value, lowered))
        function = lowered.function
        name = function.name if isinstance(function, f.Name) else ""
        blocks = [one for one in lowered.args if isinstance(one, f.Function)]
        if name in {"foreach-object", "%", "foreach", "where-object", "?", "where"} and blocks:
            target = f.Name(span(node), "_")
            looped = f.Each(span(node), target, value, blocks[0].body)
            return (
                looped
                if not name.startswith(("where", "?"))
                else f.Block(span(node), (looped, value))
            )
        return f.Call(lowered.at, function, (value, *lowered.args), lowered.named)

    def pipeline(self, node: Node) -> f.Form:
        """A statement."""
        parts = self.block(node)
        return parts[0] if len(parts) == 1 else f.Block(span(node), parts)

    # Expressions.

    def assignment(self, node: Node) -> f.Form:
        """`$a = …`, `$a += …`, `$a, $b = …`."""
        left = next(
            (o for o in node.named_children if o.type == "left_assignment_expression"), None
        )
        value = node.child_by_field_name("value")
        operator = next((o for o in node.named_children if "operator" in o.type), None)
        target = self.lower(left)
        targets = target.items if isinstance(target, f.Items) else (target,)
        if value is None and node.named_children:
            value = node.named_children[-1]
        adds = self.text(operator) == "+="
        return f.Assign(span(node), targets, self.lower(value), adds=adds)

    def table(self, node: Node) -> f.Form:
        """`@{ key = value }`."""
        entries: list[tuple[f.Form | None, f.Form]] = []
        waiting = list(reversed(self.children(node)))
        while waiting:
            one = waiting.pop()
            if one.type == "hash_entry":
                inner = self.children(one)
                if len(inner) > 1:
                    entries.append((self.lower(inner[0]), self.lower(inner[-1])))
            else:
                waiting += reversed(self.children(one))
        return f.Table(span(node), tuple(entries))

    def access(self, node: Node) -> f.Form:
        """`$object.Member`, `[Type]::Member`."""
        inner = self.children(node)
        if len(inner) < 2:  # noqa: PLR2004 - object and member
            return f.Opaque(span(node))
        return f.Member(span(node), self.lower(inner[0]), self.text(inner[-1]).lower())

    def index(self, node: Node) -> f.Form:
        """`$object["key"]`."""
        inner = self.children(node)
        if len(inner) < 2:  # noqa: PLR2004 - object and key
            return f.Opaque(span(node))
        return f.Item(span(node), self.lower(inner[0]), self.lower(inner[-1]))

    def invoked(self, node: Node) -> f.Form:
        """`$object.Method(…)`, `[Type]::Method(…)`."""
        inner = self.children(node)
        names = [one for one in inner if one.type == "member_name"]
        lists = [one for one in inner if one.type == "argument_list"]
        if not inner or not names:
            return f.Opaque(span(node), self.block(node))
        args: tuple[f.Form, ...] = ()
        for one in lists:
            for given in self.children(one):
                many = given.type == "argument_expression_list"
                args += self.block(given) if many else (self.lower(given),)
        name = self.text(names[-1]).lower()
        self.mentioned.add(name)
        return f.Call(span(node), f.Member(span(node), self.lower(inner[0]), name), args)

    def items(self, node: Node) -> f.Form:
        """`a, b`; one is itself."""
        parts = self.block(node)
        return parts[0] if len(parts) == 1 else f.Items(span(node), parts)

    def sum(self, node: Node) -> f.Form:
        """`a + b`, however long."""
        inner = self.children(node)
        if len(inner) == 1:
            return self.lower(inner[0])
        parts: list[Node] = []
        current = node
        while current.type == node.type and len(inner := self.children(current)) > 1:
            parts += reversed(inner[1:])
            current = inner[0]
        parts.append(current)
        return f.Joined(span(node), tuple(self.lower(one) for one in reversed(parts)))

    def formatted(self, node: Node) -> f.Form:
        """`"{0}" -f $a, $b`."""
        inner = [one for one in self.children(node) if one.type != "format_operator"]
        if len(inner) < 2:  # noqa: PLR2004 - template and filling
            return self.lower(inner[0]) if inner else f.Opaque(span(node))
        right = self.lower(inner[-1])
        filling = right.items if isinstance(right, f.Items) else (right,)
        return f.Formatted(span(node), self.lower(inner[0]), filling, braces=True)

    def compared(self, node: Node) -> f.Form:
        """A comparison; `-replace` and `-join` are not followed."""
        parts = self.block(node)
        return parts[0] if len(parts) == 1 else f.Opaque(span(node), parts)

    def cast(self, node: Node) -> f.Form:
        """`[type]value`: `[uri]` and `[ordered]` change nothing here."""
        inner = self.children(node)
        return self.lower(inner[-1]) if inner else f.Opaque(span(node))

    # Statements.

    def statements(self, node: Node) -> f.Form:
        """A block."""
        return f.Block(span(node), self.block(node))

    def closure(self, node: Node) -> f.Form:
        """`{ … }`."""
        return f.Function(span(node), "", (), self.block(node), inline=True, yields=True)

    def params(self, node: Node) -> f.Form:
        """`param(…)` of a script: what it is given is not known but for its defaults."""
        found: list[f.Form] = []
        for param in self._params(node):
            default = param.default or f.Opaque(param.at)
            found.append(
                f.Assign(param.at, (f.Name(param.at, param.name),), default, declares=True)
            )
        return f.Block(span(node), tuple(found))

    def _params(self, node: Node) -> list[f.Param]:
        found: list[f.Param] = []
        waiting = list(reversed(node.named_children))
        while waiting:
            one = waiting.pop()
            if one.type in {"script_parameter", "class_method_parameter"}:
                named = [c for c in one.named_children if c.type == "variable"]
                default = [c for c in one.named_children if c.type == "script_parameter_default"]
                if named:
                    name = self.text(named[0]).lstrip("$").lower()
                    value = self.lower(default[0]) if default else None
                    found.append(f.Param(span(one), name, value))
            else:
                waiting += reversed(one.named_children)
        return found

    def function(self, node: Node) -> f.Form:
        """`function Name { param(…) … }`, `function Name(…) { … }`."""
        name = ""
        params: list[f.Param] = []
        body: tuple[f.Form, ...] = ()
        for one in node.named_children:
            if one.type == "function_name":
                name = self.text(one).lower().rpartition(":")[2]
            elif one.type == "function_parameter_declaration":
                params += self._params(one)
            elif one.type == "script_block":
                inner = [c for c in self.children(one) if c.type != "param_block"]
                for block in one.named_children:
                    if block.type == "param_block":
                        params += self._params(block)
                body += tuple(self.lower(c) for c in inner)
            elif one.type == "ERROR":
                params += self._params(one)
        return f.Function(span(node), name, tuple(params), body, yields=True)

    def branches(self, node: Node) -> f.Form:
        """`if`, `elseif`, `else`."""
        tests = [self.named(node, "condition")]
        arms: list[tuple[f.Form, ...]] = []
        whole = False
        waiting = list(reversed(node.named_children))
        while waiting:
            one = waiting.pop()
            if one.type == "statement_block":
                arms.append(self.block(one))
            elif one.type == "elseif_clause":
                tests.append(self.named(one, "condition"))
                waiting += [c for c in one.named_children if c.type == "statement_block"]
            elif one.type == "else_clause":
                whole = True
                waiting += one.named_children
            elif one.type == "elseif_clauses":
                waiting += reversed(one.named_children)
        return f.Branch(span(node), tuple(tests), tuple(arms), whole)

    def loop(self, node: Node) -> f.Form:
        """`foreach ($name in items) { … }`."""
        inner = self.children(node)
        if len(inner) < 3:  # noqa: PLR2004 - name, items, block
            return f.Opaque(span(node), self.block(node))
        return f.Each(span(node), self.lower(inner[0]), self.lower(inner[1]), self.block(inner[-1]))

    def tried(self, node: Node) -> f.Form:
        """`try`, `catch`, `finally`."""
        body: tuple[f.Form, ...] = ()
        handlers: list[tuple[f.Form, ...]] = []
        final: tuple[f.Form, ...] = ()
        for one in node.named_children:
            if one.type == "statement_block":
                body = self.block(one)
            elif one.type == "catch_clauses":
                for clause in one.named_children:
                    blocks = [c for c in clause.named_children if c.type == "statement_block"]
                    handlers.append(self.block(blocks[0]) if blocks else ())
            elif one.type == "finally_clause":
                final = self.block(one)
        return f.Try(span(node), body, tuple(handlers), final)

    def flow(self, node: Node) -> f.Form:
        """`return`, `throw`, `exit`, `break`, `continue`."""
        word = self.text(node.children[0]).lower() if node.children else ""
        parts = self.block(node)
        if word == "return":
            return f.Return(span(node), parts[0] if parts else None)
        return f.Raise(span(node), f.Block(span(node), parts))

    def class_definition(self, node: Node) -> f.Form:
        """`class Name { … }`."""
        names = [one for one in node.named_children if one.type == "simple_name"]
        name = self.text(names[0]).lower() if names else ""
        body = tuple(
            self.lower(o) for o in node.named_children if o.type == "class_method_definition"
        )
        return f.Class(span(node), name, (), body)

    def method(self, node: Node) -> f.Form:
        """A class's method."""
        names = [one for one in node.named_children if one.type == "simple_name"]
        blocks = [one for one in node.named_children if one.type == "script_block"]
        body = self.block(blocks[0]) if blocks else ()
        name = self.text(names[0]).lower() if names else ""
        return f.Function(span(node), name, tuple(self._params(node)), body)
