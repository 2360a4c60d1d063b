"""What the commands of a shell script do: those that ask over HTTP, and those that run others."""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Final

from tree_sitter import Node

from imdsctl.lint.facts import Setting
from imdsctl.lint.readers import _http_programs as programs
from imdsctl.lint.readers import _shell_pieces as pieces
from imdsctl.lint.readers._metadata_url import Target, is_address, mentions, target
from imdsctl.lint.readers._settings import is_setting, of_java
from imdsctl.lint.readers._shell_builtins import Builtins
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_state import UNKNOWN, Context, Output, Parts, Seen, State
from imdsctl.lint.readers._shell_words import Expander, Hole, Word
from imdsctl.lint.readers._shell_wrappers import ELSEWHERE, SAYS_ONLY, unwrapped
from imdsctl.lint.source import Source

_CALLS: Final = 4000
_MOST: Final = 100_000
_NESTED_CALLS: Final = 6
_REQUEST_LINE: Final = re.compile(r"(GET|HEAD|PUT|POST) (\S+) HTTP/")
_TCP: Final = re.compile(r"/dev/tcp/(\[?[^/\]]+\]?)/\d+")
_RUNS: Final = re.compile(r"run|exec|ssh|remote|retry|command|cmd", re.IGNORECASE)
_COMMAND_LINE: Final = re.compile(
    r"\s*(?:(?:sudo|timeout|nsenter|env|docker|kubectl)\s[^;|&]*)?(?:\S*/)?(?:curl|wget)\s"
    r"|\s*(?:sudo\s+)?(?:ba|da)?sh\s+-\w*c\s"
)
_URL_IN_CODE: Final = re.compile(r"https?://[^\s\"')]+")
_HTTP: Final = {
    "curl": programs.curl, "wget": programs.wget, "http": programs.httpie,
    "https": programs.httpie, "xh": programs.httpie, "xhs": programs.httpie,
    "GET": programs.lwp, "HEAD": programs.lwp, "lwp-request": programs.lwp,
}  # fmt: skip
_OWN_TOOLS: Final = {"ec2-metadata", "ec2metadata"}


