"""What makes the requests of a shell script IMDSv2's, where that is safe to say.

A call that stands where its statement always runs gets its token from a line before that statement,
in the same list of commands; one that runs only sometimes (behind `&&`, in the condition of a
loop) gets it in place. No edit is offered where the words of the call come from somewhere else,
where it runs in another system, within text that is quoted, or where the parser is not sure.
"""

import bisect
import re
from collections.abc import Iterable
from typing import Final

from tree_sitter import Node

from imdsctl.lint import tokens
from imdsctl.lint.facts import Edit
from imdsctl.lint.readers._metadata_url import IPV4, IPV6
from imdsctl.lint.readers._shell_pieces import is_verbatim
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_state import Seen

_HIGHEST: Final = 300
_NAMES: Final = ("IMDS_TOKEN", "IMDSV2_TOKEN")
_TRANSPARENT: Final = {
    "list", "pipeline", "redirected_statement", "negated_command", "variable_assignment",
    "declaration_command", "string", "concatenation", "command", "command_name", "array",
    "file_redirect", "herestring_redirect", "heredoc_redirect", "heredoc_body", "test_command",
    "for_statement", "binary_expression", "unary_expression", "expansion", "subshell",
    "parenthesized_expression", "variable_assignments",
}  # fmt: skip
_LISTS: Final = {"program", "compound_statement", "do_group", "else_clause", "case_item"}


class _Spot:
    """Where the token of a call can come from: before `statement`, or (`inline`) in the call."""

    def __init__(self, block: Node, statement: Node, above: list[Node], *, inline: bool) -> None:
        self.block = block
        self.statement = statement
        self.inline = inline
        # Whether `"…$(…)"` can stand in the call: not within backquotes.
        self.quotable = not any(
            one.type == "command_substitution" and one.children[0].type == "`" for one in above
        )


def edits(script: Script, seen: list[Seen]) -> list[tuple[Edit, ...]]:
    """The edits of each request, in the same order."""
    parents = _Parents(script.root)
    spots = [_spot(one, parents) if _editable(script, one) else None for one in seen]
    lines = _Lines(script)
    for one, spot in zip(seen, spots, strict=True):
        if spot is not None and not spot.inline and _lacks_token(one) and not one.token_variable:
            lines.needs(one, spot)
    return [
        _edits_of(script, one, spot, lines) if spot is not None else ()
        for one, spot in zip(seen, spots, strict=True)
    ]


def _edits_of(script: Script, one: Seen, spot: _Spot, lines: "_Lines") -> tuple[Edit, ...]:
    if one.is_token_request:
        return tuple(_of_token_request(script, one))
    if not _lacks_token(one):
        return ()
    if one.token_variable:
        return (_header(script, one, f"${one.token_variable}"),)
    if spot.inline:
        return (
            (_header(script, one, f"$({tokens.fetch(one.client, one.host)})"),)
            if spot.quotable
            else ()
        )
    if not lines.name:
        return ()
    return lines.of(one, spot), _header(script, one, f"${lines.name}")


class _Lines:
    """The lines that fetch a token: one for each list of commands, before the first that asks."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.name = next((one for one in _NAMES if self._is_free(one)), "")
        self._first: dict[tuple[int, str], tuple[Node, Seen]] = {}
        self._tolerated: set[tuple[int, str]] = set()

    def _is_free(self, name: str) -> bool:
        """Whether a name is not used yet, or only for tokens that are fetched as here."""
        text = self.script.slice(0, len(self.script.data))
        fetch = rf"\b{name}=\$\((?:curl -sf -X PUT|wget -qO- --method=PUT) "
        fetched = len(re.findall(fetch, text))
        assigned = len(re.findall(rf"\b{name}\+?=", text))
        return name not in text or (fetched > 0 and fetched == assigned)

    def needs(self, one: Seen, spot: _Spot) -> None:
        """A call needs a token at a spot."""
        key = (spot.block.id, one.host)
        first = self._first.get(key)
        if first is None or spot.statement.start_byte < first[0].start_byte:
            self._first[key] = spot.statement, one
        if one.tolerated:
            self._tolerated.add(key)

    def of(self, one: Seen, spot: _Spot) -> Edit:
        """The line for a call: indented as the statement that it stands before.

        It is the same for every call that it serves, so that each of them can be fixed alone.
        """
        key = (spot.block.id, one.host)
        statement, first = self._first[key]
        start = statement.start_byte
        line = self.script.data.rfind(b"\n", 0, start) + 1
        indent = self.script.slice(line, start)
        end = f"\n{indent}" if not indent.strip() else "; "
        # What the script could live without must not end it now, where `set -e` is on.
        rescue = " || true" if key in self._tolerated else ""
        at = self.script.character(start)
        return Edit(
            start=at,
            end=at,
            text=f"{self.name}=$({tokens.fetch(first.client, first.host)}){rescue}{end}",
        )


def _lacks_token(one: Seen) -> bool:
    return one.token == "no" and one.method in {"GET", "HEAD"} and not one.fallback  # noqa: S105


def _editable(script: Script, one: Seen) -> bool:
    """Whether the call's own words can be changed without changing anything else."""
    program = one.program.node
    return (
        is_verbatim(script.source)
        and not one.remote
        and one.client in {"curl", "wget"}
        and one.host in {IPV4, IPV6}
        and program is not None
        and one.node.start_byte <= program.start_byte
        and program.end_byte <= one.node.end_byte
        and not one.node.has_error
        and script.data[: len(script.source.data)] == script.source.data
        and _takes_options(script, program)
    )


