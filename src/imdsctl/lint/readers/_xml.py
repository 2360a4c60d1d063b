"""XML with the place of every tag and text, which lxml knows to the line only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat  # entities are refused below

from imdsctl.lint.source import Source

_DEEPEST: Final = 200


@dataclass(slots=True)
class Element:
    """One element; names are without their namespace. Offsets are of bytes."""

    name: str
    attributes: dict[str, str]
    start: int
    text: str = ""
    text_start: int = -1
    text_end: int = -1
    children: list["Element"] = field(default_factory=list)
    parent: "Element | None" = None

    def child(self, *names: str) -> "Element | None":
        """The first child of the first name, and so on down."""
        found: Element | None = self
        for name in names:
            found = next((c for c in found.children if c.name == name), None) if found else None
        return found

    def value(self, *names: str) -> str:
        """The trimmed text of such a child, empty where there is none."""
        found = self.child(*names)
        return found.text.strip() if found else ""

    def every(self, *names: str) -> Iterator["Element"]:
        """This element and all below it that have one of these names, in the document's order."""
        pending = [self]
        while pending:
            one = pending.pop()
            if one.name in names:
                yield one
            pending.extend(reversed(one.children))

    def text_at(self, source: Source) -> tuple[int, int] | None:
        """The characters of its trimmed text, None where that is not written as it reads."""
        if self.text_start < 0:
            return None
        raw = source.data[self.text_start : self.text_end].decode("utf-8", "replace")
        if raw.strip() != self.text.strip():
            return None
        start = source.characters(self.text_start) + len(raw) - len(raw.lstrip())
        return start, start + len(raw.strip())

    def tag_at(self, source: Source) -> tuple[int, int]:
        """The characters of its opening tag."""
        end = source.data.find(b">", self.start)
        return (
            source.characters(self.start),
            source.characters(end + 1 if end >= 0 else len(source.data)),
        )

    def attribute_at(self, source: Source, name: str) -> tuple[int, int] | None:
        """The characters of an attribute's value."""
        start, end = self.tag_at(source)
        tag = source.text[start:end]
        found = re.search(rf"\s{re.escape(name)}\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", tag)
        if found is None:
            return None
        group = 1 if found[1] is not None else 2
        return start + found.start(group), start + found.end(group)


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1] if self._open else None
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        one = Element(name.rpartition(" ")[2], plain, self.parser.CurrentByteIndex, parent=parent)
        if parent is None:
            self.root = one
        else:
            parent.children.append(one)
        if len(self._open) > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")
        self._open.append(one)

    def _end(self, _: str) -> None:
        one = self._open.pop()
        one.text_end = self.parser.CurrentByteIndex

    def _characters(self, text: str) -> None:
        one = self._open[-1]
        if one.text_start < 0:
            one.text_start = self.parser.CurrentByteIndex
        one.text += text

    def _refused(self, *_: object) -> None:
        raise ValueError("it declares a document type, which no such file needs")


def parse(source: Source) -> Element:
    """The document's root.

    Raises:
        ValueError: it is no XML, or has a document type.
    """
    builder = _Builder()
    try:
        builder.parser.Parse(source.data, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise ValueError(f"no XML: {error}") from error
    if builder.root is None:
        raise ValueError("no XML: it has no element")
    return builder.root
