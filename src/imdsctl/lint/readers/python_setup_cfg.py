"""setup.cfg: what setuptools installs with a package."""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._found import lines
from imdsctl.lint.readers.python_requirements import requirement
from imdsctl.lint.source import Source

KINDS: Final = ("setup-cfg",)

_SECTION: Final = re.compile(r"\[([^\]]+)\]\s*$")
_KEY: Final = re.compile(r"([A-Za-z0-9_.-]+)\s*[=:]\s*")
_LISTS: Final = ("install_requires", "setup_requires", "tests_require")


def read(source: Source) -> Iterator[Fact]:
    """The requirements of `[options]` and of `[options.extras_require]`, one a line."""
    section, inside = "", False
    for start, line in lines(source.text):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        if found := _SECTION.match(line):
            section, inside = found[1].strip(), False
        elif not line[0].isspace() and (key := _KEY.match(line)):
            inside = section == "options.extras_require" or (
                section == "options" and key[1] in _LISTS
            )
            if inside:
                yield from requirement(source, line[key.end() :], start + key.end())
        elif inside:
            yield from requirement(source, line.partition(" #")[0], start)
