"""The metadata tree: items by path, and what each path, version and moment answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from imdsctl.imds import versions
from imdsctl.imds.items import Content
from imdsctl.imds.pages import BINARY, TEXT

_NUMBERED = re.compile(r"([0-9]+)=.+")


@dataclass(frozen=True)
class Found:
    """What stands at a path: a body with its content type, or a directory asked for without slash.

    Attributes:
        body: an item's content, or a directory's listing.
        content_type: `text/plain`, or `application/octet-stream` for user data.
        directory: whether this is a listing.
        slash: whether the path that was asked for ended in one.
    """

    body: bytes
    content_type: str = TEXT
    directory: bool = False
    slash: bool = False


class _Item:
    """A leaf of the tree."""

    __slots__ = ("content", "since")

    def __init__(self, content: Content, since: str) -> None:
        self.content = content.encode("utf-8") if isinstance(content, str) else content
        self.since = since

    def there(self, version: str, now: float) -> bool:
        if not versions.has(version, self.since):
            return False
        return isinstance(self.content, bytes) or now >= self.content.shown_from

    def body(self, now: float) -> bytes:
        content = self.content
        return content if isinstance(content, bytes) else content.text(now).encode("utf-8")


_Directory = dict[str, Union["_Item", "_Directory"]]


class Tree:
    """All items of one instance.

    Args:
        items: content by path below the version, as `items.items` gives them. A segment
            `0=my-key` is listed so and reached as `0`, as AWS does with public keys.

    Raises:
        ValueError: one path is both an item and a directory, or has an empty segment.
    """

    def __init__(self, items: Mapping[str, Content]) -> None:
        self._root: _Directory = {}
        for path in sorted(items):
            self._add(path, items[path])

    def _add(self, path: str, content: Content) -> None:
        *folders, name = path.split("/")
        here = self._root
        for folder in folders:
            below = here.setdefault(folder, {})
            if isinstance(below, _Item):
                # A wrong value, not a wrong type: the caller's paths contradict each other.
                raise ValueError(  # noqa: TRY004
                    f"{path}: {folder} is an item already, not a directory"
                )
            here = below
        if not name or not all(folders):
            raise ValueError(f"{path!r} has an empty segment")
        if name in here:
            raise ValueError(f"{path} is a directory already, not an item")
        here[name] = _Item(content, versions.since(path))

    def find(self, path: str, now: float) -> Found | None:
        """What stands at `path` (from `/` on, with the version) at `now`, None for nothing."""
        if not path.startswith("/"):
            return None
        slash = path.endswith("/")
        segments = path[1 : len(path) - 1 if slash and len(path) > 1 else len(path)].split("/")
        if segments == [""]:
            return Found("\n".join(versions.LISTED).encode(), directory=True, slash=True)
        version, *names = segments
        if version not in versions.KNOWN:
            return None
        node: _Item | _Directory = self._root
        for name in names:
            below = None if isinstance(node, _Item) else _child(node, name)
            if below is None:
                return None
            node = below
        if isinstance(node, _Item):
            return _item(node, names, version, now, slash=slash)
        listing = _listing(node, version, now, marked=bool(names))
        if not listing:
            return None
        return Found("\n".join(listing).encode("utf-8"), directory=True, slash=slash)


def _item(item: _Item, names: list[str], version: str, now: float, *, slash: bool) -> Found | None:
    user_data = names == ["user-data"]
    # A slash asks for a listing. boto 2 appends one to everything, user data among it, and has
    # always got it from instances.
    if slash and not user_data:
        return None
    if not item.there(version, now):
        return None
    return Found(item.body(now), BINARY if user_data else TEXT)


def _child(directory: _Directory, name: str) -> _Item | _Directory | None:
    if name in directory:
        # `0=my-key` is only how the entry is listed.
        return None if _NUMBERED.fullmatch(name) else directory[name]
    for listed, node in directory.items():
        numbered = _NUMBERED.fullmatch(listed)
        if numbered and numbered[1] == name:
            return node
    return None


def _there(node: _Item | _Directory, version: str, now: float) -> bool:
    if isinstance(node, _Item):
        return node.there(version, now)
    return any(_there(below, version, now) for below in node.values())


def _listing(directory: _Directory, version: str, now: float, *, marked: bool) -> list[str]:
    """The names in a directory; those of directories end in a slash, except below a version."""
    names = []
    for name, node in sorted(directory.items()):
        if _there(node, version, now):
            folder = not isinstance(node, _Item) and marked and not _NUMBERED.fullmatch(name)
            names.append(f"{name}/" if folder else name)
    return names
