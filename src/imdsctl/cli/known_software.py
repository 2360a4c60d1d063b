"""Writing what is made from known-software.toml: `python -m imdsctl.cli.known_software`.

That is `imdsctl/software/table.py`, which hosts read, and the table in docs/host-audit.md.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

from imdsctl.software import shape
from imdsctl.software.versions import UnknownVersionError, compare

ROOM: Final = Path(shape.__file__).parent
SOURCE: Final = ROOM / "known-software.toml"
TABLE: Final = ROOM / "table.py"
BEGIN: Final = "<!-- known software: written by `make known-software` -->"
END: Final = "<!-- end of known software -->"

_HEAD: Final = '''"""Written from known-software.toml by `make known-software`; change that file."""
# ruff: noqa: E501, Q000
# fmt: off

from __future__ import annotations

from imdsctl.software.shape import Range, Software

SOFTWARE: tuple[Software, ...] = (
'''


class _Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    start: str | None = msgspec.field(default=None, name="from")
    below: str | None = None
    behaviour: str
    confidence: str
    note: str = ""


class _Software(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: str
    title: str
    names: dict[str, tuple[str, ...]]
    minimum: str | None = None
    through: str | None = None
    source: str
    fix: str
    ranges: tuple[_Range, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    software: tuple[_Software, ...]


def read(text: str) -> tuple[shape.Software, ...]:
    """The data file's entries, each checked.

    Raises:
        ValueError: something in it cannot be; says which entry and what.
    """
    found: list[shape.Software] = []
    for one in msgspec.toml.decode(text, type=_File).software:
        ranges = tuple(
            shape.Range(r.start, r.below, r.behaviour, r.confidence, r.note) for r in one.ranges
        )
        entry = shape.Software(
            one.id, one.title, one.names, one.minimum, one.through, one.source, one.fix, ranges
        )
        try:
            _check(entry)
        except UnknownVersionError as error:
            raise ValueError(f"{one.id}: {error}") from error
        found.append(entry)
    ids = [one.id for one in found]
    names = [f"{e} {n}" for one in found for e, all_of in one.names.items() for n in all_of]
    for what in (ids, names):
        twice = {x for x in what if what.count(x) > 1}
        if twice:
            raise ValueError(f"more than once: {', '.join(sorted(twice))}")
    for entry in found:
        if entry.through is not None and entry.through not in ids:
            raise ValueError(f"{entry.id}: through {entry.through}, which is not here")
    return tuple(found)


def _check(one: shape.Software) -> None:
    if not one.names or not one.ranges or not set(one.names) <= set(shape.ECOSYSTEMS):
        raise ValueError(f"{one.id}: needs ranges, and names in {', '.join(shape.ECOSYSTEMS)}")
    for ecosystem in one.names:
        if one.minimum is not None:
            compare(ecosystem, one.minimum, one.minimum)
        end: str | None = ""
        for part in one.ranges:
            if part.behaviour not in shape.BEHAVIOURS or part.confidence not in shape.CONFIDENCES:
                raise ValueError(f"{one.id}: {part.behaviour}, {part.confidence}: not known")
            for edge in (part.start, part.below):
                if edge is not None:
                    compare(ecosystem, edge, edge)
            if part.start and part.below and compare(ecosystem, part.start, part.below) >= 0:
                raise ValueError(f"{one.id}: from {part.start} below {part.below} is empty")
            if end is None or (end and (not part.start or compare(ecosystem, end, part.start) > 0)):
                raise ValueError(f"{one.id}: ranges overlap, or are not in order")
            end = part.below


def as_python(entries: tuple[shape.Software, ...]) -> str:
    """The table as the module that hosts import."""
    lines = [_HEAD]
    for one in entries:
        lines.append("    Software(\n")
        lines += [f"        {name}={getattr(one, name)!r},\n" for name in one._fields[:-1]]
        lines.append("        ranges=(\n")
        lines += [f"            {part!r},\n" for part in one.ranges]
        lines.append("        ),\n    ),\n")
    return "".join([*lines, ")\n"])


def as_markdown(entries: tuple[shape.Software, ...]) -> str:
    """The table as people read it."""
    rows = [
        "| software | names | v2 since | otherwise | sure | source |",
        "|---|---|---|---|---|---|",
    ]
    for one in entries:
        names = "; ".join(f"{e}: {', '.join(n)}" for e, n in one.names.items())
        bad = [p for p in one.ranges if shape.BEHAVIOURS[p.behaviour][0] != "info"]
        said = "; ".join(f"{_span(p)}: {p.behaviour}" for p in bad) or "–"
        sure = ", ".join(dict.fromkeys(p.confidence for p in bad or one.ranges))
        since = one.minimum or ("never" if bad else "always")
        rows.append(f"| {one.title} | {names} | {since} | {said} | {sure} | {one.source} |")
    return "\n".join(rows)


def _span(part: shape.Range) -> str:
    if part.start and part.below:
        return f"{part.start} to below {part.below}"
    if part.start:
        return f"from {part.start}"
    return f"below {part.below}" if part.below else "all"


def in_page(page: str, table: str) -> str:
    """The page with its table replaced.

    Raises:
        ValueError: the page has no place for it.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table of known software")
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def main() -> None:
    """Write both."""
    entries = read(SOURCE.read_text(encoding="utf-8"))
    TABLE.write_text(as_python(entries), encoding="utf-8")
    for name in sys.argv[1:]:
        page = Path(name)
        text = in_page(page.read_text(encoding="utf-8"), as_markdown(entries))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
