"""Methods of strings, tables and lists that mean the same in every language."""

import re
from collections.abc import Callable
from typing import Final

from imdsctl.lint.readers._language import Called
from imdsctl.lint.readers._values import (
    UNKNOWN,
    Hole,
    Nothing,
    OneOf,
    Piece,
    Seq,
    Str,
    Tab,
    Value,
    as_parts,
    concatenated,
    either,
    text,
)

_SAME: Final = frozenset({
    "strip", "trim", "decode", "encode", "lower", "upper", "tostring", "to_s", "freeze", "chomp",
    "tolowercase", "touppercase", "dup", "clone", "copy", "lstrip", "trimend", "striptrailing",
    "valueof", "normalize", "to_str", "html_safe", "force_encoding", "geturl", "unicode",
    "stripindent", "getbytes", "scrub",
})  # fmt: skip
_JOINS: Final = frozenset({"concat", "append", "joinpath", "join_path", "resolve", "<<", "+"})
_PUTS: Final = frozenset({
    "set", "put", "add", "append", "store", "setdefault", "putifabsent", "put_if_absent", "of",
    "tryaddwithoutvalidation", "header", "setheader", "addheader", "[]=",
})  # fmt: skip
_MERGES: Final = frozenset({"update", "merge", "merge!", "putall", "assign", "reverse_merge"})
_GETS: Final = frozenset({"get", "fetch", "dig", "getordefault", "pop", "[]"})
_COPIES: Final = frozenset({"copy", "dup", "clone", "to_h", "to_hash", "freeze", "asmultivaluemap"})
_BRACE: Final = re.compile(r"\{(\w*)[^{}]*\}")
_PERCENT: Final = re.compile(
    r"%(?:\((\w+)\)|<(\w+)>|\{(\w+)\}|(\d+)\$)?[-+ #0]*\d*(?:\.\d+)?([sdvqirfxSn])?"
)


def on_string(this: Str, called: Called) -> Value:
    """A string's method."""
    name = called.name.lower()
    if name in _SAME:
        return this
    if name in {"format", "formatted"} and name == "format":
        return filled(this, called.args, called.named, braces=True)
    if name == "formatted":
        return filled(this, called.args, {})
    if name in {"rstrip", "trimend", "delete_suffix", "removesuffix"} and called.args:
        return _without_end(this, called.args[0])
    if name == "replace" and len(called.args) == 2:  # noqa: PLR2004 - what and by what
        return _replaced(this, *called.args)
    if name == "join":
        return _between(this, called.args[0] if called.args else UNKNOWN)
    if name in _JOINS:
        return concatenated([this, *called.args])
    return UNKNOWN


def on_table(this: Tab, called: Called) -> Value | None:
    """A table's method; None if the name says nothing."""
    name = called.name.lower()
    if name in _MERGES:
        target = Tab(dict(this.entries), this.open) if name == "merge" else this
        for given in called.args:
            merge(target, given)
        target.entries.update(called.named)
        target.open = target.open or called.open
        return target
    if name in _PUTS and len(called.args) >= 2:  # noqa: PLR2004 - key and value
        put(this, called.args[0], called.args[1])
        return this
    if name in _GETS and called.args:
        key = called.args[0]
        found = this.find(key.constant or "") if isinstance(key, Str) else None
        return found if found is not None else UNKNOWN
    if name in _COPIES:
        return Tab(dict(this.entries), this.open)
    return None


def on_list(this: Seq, called: Called) -> Value | None:
    """A list's method; None if the name says nothing."""
    name = called.name.lower()
    if name in {"append", "push", "add", "<<"}:
        this.items.extend(called.args)
        return this
    if name in {"extend", "concat"} and called.args and isinstance(called.args[0], Seq):
        this.items.extend(called.args[0].items)
        return this
    if name == "join":
        separator = called.args[0] if called.args else text("")
        return _between(separator, this)
    return None


def merge(target: Tab, given: Value) -> None:
    """Put everything of a table into another."""
    if isinstance(given, Tab):
        target.entries.update(given.entries)
        target.open = target.open or given.open
    elif isinstance(given, Seq):
        for pair in given.items:
            if isinstance(pair, Seq) and len(pair.items) == 2:  # noqa: PLR2004 - key and value
                put(target, *pair.items)
    elif isinstance(given, OneOf):
        tables = [one for one in given.values if isinstance(one, Tab)]
        target.open = True
        if len(tables) == len(given.values):
            keys = set.intersection(*(set(one.entries) for one in tables))
            for key in keys:
                target.entries[key] = either(*(one.entries[key] for one in tables))
    elif not isinstance(given, Nothing):
        target.open = True


def put(target: Tab, key: Value, value: Value) -> None:
    """Put one entry into a table; a key that is not known opens it."""
    constant = key.constant if isinstance(key, Str) else None
    if constant is None:
        target.open = True
    else:
        target.entries[constant] = value


