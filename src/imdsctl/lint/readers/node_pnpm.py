"""pnpm-lock.yaml, in the shapes of lockfile versions 5, 6 and 9."""

import re
from collections.abc import Iterator
from typing import Final

import yaml

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers import _ranges
from imdsctl.lint.readers._found import dependency, unparsed
from imdsctl.lint.source import Source

KINDS: Final = ("pnpm-lock",)

_KEY: Final = re.compile(r"/?((?:@[^/@]+/)?[^/@]+)[@/](\d[^(_/]*)")
_DEEPEST: Final = 1000
_NEXT: Final = {"key": "value", "value": "key", "item": "item"}
"""After a mapping's key comes its value, after that the next key; a list has items only."""
_LOADER: Final = getattr(yaml, "CLoader", yaml.Loader)


def read(source: Source) -> Iterator[Fact]:
    """Each key of `packages`: `/aws-sdk/2.5.0`, `/aws-sdk@2.5.0(peer)`, `aws-sdk@2.5.0`."""
    try:
        for key, offset in _package_keys(source.text):
            if found := _KEY.match(key):
                place = (offset, offset + len(key))
                yield dependency(source, "npm", found[1], _ranges.pinned(found[2]), place)
    except (yaml.YAMLError, ValueError) as error:
        yield unparsed(source, f"no YAML: {' '.join(str(error).split())[:200]}")


def _package_keys(text: str) -> Iterator[tuple[str, int]]:
    """The keys of the top-level mapping `packages`, and where they stand; anything else goes by.

    Events instead of a document: such a file can have a hundred thousand nodes.
    """
    stack: list[str] = []
    section = ""
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) > _DEEPEST:
                raise ValueError(f"nested more than {_DEEPEST} deep")
            stack.append("key" if isinstance(event, yaml.MappingStartEvent) else "item")
            continue
        if isinstance(event, yaml.ScalarEvent):
            if stack == ["key"]:
                section = event.value
            elif stack == ["value", "key"] and section == "packages":
                quoted = event.style in ("'", '"')
                yield event.value, event.start_mark.index + quoted
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif not isinstance(event, yaml.AliasEvent):
            continue
        if stack:
            stack[-1] = _NEXT[stack[-1]]
