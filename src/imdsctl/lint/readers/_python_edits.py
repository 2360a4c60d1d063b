"""What makes a Python program's request an IMDSv2 one, where it is plain what to write.

Two pieces: a function that fetches a token, behind the imports, and the header of the request. Both
leave alone what is not plain: headers in a variable, clients with proxies, imports inside of
functions, Python 2, programs that have a token of their own.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from tree_sitter import Node

from imdsctl.lint.facts import Edit
from imdsctl.lint.readers._seen import Seen
from imdsctl.lint.source import Source
from imdsctl.lint.tokens import TOKEN

_HOSTS: Final = {"169.254.169.254": "169.254.169.254", "fd00:ec2::254": "[fd00:ec2::254]"}
_HELPER: Final = "_imds_token"
_HEADER: Final = f'"{TOKEN}": {_HELPER}()'
_REQUESTS: Final = '''


def _imds_token():
    """A session token of IMDSv2."""
    response = {library}.put(
        "http://{host}/latest/api/token",
        headers={{"X-aws-ec2-metadata-token-ttl-seconds": "21600"}},
        timeout=2,
    )
    response.raise_for_status()
    return response.text
'''
_URLLIB: Final = '''


def _imds_token():
    """A session token of IMDSv2."""
    from urllib.request import Request, urlopen

    request = Request(
        "http://{host}/latest/api/token",
        headers={{"X-aws-ec2-metadata-token-ttl-seconds": "21600"}},
        method="PUT",
    )
    with urlopen(request, timeout=2) as response:
        return response.read().decode()
'''
_IMPORTS: Final = {"import_statement", "import_from_statement", "future_import_statement"}


def mark(source: Source, root: Node, seen: Iterable[Seen]) -> None:
    """Give the requests that can be edited safely their edits."""
    waiting = list(seen)
    own = f'def {_HELPER}():\n    """A session token of IMDSv2.' in source.text.replace("\r", "")
    if (_HELPER in source.text) is not own:
        return
    tokens = [one for one in waiting if one.is_token_request]
    if not own and tokens:
        return
    editing = _Editing(source, root, own)
    by_form: dict[tuple[int, int], list[Seen]] = {}
    for one in waiting:
        by_form.setdefault(one.form.at, []).append(one)
    for same in by_form.values():
        if all(_is_plain(one) for one in same):
            edits = editing.of(same[0])
            for one in same:
                one.edits = edits


def _is_plain(one: Seen) -> bool:
    return (
        one.token == "no"  # noqa: S105 - whether there is one
        and one.method in {"GET", "HEAD"}
        and one.host in _HOSTS
        and one.bypasses_proxy == "no"
        and not one.proxy
        and one.origin is not None
    )


