"""Ruby gems: the specifications beside every place where gems are installed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package
from imdsctl.software import software

NAMES: frozenset[str] = frozenset()
SUFFIXES = (".gemspec",)
FOLDERS: frozenset[str] = frozenset()

_NAME = re.compile(r"(.+?)-(\d[0-9A-Za-z.]*)(?:-[\w.-]+)?\.gemspec$")


def look(file: File) -> Iterator[Package]:
    """The gem that `specifications/name-version.gemspec` stands for (RubyGems guides)."""
    found = _NAME.match(file.name)
    if found is not None and "/specifications/" in file.shown and software("rubygems", found[1]):
        yield Package("rubygems", found[1], found[2], file.shown, "gem specification")
