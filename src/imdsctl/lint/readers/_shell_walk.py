"""A walk through a shell script in the order in which it runs, with its values at each point.

Nothing is executed: words are expanded as far as the script itself tells their values, functions
are followed where they are called, and both ways of a condition are taken.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tree_sitter import Node

from imdsctl.lint.facts import Place, Unparsed
from imdsctl.lint.readers import _shell_pieces as pieces
from imdsctl.lint.readers._shell_commands import Commands
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_state import UNKNOWN, Context, Output, Parts, State
from imdsctl.lint.readers._shell_words import Hole, Values, Word

_DEEPEST: Final = 120
_PARTS: Final = 200
_OF_TOKENS: Final = re.compile(r"token|imds_?v2|\bv2\b|\b200\b|\b401\b", re.IGNORECASE)
_NEGATIVE: Final = re.compile(r"(?:\[\s|test\s)\s*(?:!|-z\b)|-z\s|!=|\s-ne\s|^\s*!")


class Walker(Commands):
    """Walks one script; what it finds is in `seen`, `settings`, `embedded` and `unparsed`."""

    def __init__(self, script: Script) -> None:
        super().__init__(script, State())
        self.unparsed: list[Unparsed] = []
        self.tests: list[int] = []
        self._handlers: dict[str, Callable[[Node, Context], Output]] = {
            "program": self._all,
            "compound_statement": self._all,
            "do_group": self._all,
            "subshell": self._subshell,
            "list": self._list,
            "pipeline": self._pipeline,
            "negated_command": self._negated,
            "if_statement": self._if,
            "while_statement": self._while,
            "for_statement": self._for,
            "c_style_for_statement": self._loop,
            "case_statement": self._case,
            "function_definition": self._function,
            "variable_assignment": self._assignment,
            "variable_assignments": self._all,
            "declaration_command": self._declaration,
            "unset_command": self._unset,
            "redirected_statement": self._redirected,
            "test_command": self._test,
            "command": self._command,
            "ERROR": self._error,
        }
        for name, known in script.source.context.items():
            if known == "token":
                self.state.values[name] = (Word((Hole(name, token=True),)),)
                self.known_functions.add(name)
            elif known.startswith("="):
                self.state.values[name] = (Word((known[1:],)),)
                self.state.exported.add(name)

    def run(self) -> None:
        """Walk the whole script, then the functions that nothing in it calls."""
        shebang = self.script.text(self.script.root).partition("\n")[0]
        if shebang.startswith("#!"):
            self.state.options([Word((one,)) for one in shebang.split()[1:]])
        self.walk(self.script.root, Context())
        for name, body in list(self.state.functions.items()):
            if name not in self.state.called:
                self.state.called.add(name)
                for position in ("@", "*", *"123456789"):
                    self.state.values.pop(position, None)
                self.walk(body, Context().within(body))

    def prints_token(self, name: str) -> bool:
        """Whether a function of the script prints a session token."""
        found = self.walk(self.state.functions[name], Context())
        return any(isinstance(one, Hole) and one.token for one in found.parts)

    def walk(self, node: Node, context: Context) -> Output:
        """Run one node; tells what it prints."""
        if context.depth > _DEEPEST:
            self._unread(node, "nested too deeply")
            return Output(UNKNOWN)
        handler = self._handlers.get(node.type)
        if handler is None:
            if node.type in {"comment", "heredoc_redirect"} or not node.named_child_count:
                return Output()
            return self._all(node, context)
        return handler(node, context.but(depth=context.depth + 1))

    def output(self, node: Node) -> Parts:
        """What a command substitution prints; its variables stay its own."""
        context = self.context.but(depth=self.context.depth + 1, stdin=None)
        redirect = next((one for one in node.named_children if one.type == "file_redirect"), None)
        if redirect is not None and node.named_child_count == 1:
            return self._file(redirect).parts
        kept = dict(self.state.values)
        outer = self.context
        found = self._sequence(node.named_children, context)
        self.context = outer
        self.state.values = kept
        return found.parts or UNKNOWN

    def _all(self, node: Node, context: Context) -> Output:
        return self._sequence(node.named_children, context)

    def _sequence(self, nodes: Iterable[Node], context: Context) -> Output:
        parts: list[str | Hole] = []
        piece = None
        for node in nodes:
            found = self.walk(node, context)
            if len(parts) < _PARTS:
                parts.extend(found.parts)
            piece = piece or found.piece
        if len(parts) > 1 and all(isinstance(one, str) for one in parts):
            parts = ["\n".join(one for one in parts if isinstance(one, str))]
        return Output(tuple(parts), piece)

    def _subshell(self, node: Node, context: Context) -> Output:
        kept = dict(self.state.values)
        found = self._all(node, context)
        self.state.values = kept
        return found

    def _list(self, node: Node, context: Context) -> Output:
        """`a && b || c`: who looks at whose failure, and what runs only after one."""
        items, operators = _spine(node)
        parts: list[str | Hole] = []
        piece = None
        fallback = context.fallback
        for at, item in enumerate(items):
            inner = (context.within(item) if at else context).but(fallback=fallback)
            rescue = next((i for i in range(at, len(operators)) if operators[i] == "||"), None)
            if rescue is not None:
                inner = inner.but(checked="no" if self._swallows(items[rescue + 1]) else "yes")
            elif at < len(operators):
                inner = inner.but(checked="yes")
            asked = self.state.asked
            found = self.walk(item, inner)
            parts.extend(found.parts)
            piece = piece or found.piece
            if at < len(operators):
                sign = self._sign([item], asked)
                fallback = context.fallback or sign == ("+" if operators[at] == "||" else "-")
        return Output(tuple(parts[:_PARTS]), piece)

    def _swallows(self, node: Node) -> bool:
        """Whether what stands behind `||` does nothing about the failure."""
        text = self.script.text(node).strip()
        return (
            re.fullmatch(r"true|:|/bin/true|(?:echo|printf)(?:\s+-n)?(?:\s*(?:\"\"|''))?", text)
            is not None
        )

    def _pipeline(self, node: Node, context: Context) -> Output:
        stages = [one for one in node.named_children if one.type != "comment"]
        found: Output | None = context.stdin
        token = False
        for at, stage in enumerate(stages):
            last = at == len(stages) - 1
            masked = context.masked or (not last and not self.state.pipefail)
            found = self.walk(stage, context.but(stdin=found, masked=masked))
            token = token or any(isinstance(one, Hole) and one.token for one in found.parts)
        if found is not None and token:
            return Output((Hole(token=True),))
        return found or Output()

    def _negated(self, node: Node, context: Context) -> Output:
        return self._all(node, context.but(checked="yes"))

    def _if(self, node: Node, context: Context) -> Output:
        """Both ways; what runs only without a token is a fallback."""
        parts: list[str | Hole] = []
        sign = ""
        before: Values | None = None
        ends: list[Values] = []
        for condition, body in _branches(node):
            fallback = context.fallback or sign == "+"
            asked = self.state.asked
            self._sequence(condition, context.but(checked="yes", sink="", fallback=fallback))
            self.look(condition)
            branch = self._sign(condition, asked)
            sign = sign or branch
            before = before or self.state.values
            self.state.values = dict(before)
            inner = context.within(body[0] if body else None).but(
                fallback=fallback or branch == "-"
            )
            parts.extend(self._sequence(body, inner).parts)
            ends.append(self.state.values)
        self.state.values = ends[0]
        for end in ends[1:]:
            self.state.joined(before or {}, end)
        return Output(tuple(parts[:_PARTS]))

    def _sign(self, condition: Sequence[Node], asked: int) -> str:
        """`+` if a condition holds where there is a token, `-` where there is none, else empty."""
        text = " ".join(self.script.text(one) for one in condition)
        is_test = any(one.type in {"test_command", "negated_command"} for one in condition)
        negative = bool(_NEGATIVE.search(text))
        if self.state.asked > asked:
            return "-" if text.lstrip().startswith("!") else "+"
        if (is_test or text.startswith("test ")) and _OF_TOKENS.search(text):
            return "-" if negative else "+"
        return ""

    def _while(self, node: Node, context: Context) -> Output:
        body = node.child_by_field_name("body")
        condition = [one for one in node.named_children if one != body]
        self._sequence(condition, context.but(checked="yes", sink=""))
        self.look(condition)
        return self._sequence([body] if body else [], context.within(body))

    def _for(self, node: Node, context: Context) -> Output:
        variable = node.child_by_field_name("variable")
        self.context = context
        words = [
            w for one in node.children_by_field_name("value") for w in self.expander.words(one)
        ]
        name = self.script.text(variable) if variable else ""
        # With several, only what they have in common counts: that it is an address, or nothing.
        urls = [word for word in words if "://" in word.text]
        value = words[0] if len(words) == 1 else urls[0] if urls else Word((Hole(name),))
        self.state.values[name] = (Word(value.parts),)
        body = node.child_by_field_name("body")
        return self._sequence([body] if body else [], context.within(body))

    def _loop(self, node: Node, context: Context) -> Output:
        body = node.child_by_field_name("body")
        return self._sequence([body] if body else [], context.within(body))

    def _case(self, node: Node, context: Context) -> Output:
        value = node.child_by_field_name("value")
        if value is not None:
            self.context = context.but(checked="yes")
            self.expander.words(value)
            self.look([value])
        for item in (one for one in node.named_children if one.type == "case_item"):
            patterns = item.children_by_field_name("value")
            rest = [one for one in item.named_children if one not in patterns]
            self._sequence(rest, context.within(item))
        return Output(UNKNOWN)

    def _function(self, node: Node, context: Context) -> Output:
        name = node.child_by_field_name("name")
        body = node.child_by_field_name("body")
        if name is not None and body is not None:
            self.state.functions[self.script.text(name)] = body
            self.state.called.discard(self.script.text(name))
        return Output()

    def _assignment(self, node: Node, context: Context) -> Output:
        target = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if target is None:
            return Output()
        name = self.script.text(target).partition("[")[0]
        self.context = context.but(sink=name)
        adds = any(one.type == "+=" for one in node.children)
        if value is not None and value.type == "array":
            words = self.expander.array(value)
        else:
            words = (self.expander.value(value),)
        before = self.state.values.get(name, ())
        if adds and value is not None and value.type != "array":
            words = (Word((before[0].parts if before else ()) + words[0].parts),)
        elif adds:
            words = (*before, *words)
        self.state.assign(name, words, context)
        self.settled(node, name, words)
        return Output()

    def _declaration(self, node: Node, context: Context) -> Output:
        """`export`, `local` and the like, whose own status hides that of what they assign."""
        keyword = self.script.text(node.children[0])
        exports = keyword == "export" or any(
            one.type == "word"
            and self.script.text(one).startswith("-")
            and "x" in self.script.text(one)
            for one in node.named_children
        )
        for child in node.named_children:
            name = (
                child.child_by_field_name("name") if child.type == "variable_assignment" else child
            )
            if keyword in {"local", "declare", "typeset"} and name and self.state.locals:
                known = self.script.text(name)
                self.state.locals[-1].setdefault(known, self.state.values.get(known))
            if (
                exports
                and name is not None
                and child.type in {"variable_assignment", "variable_name"}
            ):
                self.state.exported.add(self.script.text(name))
            if child.type == "variable_assignment":
                self._assignment(child, context.but(masked=True))
        return Output()

    def _unset(self, node: Node, context: Context) -> Output:
        for child in node.named_children:
            self.state.values.pop(self.script.text(child), None)
            self.state.exported.discard(self.script.text(child))
        return Output()

    def _test(self, node: Node, context: Context) -> Output:
        self.context = context.but(checked="yes", sink="")
        self.look([node])
        for inner in _descendants(node, {"command_substitution"}):
            self.expander.words(inner)
        return Output()

    def look(self, nodes: Iterable[Node]) -> None:
        """Remember whose values a condition looks at."""
        for node in nodes:
            for one in _descendants(node, {"simple_expansion", "expansion"}):
                name = self.script.text(one).strip("${}").partition("[")[0]
                name = re.split(r"[:\-+?%#/=]", name, maxsplit=1)[0] or name[:1]
                self.expander.tested[name] = one.start_byte
                if name == "?":
                    self.tests.append(one.start_byte)

    def _redirected(self, node: Node, context: Context) -> Output:
        body = node.child_by_field_name("body")
        redirects = [one for one in node.named_children if one != body]
        return self._with(redirects, context, lambda inner: self._body(body, inner))

    def _body(self, body: Node | None, context: Context) -> Output:
        return self.walk(body, context) if body is not None else Output()

    def _command(self, node: Node, context: Context) -> Output:
        redirects = [one for one in node.named_children if one.type.endswith("_redirect")]
        if not redirects:
            return self.command(node, context)
        return self._with(redirects, context, lambda inner: self.command(node, inner))

    def _with(
        self, redirects: list[Node], context: Context, run: Callable[[Context], Output]
    ) -> Output:
        """Run something with its redirections: what it reads, and the file that it writes."""
        destination = ""
        after: list[Node] = []
        for one in redirects:
            self.context = context
            if one.type == "heredoc_redirect":
                context = context.but(stdin=self._heredoc(one))
                after += [
                    c
                    for c in one.named_children
                    if c.type in {"pipeline", "command", "list", "redirected_statement"}
                ]
                inner = [c for c in one.named_children if c.type == "file_redirect"]
                destination = self._destination(inner[0]) if inner else destination
            elif one.type == "herestring_redirect":
                words = [w for c in one.named_children for w in self.expander.words(c)]
                piece = pieces.of_word(self.script, words[0]) if len(words) == 1 else None
                context = context.but(stdin=Output(words[0].parts if words else (), piece))
            elif self._reads(one):
                context = context.but(stdin=self._file(one))
            else:
                destination = self._destination(one) or destination
        found = run(context)
        if destination:
            self.written(destination, found)
            found = Output() if destination != "/dev/stderr" else found
        for one in after:
            found = self.walk(one, context.but(stdin=found))
        return found

    def _heredoc(self, redirect: Node) -> Output:
        """A here document; what it runs while it is expanded runs here."""
        parts: list[str | Hole] = []
        for body in (one for one in redirect.children if one.type == "heredoc_body"):
            for child in body.named_children:
                if child.type == "command_substitution":
                    parts.extend(self.output(child))
        piece = pieces.of_heredoc(self.script, redirect)
        return Output(tuple(parts[:_PARTS]) or UNKNOWN, piece)

    def _reads(self, redirect: Node) -> bool:
        return any(one.type == "<" for one in redirect.children)

    def _destination(self, redirect: Node) -> str:
        """The file that a redirection of stdout writes, empty for others."""
        target = redirect.child_by_field_name("destination")
        descriptor = next((one for one in redirect.children if one.type == "file_descriptor"), None)
        if target is None or any(one.type in {">&", "<&", ">&-"} for one in redirect.children):
            return ""
        text = self.expander.value(target).text
        self.opened(redirect, text, self.context)
        if descriptor is not None and self.script.text(descriptor) != "1":
            return ""
        return text

    def _file(self, redirect: Node) -> Output:
        target = redirect.child_by_field_name("destination")
        if target is None:
            return Output(UNKNOWN)
        if target.type == "process_substitution":
            outer = self.context
            found = self._sequence(target.named_children, self.context)
            self.context = outer
            return found
        text = self.expander.value(target).text
        self.opened(redirect, text, self.context)
        known = self.state.files.get(text)
        return Output(known.parts if known else UNKNOWN)

    def _error(self, node: Node, context: Context) -> Output:
        self._unread(node, "no shell that the parser knows")
        return self._all(node, context)

    def _unread(self, node: Node, why: str) -> None:
        if len(self.unparsed) < _PARTS:
            place = self.script.place(node)
            first = Place(place.line, place.column, place.line, max(place.column, 1))
            self.unparsed.append(Unparsed(place=first, why=why))


def _spine(node: Node) -> tuple[list[Node], list[str]]:
    """The commands of a list and the operators between them; the grammar nests them leftwards."""
    items: list[Node] = []
    operators: list[str] = []
    while node.type == "list":
        named = node.named_children
        operators.append(next((c.type for c in node.children if c.type in {"&&", "||"}), "&&"))
        items.append(named[-1])
        if len(named) < 2:  # noqa: PLR2004 - a broken list has but one side
            operators.pop()
            return items[::-1], operators[::-1]
        node = named[0]
    items.append(node)
    return items[::-1], operators[::-1]


def _branches(node: Node) -> list[tuple[list[Node], list[Node]]]:
    """Conditions and bodies of an `if`; `else` has no condition."""
    branches = []
    rest: list[Node] = []
    for one in (
        node,
        *(c for c in node.named_children if c.type in {"elif_clause", "else_clause"}),
    ):
        condition: list[Node] = []
        rest = []
        seen_then = one.type == "else_clause"
        for child in one.children:
            if child.type == "then":
                seen_then = True
            elif child.is_named and child.type not in {"elif_clause", "else_clause"}:
                (rest if seen_then else condition).append(child)
        branches.append((condition, rest))
    return branches


def _descendants(node: Node, kinds: set[str]) -> Iterable[Node]:
    """Nodes of some kinds below a node, outermost first, without recursion."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.type in kinds:
            yield one
            if one.type == "command_substitution":
                continue
        waiting.extend(reversed(one.named_children))
