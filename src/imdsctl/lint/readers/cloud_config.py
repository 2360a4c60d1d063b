"""cloud-config: its commands, and the files that it writes.

cloud-init documentation, "Module reference": runcmd and bootcmd become one script each, in which a
variable of one item is known in the next; write_files takes text, base64 and gzip.
"""

import base64
import binascii
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from yaml.nodes import Node, ScalarNode

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers._shell_pieces import kind_of_file
from imdsctl.lint.readers._userdata import embedded_user_data, unpacked
from imdsctl.lint.readers._userdata_yaml import compose, entries, first_line, items, scalar
from imdsctl.lint.source import Source

KINDS: Final = ("cloud-config",)
_COMMANDS: Final = {"runcmd", "bootcmd"}
_GZIPPED: Final = {"gz", "gzip", "gz+base64", "gzip+base64", "gz+b64", "gzip+b64"}


def read(source: Source) -> Iterator[Fact | Source]:
    """The scripts that a cloud-config runs or writes."""
    try:
        document = compose(source.text)
    except ValueError as error:
        yield Unparsed(place=source.place(0, 1), why=f"no YAML: {error}"[:300])
        return
    archive = items(document)
    for number, part in enumerate(archive, 1):
        content = dict(entries(part)).get("content", part)
        yield from embedded_user_data(
            source, scalar(content), first_line(content), f"part {number} of the archive"
        )
    for key, value in entries(document):
        if key in _COMMANDS:
            yield from _script(source, key, value)
        elif key == "write_files":
            for one in items(value):
                yield from _file(source, dict(entries(one)))


def _script(source: Source, key: str, value: Node) -> Iterator[Source]:
    """The one script that the items of a list of commands become."""
    text: list[str] = []
    rows: list[int] = []
    indents: list[int] = []
    loose: set[int] = set()
    for item in items(value):
        command = scalar(item) or shlex.join(scalar(one) for one in items(item))
        first = first_line(item)
        block = isinstance(item, ScalarNode) and item.style == "|"
        cut = _indent(source, item, command) if block else int(item.start_mark.column)
        for number, line in enumerate(command.split("\n")):
            if not block:
                # What is added to a plain or quoted scalar, YAML may read as something else.
                loose.add(len(text))
            text.append(line)
            rows.append(first + (number if block else 0))
            indents.append(source.margin(rows[-1] - 1) + cut)
    if not text:
        return
    script = source.embedded("shell", "\n".join(text), 1, key)
    yield replace(
        script,
        lines=tuple(_row(source, row) for row in rows),
        indents=tuple(indents),
        loose=frozenset(loose),
    )


def _indent(source: Source, block: Node, text: str) -> int:
    """How far the lines of a block scalar are indented."""
    first = first_line(block) - 1
    for line, own in zip(source.text.split("\n")[first:], text.split("\n"), strict=False):
        if own.strip():
            there = line.removesuffix("\r")
            return len(there) - len(own) if there.endswith(own) else 0
    return 0


def _file(source: Source, members: dict[str, Node]) -> Iterator[Source]:
    """A file that is written, if it is of a kind that is read."""
    content, path = members.get("content"), scalar(members.get("path"))
    if content is None or not scalar(content):
        return
    encoding = scalar(members.get("encoding")).lower()
    text: str | None = scalar(content)
    if encoding not in {"", "text/plain"}:
        text = _decoded(scalar(content), encoding)
    if text is None:
        return
    kind = kind_of_file(path, text)
    if kind is None:
        return
    first = first_line(content)
    inside = f"{PurePosixPath(path).name} of write_files"
    if encoding in {"", "text/plain"} and getattr(content, "style", "") == "|":
        indent = source.margin(first - 1) + _indent(source, content, text)
        yield source.embedded(kind, text, first, inside, indent)
        return
    found = source.embedded(kind, text, first, inside)
    count = text.count("\n") + 1
    lines = (_row(source, first),) * count
    yield replace(found, lines=lines, loose=frozenset(range(count)))


def _decoded(text: str, encoding: str) -> str | None:
    try:
        data = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return unpacked(data) if encoding in _GZIPPED else data.decode("utf-8", "replace")


def _row(source: Source, row: int) -> int:
    """The line of the file that a line of this text (from 1) is."""
    if source.lines is None:
        return row
    return source.lines[min(row - 1, len(source.lines) - 1)] if source.lines else 1