def _takes_options(script: Script, program: Node) -> bool:
    """Whether what stands right behind the program's word is its first argument."""
    if script.text(program).strip("\"'").endswith(("curl", "wget")):
        return True
    # A variable that holds the program, with or without options, where it stands first.
    return program.parent is not None and program.parent.type == "command_name"


def _spot(one: Seen, parents: "_Parents") -> _Spot | None:
    """Climb from a call to the list of commands that it stands in."""
    inline = False
    above = parents.of(one.node)
    node = one.node
    for at, parent in enumerate(above):
        kind = parent.type
        if kind in _LISTS or (
            kind in {"if_statement", "elif_clause"} and _behind_then(parent, node)
        ):
            return _Spot(parent, node, above[:at], inline=inline)
        if kind in {"command_substitution", "process_substitution"}:
            # Quotes within backquotes within quotes are read differently by every shell.
            if parent.children[0].type == "`" and (
                inline or any(one.type == "string" for one in above[at:])
            ):
                return None
            inline = inline or parent.named_children[0] != node
        elif kind in {"list", "subshell"}:
            inline = inline or parent.named_children[0] != node
        elif kind in {"while_statement", "elif_clause", "c_style_for_statement"}:
            inline = True
        elif kind not in _TRANSPARENT and kind != "if_statement":
            return None
        node = parent
    return None


def _behind_then(parent: Node, node: Node) -> bool:
    then = next((one for one in parent.children if one.type == "then"), None)
    return then is not None and node.start_byte > then.start_byte


class _Parents:
    """Who stands above a node: the library asks the whole tree for each step, this does once."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._statements = root.children
        self._starts = [one.start_byte for one in self._statements]
        self._parents: dict[int, Node] = {}

    def of(self, node: Node) -> list[Node]:
        """The nodes above one, nearest first; none where there are too many to look at."""
        at = bisect.bisect_right(self._starts, node.start_byte) - 1
        top = self._statements[max(at, 0)]
        if top.id not in self._parents:
            self._parents[top.id] = self._root
            waiting = [top]
            while waiting:
                one = waiting.pop()
                for child in one.children:
                    self._parents[child.id] = one
                    waiting.append(child)
        above: list[Node] = []
        while (parent := self._parents.get(node.id)) is not None:
            above.append(parent)
            node = parent
            if len(above) > _HIGHEST:
                return []
        return above


def _header(script: Script, one: Seen, value: str) -> Edit:
    return _behind_program(script, one, f" {tokens.sends(one.client, value)}")


def _behind_program(script: Script, one: Seen, text: str) -> Edit:
    assert one.program.node is not None
    at = script.character(one.program.node.end_byte)
    return Edit(start=at, end=at, text=text)


def _of_token_request(script: Script, one: Seen) -> Iterable[Edit]:
    """A token request that fails on an error, says a lifetime and asks the right path."""
    added = ""
    if one.client == "curl" and one.fails == "no":
        added += " -f"
    if one.method == "PUT" and one.lifetime == "no":
        added += f" {tokens.lifetime(one.client)}"
    if added:
        yield _behind_program(script, one, added)
    node = one.url.node
    if one.path.rstrip("/").endswith("/api/token") and one.path != "/latest/api/token" and node:
        text = script.text(node)
        found = re.search(r"/(?:latest|\d{4}-\d\d-\d\d|1\.0)/api/token/*(?=[\"']?$)", text)
        if found and text.count(found[0]) == 1:
            start = script.character(node.start_byte) + found.start()
            yield Edit(start=start, end=start + len(found[0]), text="/latest/api/token")
