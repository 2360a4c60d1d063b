"""What a shell makes of a word: its text, with holes where only a run would tell."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from tree_sitter import Node

from imdsctl.lint.readers._shell_script import Script


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of a word that is not known.

    Attributes:
        name: the variable whose value it is; empty for a command's output.
        token: whether it is a session token.
        branches: the conditional parts of the script within which it was fetched, None where it
            comes from elsewhere; there, and in the parts within them, it is there for certain.
    """

    name: str = ""
    token: bool = False
    branches: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word: pieces of text and holes.

    Attributes:
        parts: in order.
        node: where it comes from.
        own: whether the node is this word and no other (not one of several in a variable).
    """

    parts: tuple[str | Hole, ...] = ()
    node: Node | None = None
    own: bool = False

    @property
    def text(self) -> str:
        """Its text, `*` for each hole."""
        return "".join(one if isinstance(one, str) else "*" for one in self.parts)

    @property
    def known(self) -> bool:
        """Whether there is no hole in it."""
        return all(isinstance(one, str) for one in self.parts)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Its holes."""
        return tuple(one for one in self.parts if isinstance(one, Hole))

    @property
    def token(self) -> bool:
        """Whether a session token is in it."""
        return any(hole.token for hole in self.holes)

    @property
    def bare(self) -> bool:
        """Whether nothing of it is known."""
        return "*" in self.text and not self.text.strip("*")


Values = dict[str, tuple[Word, ...]]
_LONGEST: Final = 4096
_MOST: Final = 200
_UNQUOTED: Final = re.compile(r"\\(\n|.)", re.DOTALL)
_IN_QUOTES: Final = re.compile(r"\\(\n|[$`\"\\])")


class Holder(Protocol):
    """Whatever holds the variables at this point of the script."""

    values: Values