class Commands(Builtins):
    """Runs single commands for a walk through a script.

    Attributes:
        seen: requests, in the order in which they run first.
        settings: switches of IMDS, and addresses that are handed to programs.
        embedded: scripts within the script.
        assigned: variables that were given the service's address.
        context: the surroundings of the command that is run now.
    """

    look: Callable[[Iterable[Node]], None]
    output: Callable[[Node], Parts]
    walk: Callable[[Node, Context], Output]

    def __init__(self, script: Script, state: State) -> None:
        self.script = script
        self.state = state
        self.context = Context()
        self.expander = Expander(script, state, self._output)
        self.known_functions: set[str] = set()
        self.seen: dict[tuple[object, ...], Seen] = {}
        self.settings: dict[tuple[int, str], Setting] = {}
        self.embedded: dict[tuple[int, str], Source] = {}
        self.assigned: dict[str, tuple[Word, Node]] = {}
        self._open: Target | None = None
        self._calls = 0

    def _output(self, node: Node) -> Parts:
        return self.output(node)

    def command(self, node: Node, context: Context) -> Output:
        """Run a `command` node."""
        # What a command in its arguments prints goes to this command, not to the variable.
        arguments = context.but(sink="")
        self.context = arguments
        environment: dict[str, Word] = {}
        words: list[Word] = []
        for child in node.named_children:
            if child.type == "variable_assignment":
                name = child.child_by_field_name("name")
                if name is not None:
                    value = self.expander.value(child.child_by_field_name("value"))
                    environment[self.script.text(name)] = value
                    self.settled(child, self.script.text(name), (value,))
            elif child.type == "command_name":
                words += (
                    self.expander.words(child.named_children[0]) if child.named_children else []
                )
            elif not child.type.endswith("_redirect"):
                words += self.expander.words(child)
            self.context = arguments
        return self.execute(words, node, context, environment)

    def execute(
        self, words: list[Word], node: Node, context: Context, environment: dict[str, Word]
    ) -> Output:
        """Run a command of words, through whatever stands before the program itself."""
        while words:
            name = PurePosixPath(words[0].text).name
            if name in self.state.functions:
                return self._called(name, words, context)
            if words[0].text in self.known_functions:
                self.state.fetched = True
                return Output((Hole(token=True),))
            if name == "xargs" and context.stdin is not None:
                words = [*words, *(Word((one,)) for one in _lines(context.stdin))]
            inner = unwrapped(name, words, environment)
            if inner is None:
                return self._program(name, words, node, context, environment)
            if name in ELSEWHERE:
                context = context.but(remote=True)
            words = inner
        return Output()

    def settled(self, node: Node, name: str, words: tuple[Word, ...]) -> None:
        """An assignment was made; some say how IMDS is used."""
        if words and is_setting(name):
            self.setting(node, name, words[0].text)
        elif len(words) == 1 and mentions(words[0].text):
            self.assigned.setdefault(name, (words[0], node))

    def setting(self, node: Node, name: str, value: str) -> None:
        """Remember a setting by its place."""
        place = self.script.place(node)
        self.settings[node.start_byte, name] = Setting(place=place, name=name, value=value)

    def opened(self, node: Node, path: str, context: Context) -> None:
        """A redirection names a file; in bash `/dev/tcp/HOST/PORT` is a connection."""
        if (found := _TCP.search(path)) and is_address(found[1].strip("[]")):
            self._open = Target(found[1].strip("[]"), "")

    def written(self, path: str, found: Output) -> None:
        """A file takes the output of a command."""
        self.state.files[path] = Word(found.parts or UNKNOWN)
        piece = found.piece
        if piece is None or path == "/dev/null":
            return
        kind = pieces.kind_of_file(path, piece.text)
        if kind is not None:
            self.embed(piece, kind, f"{PurePosixPath(path).name} that it writes")

    def embed(self, piece: pieces.Piece, kind: str, inside: str) -> None:
        """A script within this one is read in its turn."""
        if len(self.embedded) < _MOST:
            self.embedded[piece.line, piece.text] = pieces.embedded(
                self.script.source, piece, kind, inside, self.state.values
            )

    def _called(self, name: str, words: list[Word], context: Context) -> Output:
        """Follow a call into a function of the script."""
        self._calls += 1
        running = self.state.running
        if name in running or len(running) > _NESTED_CALLS or self._calls > _CALLS:
            return Output(UNKNOWN)
        self.state.called.add(name)
        kept = {one: self.state.values.get(one) for one in ("@", "*", *"123456789")}
        arguments = tuple(Word(word.parts, word.node) for word in words[1:])
        self._arguments(arguments)
        running.append(name)
        self.state.locals.append({})
        found = self.walk(self.state.functions[name], context)
        running.pop()
        for one, value in (kept | self.state.locals.pop()).items():
            if value is None:
                self.state.values.pop(one, None)
            else:
                self.state.values[one] = value
        return found

    def _arguments(self, arguments: tuple[Word, ...]) -> None:
        self.state.values["@"] = self.state.values["*"] = arguments
        for number in range(1, 10):
            value = arguments[number - 1 : number]
            self.state.values[str(number)] = value or (Word(("",)),)

    def _program(
        self,
        name: str,
        words: list[Word],
        node: Node,
        context: Context,
        environment: dict[str, Word],
    ) -> Output:
        arguments = words[1:]
        http = _http_program(words[0])
        if http:
            return self._http(http, words, node, context, environment)
        if kind := pieces.interpreter(words[0].text):
            return self._interpreted(kind, arguments, context)
        if name in _OWN_TOOLS:
            self._see(
                node, words[0], Word(), name, Target("", ""), programs.Call(opaque=True), context
            )
            return Output(UNKNOWN)
        builtin = getattr(self, f"_run_{name}", None) if name.isidentifier() else None
        if builtin is not None:
            return builtin(arguments, node, context)  # type: ignore[no-any-return]
        return self._other(name, words, node, context, environment)

    def _other(
        self,
        name: str,
        words: list[Word],
        node: Node,
        context: Context,
        environment: dict[str, Word],
    ) -> Output:
        """A program that is not known: it may run one that is, or be handed the address."""
        if name in SAYS_ONLY:
            return Output(UNKNOWN)
        if any(programs.TOKEN in word.text.lower() for word in words):
            # A function of a sourced file, most likely, which hands the header on.
            self.state.fetched = True
            return Output((Hole(token=any(programs.LIFETIME in w.text.lower() for w in words)),))
        if name in {"nc", "ncat", "netcat", "telnet"} and any(map(programs.is_host, words)):
            self._open = Target(next(w.text for w in words if programs.is_host(w)), "")
            said = context.stdin.parts if context.stdin else ()
            return Output((Hole(token=self._spoken(said, node, words[0], context)),))
        for at, word in enumerate(words[1:], 1):
            if _HTTP.get(word.text) and word.text in {"curl", "wget"} and word.own:
                return self.execute(
                    words[at:], node, context.but(remote=name in ELSEWHERE), environment
                )
            if name in ELSEWHERE and pieces.interpreter(word.text) == "shell":
                return self.execute(words[at:], node, context.but(remote=True), environment)
            if java := of_java(word.text):
                self.setting(node, *java)
            elif " " in word.text.strip():
                # A sentence or a test's text names the address too; a command line asks it.
                self._handed(name, word)
            elif "://" in word.text and mentions(word.text):
                self.setting(node, f"argument of {name}", word.text)
        return Output(context.stdin.parts if context.stdin else UNKNOWN)

    def _handed(self, name: str, word: Word) -> None:
        """An argument that is a whole command line, of a function that runs it somewhere."""
        if mentions(word.text) and _RUNS.search(name) and _COMMAND_LINE.match(word.text):
            piece = pieces.of_word(self.script, word)
            if piece is not None:
                self.embed(piece, "shell", f"command of {name}")

    def _http(
        self,
        name: str,
        words: list[Word],
        node: Node,
        context: Context,
        environment: dict[str, Word],
    ) -> Output:
        call = _HTTP[name](words[1:])
        if name == "HEAD":
            call.method = name
        token = False
        if call.elsewhere or call.of_another_cloud:
            return Output(UNKNOWN)
        for url in call.urls:
            found = target(url.text)
            if found is None:
                continue
            seen = self._see(node, words[0], url, name, found, call, context, environment)
            token = token or (seen.is_token_request and seen.method == "PUT")
        parts = (Hole(token=token),)
        if call.output:
            self.state.files[call.output] = Word(parts)
            return Output()
        return Output(parts)

    def _see(
        self,
        node: Node,
        program: Word,
        url: Word,
        client: str,
        at: Target,
        call: programs.Call,
        context: Context,
        environment: dict[str, Word] | None = None,
    ) -> Seen:
        header = call.header(programs.TOKEN)
        proxy, bypasses = call.proxy or "", "yes" if call.bypasses(at.host) else "unknown"
        if not proxy and bypasses != "yes":
            proxy, bypasses = self.state.proxy(environment or {}, at.host)
        elif proxy and bypasses != "yes":
            bypasses = "no"
        seen = Seen(
            node=node,
            program=program,
            url=url,
            client=client,
            method=call.method,
            host=at.host,
            path=at.path,
            token=call.sends(programs.TOKEN),
            token_from=next((one.name for one in header.holes if one.name), "") if header else "",
            lifetime=call.sends(programs.LIFETIME),
            fails=call.fails,
            bypasses_proxy=bypasses,  # type: ignore[arg-type]
            proxy=proxy,
            stored_in=context.sink,
            checked=self._checked(call, context),  # type: ignore[arg-type]
            follows=self.state.fetched,
            fallback=context.fallback,
            remote=context.remote,
            token_variable=self._token_variable(context),
            tolerated=bool(context.checked) or context.masked,
        )
        if seen.is_token_request and seen.method in {"PUT", ""}:
            self.state.fetched = True
            self.state.asked += 1
        elif seen.token == "yes":  # noqa: S105 - whether there is one
            self.state.asked += 1
        key = (node.start_byte, seen.method, seen.is_token_request, seen.token, seen.fallback)
        before = self.seen.get(key)
        if before is not None and before.token_variable != seen.token_variable:
            # A function that is called with a token and without one.
            before.token_variable = ""
        elif before is None and len(self.seen) < _MOST:
            self.seen[key] = seen
        return seen

    def _checked(self, call: programs.Call, context: Context) -> str:
        """Whether a failure is looked at; of a call that does not fail nobody can say."""
        if context.checked:
            return context.checked
        if self.state.trapped or (self.state.errexit and not context.masked):
            return "yes"
        return "no" if call.fails == "yes" else "unknown"

    def _token_variable(self, context: Context) -> str:
        for name, words in self.state.values.items():
            for hole in words[0].holes if len(words) == 1 else ():
                if hole.branches is None or not words[0].bare or not name.isidentifier():
                    continue
                if hole.token and context.branches[: len(hole.branches)] == hole.branches:
                    return name
        return ""

    def _spoken(self, said: Parts, node: Node, program: Word, context: Context) -> bool:
        """HTTP that a script speaks itself, through nc or /dev/tcp; whether it asks for a token."""
        text = Word(said).text.replace("\\r", "\r").replace("\\n", "\n")
        found = _REQUEST_LINE.search(text)
        if self._open is None or not found:
            return False
        host = f"[{self._open.host}]" if ":" in self._open.host else self._open.host
        at = target(f"http://{host}{found[2]}")
        if at is None:
            return False
        headers = [Word((line.strip(),)) for line in text.splitlines()[1:]]
        call = programs.Call(method=found[1], headers=headers)
        client = (
            PurePosixPath(program.text).name
            if program.text in {"nc", "ncat", "netcat", "telnet"}
            else "/dev/tcp"
        )
        seen = self._see(node, Word(), Word(), client, at, call, context)
        return seen.is_token_request and seen.method == "PUT"

    def _interpreted(self, kind: str, arguments: list[Word], context: Context) -> Output:
        """`sh -c TEXT`, `python3 - <<EOF` and the like."""
        options = pieces.COMMAND_OPTIONS[kind]
        piece = None
        texts = [word.text for word in arguments]
        for at, text in enumerate(texts[:-1]):
            name = text.lstrip("-")
            if text.startswith("-") and (
                name in options
                or (kind == "shell" and name.endswith("c") and not text.startswith("--"))
            ):
                piece = pieces.of_word(self.script, arguments[at + 1])
                break
        else:
            reads = (
                not any(not text.startswith("-") for text in texts) or "-s" in texts or "-" in texts
            )
            piece = context.stdin.piece if context.stdin and reads else None
        if piece is not None:
            self.embed(piece, kind, f"{kind} that it runs")
        return Output(UNKNOWN)

    def _run_perl(self, arguments: list[Word], node: Node, context: Context) -> Output:
        """One-liners with LWP::Simple, which has no way to send a header."""
        code = " ".join(one.text for one in arguments)
        url = _URL_IN_CODE.search(code)
        at = target(url[0]) if url and "LWP::Simple" in code else None
        if at is None:
            return self._other("perl", [Word(("perl",)), *arguments], node, context, {})
        call = programs.Call(fails="no")
        self._see(node, Word(), Word(), "LWP::Simple", at, call, context)
        return Output(UNKNOWN)

    def _run_eval(self, arguments: list[Word], node: Node, context: Context) -> Output:
        piece = pieces.of_word(self.script, arguments[0]) if len(arguments) == 1 else None
        if piece is not None and piece.expanded:
            # The text is read again once its variables are filled in: quotes in them count.
            shown = pieces.filled_in(arguments[0])
            piece = pieces.Piece(shown, piece.line, expanded=True) if shown else piece
        if piece is not None:
            self.embed(piece, "shell", "text that it evaluates")
            return Output(UNKNOWN)
        return self.execute(arguments, node, context, {})

    def _run_su(self, arguments: list[Word], node: Node, context: Context) -> Output:
        for at, word in enumerate(arguments[:-1]):
            piece = pieces.of_word(self.script, arguments[at + 1])
            if word.text in {"-c", "--command"} and piece is not None:
                self.embed(piece, "shell", "shell that it runs")
        return Output(UNKNOWN)

    def _run_ssh(self, arguments: list[Word], node: Node, context: Context) -> Output:
        last = pieces.of_word(self.script, arguments[-1]) if arguments else None
        if last is not None and len(arguments) > 1 and " " in last.text:
            self.embed(last, "shell", "shell on another host")
        elif context.stdin and context.stdin.piece:
            self.embed(context.stdin.piece, "shell", "shell on another host")
        else:
            return self._other("ssh", [Word(("ssh",)), *arguments], node, context, {})
        return Output(UNKNOWN)


def _http_program(word: Word) -> str:
    """Which HTTP program a word names; a variable like $CURL says it by its own name."""
    name = PurePosixPath(word.text).name
    if name in _HTTP:
        return name
    if word.bare and word.holes:
        variable = word.holes[0].name.lower()
        return next((one for one in ("curl", "wget") if one in variable), "")
    return ""


def _lines(found: Output) -> list[str]:
    return [line for one in found.parts if isinstance(one, str) for line in one.split()][:50]
