"""composer.json and composer.lock (Composer)."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _json, _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.source import Source

KINDS: Final = ("composer", "composer-lock")


def read(source: Source) -> Iterator[Fact]:
    """Each package, with its constraint or its locked version."""
    try:
        document = _json.parse(source.text)
    except ValueError as error:
        yield unparsed(source, f"no JSON: {error}")
        return
    if source.kind == "composer":
        for table in ("require", "require-dev"):
            for name, version in document.get(table).members().items():
                allowed = _ranges.composer(version.text())
                place = (version.start, version.end)
                yield dependency(source, "composer", name, allowed, place)
        return
    for table in ("packages", "packages-dev"):
        for package in document.get(table).items():
            version = package.get("version")
            number = version.text().removeprefix("v")
            if number[:1].isdigit():
                pin = _ranges.pinned(number)
                place = (version.start, version.end)
                yield dependency(source, "composer", package.get("name").text(), pin, place)