@dataclass
class Expander:
    """Expands the words of one script against the values that are known so far.

    Attributes:
        script: the script.
        holder: of the variables (an array has several words; `@` are a function's arguments).
        outputs: runs a command substitution and tells what it prints.
        used: names of variables that were read, with the last place.
        tested: those that were asked for with `${NAME:?}` or `${NAME:-…}`.
    """

    script: Script
    holder: Holder
    outputs: Callable[[Node], tuple[str | Hole, ...]]
    used: dict[str, int] = field(default_factory=dict)
    tested: dict[str, int] = field(default_factory=dict)

    def words(self, node: Node) -> list[Word]:
        """The words that an argument becomes."""
        kind = node.type
        if kind in {"word", "raw_string", "ansi_c_string", "number", "regex", "extglob_pattern"}:
            return [Word((self._plain(node),), node, own=True)]
        if kind == "string":
            return self._several(node) or [Word(tuple(self._quoted(node)), node, own=True)]
        if kind in {"simple_expansion", "expansion"}:
            return [
                piece
                for one in self._expansion(node)
                for piece in _split(Word(one.parts, node), own=False)
            ]
        if kind == "command_substitution":
            return _split(Word(self.outputs(node), node), own=False) or [Word((Hole(),), node)]
        if kind == "concatenation":
            return self._glued(node)
        return [Word(tuple(self._parts(node)), node, own=True)]

    def _glued(self, node: Node) -> list[Word]:
        """`${NAME}/more`: a value that is not quoted may be several words, and the last goes on."""
        words: list[Word] = []
        current: list[str | Hole] = []
        at = node.start_byte
        for child in node.children:
            current.append(self.script.slice(at, child.start_byte))
            at = child.end_byte
            if child.type not in {"simple_expansion", "expansion"}:
                current.extend(self._parts(child))
                continue
            for index, one in enumerate(
                piece for word in self._expansion(child) for piece in _split(word, own=False)
            ):
                if index:
                    words.append(Word(_joined(current), node))
                    current = []
                current.extend(one.parts)
        return [*words, Word(_joined(current), node, own=not words)]

    def value(self, node: Node | None) -> Word:
        """The one word that an assignment takes."""
        return Word(_joined(self._parts(node)), node, own=True) if node is not None else Word(("",))

    def array(self, node: Node) -> tuple[Word, ...]:
        """The words of `( … )`."""
        return tuple(word for child in node.named_children for word in self.words(child))[:_MOST]

    def _parts(self, node: Node) -> Iterator[str | Hole]:  # noqa: C901 - a table of node types
        match node.type:
            case "string":
                yield from self._quoted(node)
            case "concatenation":
                at = node.start_byte
                for child in node.children:
                    yield self.script.slice(at, child.start_byte)
                    yield from self._parts(child)
                    at = child.end_byte
            case "simple_expansion" | "expansion":
                for index, word in enumerate(self._expansion(node)):
                    yield from ((" ",) if index else ())
                    yield from word.parts
            case "command_substitution":
                yield from self.outputs(node)
            case "process_substitution":
                self.outputs(node)
                yield Hole()
            case "arithmetic_expansion" | "brace_expression":
                yield Hole()
            case "word" | "raw_string" | "ansi_c_string" | "number" | "string_content":
                yield self._plain(node)
            case "variable_name" | "special_variable_name":
                yield self.script.text(node)
            case _:
                yield self._plain(node) if not node.named_child_count else Hole()

    def _plain(self, node: Node) -> str:
        text = self.script.text(node)
        match node.type:
            case "raw_string":
                return text[1:-1]
            case "ansi_c_string":
                return text[2:-1].replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
            case "string_content" | "heredoc_content":
                return _IN_QUOTES.sub(lambda found: found[1].strip("\n"), text)
            case _:
                return _UNQUOTED.sub(lambda found: found[1].strip("\n"), text)

    def _quoted(self, node: Node) -> Iterator[str | Hole]:
        """The parts between double quotes; the grammar leaves out blanks, which count here."""
        at = node.start_byte + 1
        for child in node.named_children:
            yield self.script.slice(at, child.start_byte)
            yield from self._parts(child)
            at = child.end_byte
        yield self.script.slice(at, max(at, node.end_byte - 1))

    def _several(self, node: Node) -> list[Word]:
        """The words of `"$@"` and `"${NAME[@]}"`, none for another string."""
        inner = node.named_children
        if len(inner) != 1 or self.script.slice(node.start_byte + 1, inner[0].start_byte):
            return []
        text = self.script.text(inner[0])
        if text not in {"$@", "${@}", '"$@"'} and "[@]" not in text:
            return []
        return [Word(one.parts, node) for one in self._expansion(inner[0])]

    def _expansion(self, node: Node) -> list[Word]:  # noqa: C901 - a table of operators
        """What `$NAME` or `${NAME…}` stands for."""
        named = node.named_children
        if not named:
            return [Word((Hole(),), node)]
        name, index = self._name(named[0])
        operator = next((one.type for one in node.children[1:-1] if not one.is_named), "")
        first = node.children[1].type if len(node.children) > 1 else ""
        self.used[name] = node.start_byte
        values = self.holder.values.get(name)
        if index.isdigit() and values is not None:
            values = values[int(index) : int(index) + 1]
        if first == "#":
            return [Word((Hole(name),), node)]
        if first == "!":
            return self._indirect(name, values, node)
        rest = [one for one in named[1:] if one.type != "subscript"]
        match operator:
            case ":-" | "-" | ":=" | "=":
                return self._default(name, values, rest, assigns="=" in operator, at=node)
            case ":+" | "+":
                return self._alternative(values, rest)
            case ":?" | "?":
                self.tested[name] = node.start_byte
            case "%" | "%%" if values and len(values) == 1 and values[0].known and rest:
                return [Word((values[0].text.removesuffix(self.script.text(rest[0])),), node)]
            case "" | "[" | "]" | ",," | "^^" | "#" | "##" | "@":
                pass
            case _:
                # Cut or replaced: no longer known, but still a token if it was one.
                token = any(word.token for word in values or ())
                return [Word((Hole(name, token=token),), node)]
        if values is None:
            return [Word((Hole(name),), node)]
        return list(values)

    def _indirect(self, name: str, values: tuple[Word, ...] | None, node: Node) -> list[Word]:
        """`${!NAME}`: the value of the variable whose name NAME holds."""
        if values and len(values) == 1 and values[0].text in self.holder.values:
            self.used[values[0].text] = node.start_byte
            return list(self.holder.values[values[0].text])
        return [Word((Hole(name),), node)]

    def _name(self, node: Node) -> tuple[str, str]:
        if node.type == "subscript":
            index = node.child_by_field_name("index")
            name = node.child_by_field_name("name")
            return (
                self.script.text(name) if name else "",
                self.script.text(index) if index else "",
            )
        return self.script.text(node), ""

    def _default(
        self,
        name: str,
        values: tuple[Word, ...] | None,
        rest: list[Node],
        *,
        assigns: bool,
        at: Node,
    ) -> list[Word]:
        if rest and self.script.text(rest[0]).strip("\"'"):
            self.tested[name] = at.start_byte
        if values and any(word.text for word in values):
            return list(values)
        default = [word for one in rest for word in self._spaced(one)]
        if values is None and not default:
            return [Word((Hole(name),), at)]
        if assigns:
            self.holder.values[name] = tuple(default)
        return default

    def _alternative(self, values: tuple[Word, ...] | None, rest: list[Node]) -> list[Word]:
        """`${NAME:+word}`, taken as if NAME were set unless it is known to be empty."""
        alternative = [word for one in rest for word in self._spaced(one)]
        if values is not None and not any(word.parts and word.text for word in values):
            return []
        return alternative

    def _spaced(self, node: Node) -> list[Word]:
        """The words of `-H "Name: $VALUE"` behind an operator, which the grammar takes as one."""
        if node.type != "concatenation":
            return self.words(node)
        words: list[Word] = []
        parts: list[str | Hole] = []
        at = node.start_byte
        for child in node.children:
            if child.start_byte > at and parts:
                words.append(Word(tuple(parts), node))
                parts = []
            parts.extend(self._parts(child))
            at = child.end_byte
        return [*words, Word(tuple(parts), node)]


def _joined(parts: Iterable[str | Hole]) -> tuple[str | Hole, ...]:
    """Parts with neighbouring texts put together, cut where they grow without end."""
    joined: list[str | Hole] = []
    size = 0
    for part in parts:
        if isinstance(part, str):
            size += len(part)
            if size > _LONGEST:
                return (*joined, Hole())
            if joined and isinstance(joined[-1], str):
                joined[-1] += part
                continue
        joined.append(part)
        if len(joined) > _MOST:
            break
    return tuple(joined)


def _split(word: Word, *, own: bool) -> list[Word]:
    """The words that an unquoted value falls into at its blanks."""
    words: list[Word] = []
    current: list[str | Hole] = []
    for part in word.parts:
        if isinstance(part, Hole):
            current.append(part)
            continue
        pieces = re.split(r"\s+", part)
        for index, piece in enumerate(pieces):
            if index and current:
                words.append(Word(tuple(current), word.node, own))
                current = []
            if piece:
                current.append(piece)
    if current:
        words.append(Word(tuple(current), word.node, own))
    return words[:_MOST]
