"""What is known at a point of a shell script, and what was seen on the way there."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from tree_sitter import Node

from imdsctl.lint.facts import Known
from imdsctl.lint.readers._shell_pieces import Piece
from imdsctl.lint.readers._shell_words import Hole, Values, Word

Parts = tuple[str | Hole, ...]
UNKNOWN: Final[Parts] = (Hole(),)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command prints: its parts, and the text itself where the script holds it."""

    parts: Parts = ()
    piece: Piece | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """In which surroundings a command runs.

    Attributes:
        checked: whether somebody looks at its failure; empty where nobody said.
        masked: whether another command's status takes the place of its own.
        fallback: whether it runs only where no token was had.
        branches: the conditional parts of the script that it is in, outermost first.
        sink: the variable that takes its output.
        stdin: what it reads.
        remote: whether it runs in another system or container.
        depth: how deep in the script.
    """

    checked: Known | str = ""
    masked: bool = False
    fallback: bool = False
    branches: tuple[int, ...] = ()
    sink: str = ""
    stdin: Output | None = None
    remote: bool = False
    depth: int = 0

    def within(self, part: Node | None, **changes: object) -> "Context":
        """The context of a part that may not run at all."""
        start = part.start_byte if part is not None else -1
        return self.but(branches=(*self.branches, start), **changes)

    def but(self, **changes: object) -> "Context":
        """The same with some things changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class Seen:
    """One request with all that is needed to write its fix.

    `token_variable` holds a token for certain at this point; `tolerated` says that a failure here
    must not end the script.
    """

    node: Node
    program: Word
    url: Word
    client: str
    method: str
    host: str
    path: str
    token: Known
    token_from: str
    lifetime: Known
    fails: Known
    bypasses_proxy: Known
    proxy: str
    stored_in: str
    checked: Known
    follows: bool
    fallback: bool
    remote: bool = False
    token_variable: str = ""
    tolerated: bool = False

    @property
    def is_token_request(self) -> bool:
        """As `Request.is_token_request`."""
        return self.method == "PUT" or self.path.rstrip("/").endswith("/api/token")


@dataclass
class State:
    """Variables, files and options at a point of the script."""

    values: Values = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    functions: dict[str, Node] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    running: list[str] = field(default_factory=list)
    locals: list[dict[str, tuple[Word, ...] | None]] = field(default_factory=list)
    files: dict[str, Word] = field(default_factory=dict)
    errexit: bool = False
    pipefail: bool = False
    trapped: bool = False
    fetched: bool = False
    asked: int = 0

    def assign(self, name: str, value: tuple[Word, ...], context: Context) -> None:
        """Set a variable; a token that comes straight from its request is known by it now."""
        if len(value) == 1 and value[0].token and value[0].bare:
            hole = Hole(name, token=True, branches=context.branches)
            value = (Word((hole,), value[0].node),)
        self.values[name] = value

    def options(self, words: list[Word]) -> None:
        """What `set` with these arguments changes."""
        texts = [word.text for word in words]
        for at, text in enumerate(texts):
            on = text.startswith("-")
            if text in {"-o", "+o"} or (re.fullmatch(r"[-+][a-z]*o", text) is not None):
                name = texts[at + 1] if at + 1 < len(texts) else ""
                self.errexit = on if name == "errexit" else self.errexit
                self.pipefail = on if name == "pipefail" else self.pipefail
            if re.fullmatch(r"[-+][A-Za-z]*e[A-Za-z]*", text):
                self.errexit = on

    def joined(self, before: Values, one: Values) -> None:
        """Bring a branch's values together with those of the branch that ran before it.

        A variable that holds a token, or a header with one, on one of the ways counts as holding
        it: that the other way has none is what the script itself decides.
        """
        for name, words in one.items():
            now = self.values.get(name)
            if now is None or now == before.get(name) or (carries(words) and not carries(now)):
                self.values[name] = words

    def proxy(self, call_env: dict[str, Word], host: str) -> tuple[str, Known]:
        """The proxy that the environment names for a host, and whether it is passed by."""
        named = self._environment(call_env, ("http_proxy", "all_proxy", "ALL_PROXY"))
        if named is None or not named.text:
            return "", "unknown"
        without = self._environment(call_env, ("no_proxy", "NO_PROXY"))
        if without is None:
            return named.text, "no"
        hosts = re.split(r"[,\s]+", without.text)
        if host in hosts or "*" in hosts or any(one and host.startswith(one) for one in hosts):
            return named.text, "yes" if "*" not in hosts or without.known else "unknown"
        return named.text, "unknown" if not without.known or "/" in without.text else "no"

    def _environment(self, call_env: dict[str, Word], names: tuple[str, ...]) -> Word | None:
        for name in names:
            if name in call_env:
                return call_env[name]
            if name in self.exported and self.values.get(name):
                return self.values[name][0]
        return None


def carries(words: tuple[Word, ...]) -> bool:
    """Whether a token, or the header that takes one, is in a value."""
    return any(word.token or "x-aws-ec2-metadata-token:" in word.text.lower() for word in words)
