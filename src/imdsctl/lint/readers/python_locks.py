"""The locks of Poetry, uv, PDM and PEP 751, which are lists of packages in TOML."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.readers._toml import Text, strings
from imdsctl.lint.source import Source

KINDS: Final = ("poetry-lock", "uv-lock", "pdm-lock", "pylock")


def read(source: Source) -> Iterator[Fact]:
    """Each package with its version."""
    names: dict[int, Text] = {}
    try:
        for one in strings(source.text):
            match one.path:
                case ("package" | "packages", int(index), "name"):
                    names[index] = one
                case ("package" | "packages", int(index), "version") if index in names:
                    name = names[index]
                    pin = _ranges.pinned(one.value)
                    place = (min(name.start, one.start), max(name.end, one.end))
                    yield dependency(source, "pypi", name.value, pin, place)
    except ValueError as error:
        yield unparsed(source, f"no TOML: {error}")