class _Editing:
    """The edits of one text: all its requests share one function, and so its library and host."""

    def __init__(self, source: Source, root: Node, own: bool) -> None:  # noqa: FBT001
        self._source = source
        self._root = root
        self._own = own
        self._helper: Edit | None = None
        self._host = ""

    def of(self, one: Seen) -> tuple[Edit, ...]:
        """What makes this request an IMDSv2 one; empty if that is not plain."""
        assert one.origin is not None
        call = self._root.descendant_for_byte_range(*one.origin.at)
        if call is None or call.type != "call":
            return ()
        library, edits = self._request(one, call)
        helper = self._function(library, one.host) if edits else None
        if not edits or helper is None:
            return ()
        return (*edits, *helper)

    def _function(self, library: str, host: str) -> tuple[Edit, ...] | None:
        if self._own:
            return ()
        if self._helper is not None:
            return (self._helper,) if host == self._host else None
        position = self._behind_imports(library)
        if position is None:
            return None
        template = _URLLIB if library == "urllib.request" else _REQUESTS
        text = template.format(library=library, host=_HOSTS[host]).rstrip("\n")
        if "\r\n" in self._source.text:
            text = text.replace("\n", "\r\n")
        self._helper, self._host = Edit(start=position, end=position, text=text), host
        return (self._helper,)

    def _request(self, one: Seen, call: Node) -> tuple[str, list[Edit]]:
        function = self._text(call.child_by_field_name("function"))
        arguments = call.child_by_field_name("arguments")
        if arguments is None or arguments.type != "argument_list":
            return "", []
        if one.client == "urlopen":
            last = function.rpartition(".")[2]
            if last == "Request":
                return "urllib.request", list(self._header(arguments, 2))
            if last == "urlopen":
                return "urllib.request", list(self._opened(function, arguments))
            return "", []
        library = one.client.partition(".")[0].partition(" ")[0]
        plain = function == f"{library}.{one.method.lower()}" or one.client == "requests session"
        if not plain or library not in {"requests", "httpx"}:
            return "", []
        return library, list(self._header(arguments, None))

    def _header(self, arguments: Node, at: int | None) -> Iterator[Edit]:
        """The header among the arguments; `at` is the position that headers have, too."""
        given = [one for one in arguments.named_children if one.type != "comment"]
        if any(one.type in {"dictionary_splat", "list_splat"} for one in given):
            return
        named = [one for one in given if self._text(one.child_by_field_name("name")) == "headers"]
        positional = [one for one in given if one.type != "keyword_argument"]
        headers = named[0].child_by_field_name("value") if named else None
        if headers is None and at is not None and len(positional) > at:
            headers = positional[at]
        if headers is not None:
            if headers.type == "dictionary":
                more = ", " if headers.named_child_count else ""
                yield self._edit(headers.start_byte + 1, headers.start_byte + 1, _HEADER + more)
            return
        if given:
            end = given[-1].end_byte
            yield self._edit(end, end, f", headers={{{_HEADER}}}")

    def _opened(self, function: str, arguments: Node) -> Iterator[Edit]:
        """`urlopen(url)`: the URL becomes a Request."""
        given = [one for one in arguments.named_children if one.type != "comment"]
        positional = [one for one in given if one.type not in {"keyword_argument", "comment"}]
        if len(positional) != 1 or given[0].id != positional[0].id:
            return
        prefix = function.removesuffix("urlopen")
        if not prefix:
            added = self._imported_request()
            if added is None:
                return
            yield from added
        elif prefix != "urllib.request.":
            return
        url = positional[0]
        yield self._edit(url.start_byte, url.start_byte, f"{prefix}Request(")
        yield self._edit(url.end_byte, url.end_byte, f", headers={{{_HEADER}}})")

    def _imported_request(self) -> tuple[Edit, ...] | None:
        """`Request` beside `urlopen` in the import of it."""
        for node in self._root.named_children:
            if node.type != "import_from_statement":
                continue
            if self._text(node.child_by_field_name("module_name")) != "urllib.request":
                continue
            names = node.children_by_field_name("name")
            shown = [self._text(one) for one in names]
            if "Request" in shown:
                return ()
            if "urlopen" in shown:
                # In front of it: behind it may be where the function goes.
                at = names[shown.index("urlopen")].start_byte
                return (self._edit(at, at, "Request, "),)
        return None

    def _behind_imports(self, library: str) -> int | None:
        """The end of the line of the last of the imports among which the library's is."""
        at = None
        for node in self._root.named_children:
            if node.type in _IMPORTS:
                if at is not None or self._imports(node, library):
                    at = node
            elif at is not None and node.type != "comment":
                break
        if at is None:
            return None
        text = self._source.text
        end = self._source.characters(at.end_byte)
        stop = text.find("\n", end)
        rest = text[end : stop if stop >= 0 else len(text)]
        if rest.strip() and not rest.strip().startswith("#"):
            return None
        return end + len(rest.rstrip("\r"))

    def _edit(self, start: int, end: int, text: str) -> Edit:
        characters = self._source.characters
        return Edit(start=characters(start), end=characters(end), text=text)

    def _imports(self, node: Node, library: str) -> bool:
        if library == "urllib.request":
            return "urllib.request" in self._text(node)
        return node.type == "import_statement" and any(
            self._text(one) == library for one in node.children_by_field_name("name")
        )

    def _text(self, node: Node | None) -> str:
        if node is None:
            return ""
        return self._source.data[node.start_byte : node.end_byte].decode("utf-8", "replace")
