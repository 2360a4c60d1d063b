"""The commands of a shell that pass text on, set variables or options, and ask nothing."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable

from tree_sitter import Node

from imdsctl.lint.readers import _shell_pieces as pieces
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_state import UNKNOWN, Context, Output, Parts, State
from imdsctl.lint.readers._shell_words import Hole, Word


class Builtins:
    """What `echo`, `read`, `set` and the like do; found by their names as `_run_NAME`."""

    script: Script
    state: State
    look: Callable[[Iterable[Node]], None]

    def written(self, path: str, found: Output) -> None:
        """A file takes the output of a command."""
        raise NotImplementedError

    def _spoken(self, said: Parts, node: Node, program: Word, context: Context) -> bool:
        raise NotImplementedError

    def _arguments(self, arguments: tuple[Word, ...]) -> None:
        raise NotImplementedError

    def _run_echo(self, arguments: list[Word], node: Node, context: Context) -> Output:
        said = [one for one in arguments if one.text not in {"-n", "-e", "-ne", "-en", "-E"}]
        parts: list[str | Hole] = []
        for at, word in enumerate(said):
            parts += ([" "] if at else []) + list(word.parts)
        self._spoken(tuple(parts), node, Word(), context)
        return Output(
            tuple(parts), pieces.of_word(self.script, said[0]) if len(said) == 1 else None
        )

    def _run_printf(self, arguments: list[Word], node: Node, context: Context) -> Output:
        if len(arguments) > 1 and re.fullmatch(r"(?:%[sb]|\\n|\s)*", arguments[0].text):
            return self._run_echo(arguments[1:], node, context)
        return self._run_echo(arguments[:1], node, context)

    def _run_cat(self, arguments: list[Word], node: Node, context: Context) -> Output:
        files = [one for one in arguments if not one.text.startswith("-")]
        if not files:
            return context.stdin or Output(UNKNOWN)
        known = self.state.files.get(files[0].text)
        return Output(known.parts if known else UNKNOWN)

    def _run_base64(self, arguments: list[Word], node: Node, context: Context) -> Output:
        decodes = any(one.text in {"-d", "-D", "--decode"} for one in arguments)
        text = Word(context.stdin.parts).text if context.stdin else ""
        if not decodes or not text:
            return Output(UNKNOWN)
        try:
            decoded = base64.b64decode(text).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return Output(UNKNOWN)
        return Output((decoded,), pieces.Piece(decoded, self.script.line(node)))

    def _run_tee(self, arguments: list[Word], node: Node, context: Context) -> Output:
        for one in arguments:
            if not one.text.startswith("-") and context.stdin:
                self.written(one.text, context.stdin)
        return context.stdin or Output(UNKNOWN)

    def _run_read(self, arguments: list[Word], node: Node, context: Context) -> Output:
        names = [one.text for one in arguments if one.text.isidentifier()]
        for name in names:
            parts = context.stdin.parts if context.stdin else UNKNOWN
            self.state.assign(name, (Word(parts or UNKNOWN),), context)
        return Output()

    def _run_set(self, arguments: list[Word], node: Node, context: Context) -> Output:
        self.state.options(arguments)
        return Output()

    def _run_trap(self, arguments: list[Word], node: Node, context: Context) -> Output:
        self.state.trapped |= any(one.text in {"ERR", "EXIT"} for one in arguments[1:2]) or any(
            one.text == "ERR" for one in arguments
        )
        return Output()

    def _run_test(self, arguments: list[Word], node: Node, context: Context) -> Output:
        self.look([node])
        return Output()

    def _run_shift(self, arguments: list[Word], node: Node, context: Context) -> Output:
        self._arguments(self.state.values.get("@", ())[1:])
        return Output()
