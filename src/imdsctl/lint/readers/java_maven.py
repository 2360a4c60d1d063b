"""pom.xml: dependencies, their management, plugins' ones, properties (Maven, POM Reference).

What a parent's file says is known where that file is given besides (`Source.context`).
"""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.readers._xml import Element, parse
from imdsctl.lint.source import Source

KINDS: Final = ("maven",)
PROPERTY: Final = "maven property "
"""Before a property's name in `Source.context`."""

_PROPERTY: Final = re.compile(r"\$\{([^}]+)\}")
_DEEPEST: Final = 8


def read(source: Source) -> Iterator[Fact]:
    """Each dependency that has a version; where a property has it, that is the place."""
    try:
        root = parse(source)
    except ValueError as error:
        yield unparsed(source, error)
        return
    defined = _properties(root)
    for one in root.every("dependency"):
        group, artifact = one.value("groupId"), one.value("artifactId")
        written = one.child("version")
        if not (group and artifact and written and written.text.strip()):
            continue
        version, holder = _resolved(written, defined, source.context)
        if version is None:
            continue
        at = holder.text_at(source)
        allowed = _ranges.maven(version)
        yield dependency(
            source,
            "maven",
            f"{_resolved_text(group, defined, source.context)}:{artifact}",
            allowed,
            at or one.tag_at(source),
            version_at=at if holder is written and holder.text.strip() == version else None,
        )


def properties(source: Source) -> dict[str, str]:
    """The literal properties of a file, for the context of those that have it as their parent."""
    try:
        defined = _properties(parse(source))
    except ValueError:
        return {}
    return {f"{PROPERTY}{name}": one.text.strip() for name, one in defined.items()}


def _properties(root: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for table in root.every("properties"):
        if table.parent is root or (table.parent and table.parent.name == "profile"):
            for one in table.children:
                found.setdefault(one.name, one)
    for name in ("version", "groupId"):
        own = root.child(name) or root.child("parent", name)
        if own is not None:
            found.setdefault(f"project.{name}", own)
    return found


def _resolved(
    written: Element, defined: dict[str, Element], context: dict[str, str]
) -> tuple[str | None, Element]:
    """The version that an element comes to, and the element that says it."""
    holder = written
    for _ in range(_DEEPEST):
        text = holder.text.strip()
        found = _PROPERTY.fullmatch(text)
        if found is None:
            return (None if "${" in text else text), holder
        if found[1] not in defined:
            return context.get(f"{PROPERTY}{found[1]}"), written
        holder = defined[found[1]]
    return None, written


def _resolved_text(text: str, defined: dict[str, Element], context: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        one = defined.get(found[1])
        return one.text.strip() if one else context.get(f"{PROPERTY}{found[1]}", found[0])

    return _PROPERTY.sub(value, text)