def filled(
    template: Str, args: list[Value], named: dict[str, Value], *, braces: bool = False
) -> Value:
    """A template with its places taken: `%s`, or `{}` with braces."""
    if len(args) == 1 and isinstance(args[0], Seq):
        args = args[0].items
    if len(args) == 1 and isinstance(args[0], Tab):
        named = {**args[0].entries, **named}
    parts: list[Value] = []
    position = 0
    for part in template.parts:
        if isinstance(part, Hole):
            parts.append(Str((part,)))
            continue
        end = 0
        for found in (_BRACE if braces else _PERCENT).finditer(part.text):
            if not braces and not found[5] and not found[3]:
                continue
            parts.append(Str((Piece(part.text[end : found.start()], part.at),)))
            key = found[1] if braces else next(filter(None, found.groups()[:3]), "")
            index = key if braces else found[4]
            if index and index.isdigit():
                place = int(index[:6]) - (0 if braces else 1)
                value = args[place] if 0 <= place < len(args) else UNKNOWN
            elif key:
                value = named.get(key, UNKNOWN)
            else:
                value = args[position] if position < len(args) else UNKNOWN
                position += 1
            parts.append(value)
            end = found.end()
        parts.append(Str((Piece(part.text[end:], part.at),)))
    return concatenated(parts)


def _without_end(this: Str, chars: Value) -> Value:
    constant = chars.constant if isinstance(chars, Str) else None
    last = this.parts[-1] if this.parts else None
    if constant is None or not isinstance(last, Piece):
        return this
    return Str((*this.parts[:-1], Piece(last.text.rstrip(constant), last.at)))


def _replaced(this: Str, old: Value, new: Value) -> Value:
    whole = this.constant
    before = old.constant if isinstance(old, Str) else None
    after = new.constant if isinstance(new, Str) else None
    if whole is None or not before or after is None or whole.count(before) > len(before) + 64:
        return UNKNOWN
    return text(whole.replace(before, after))


def _between(separator: Value, given: Value) -> Value:
    if not isinstance(given, Seq) or not given.items:
        return UNKNOWN
    parts: list[Value] = [given.items[0]]
    for one in given.items[1:]:
        parts += [Str(as_parts(separator)), one]
    return concatenated(parts)


def path_joined(values: list[Value]) -> Value:
    """Parts of a path with one slash between each two."""
    parts: list[Value] = []
    for value in values:
        shown = [
            Str(as_parts(one)) for one in (value.values if isinstance(value, OneOf) else (value,))
        ]
        if parts:
            parts.append(text("/"))
            shown = [_trimmed(one, str.lstrip, 0) for one in shown]
        parts.append(either(*(_trimmed(one, str.rstrip, -1) for one in shown)))
    return concatenated(parts)


def _trimmed(value: Str, trim: Callable[[str, str], str], end: int) -> Str:
    if not value.parts or not isinstance(piece := value.parts[end], Piece):
        return value
    parts = list(value.parts)
    parts[end] = Piece(trim(piece.text, "/"), piece.at)
    return Str(tuple(parts))


def url_joined(base: Value, path: Value) -> Value:
    """A path resolved against a URL, as browsers and urljoin do."""
    if not isinstance(path, Str):
        return concatenated([base, path])
    shown = path.shown()
    if "://" in shown:
        return path
    if shown.startswith("/") and isinstance(base, Str):
        root = re.match(r"(?:\w+:)?//[^/]*", base.shown("\0"))
        if root and "\0" not in root[0]:
            return concatenated([text(root[0]), path])
        return concatenated([Str(tuple(p for p in base.parts if isinstance(p, Hole))), path])
    if isinstance(base, Str) and isinstance(base.parts[-1] if base.parts else None, Piece):
        last = base.parts[-1]
        assert isinstance(last, Piece)
        if "//" in last.text and "/" not in last.text.partition("//")[2]:
            return concatenated([base, text("/"), path])
        head = last.text.rpartition("/")[0] + "/" if "/" in last.text else last.text
        return concatenated([Str((*base.parts[:-1], Piece(head, last.at))), path])
    return concatenated([base, path])


def url_split(url: Value) -> tuple[Value, Value]:
    """A URL's host (with its port) and its path with the query, as far as they are known."""
    if not isinstance(url, Str):
        return UNKNOWN, UNKNOWN
    host: list[Piece | Hole] = []
    rest = list(url.parts)
    if rest and isinstance(first := rest[0], Piece) and "//" in first.text:
        rest[0] = Piece(first.text.partition("//")[2], first.at)
    while rest:
        part = rest.pop(0)
        if isinstance(part, Piece) and "/" in part.text:
            before, _, after = part.text.partition("/")
            return Str((*host, Piece(before))), Str((Piece("/" + after, part.at), *rest))
        host.append(part)
    return Str(tuple(host)), text("/")
