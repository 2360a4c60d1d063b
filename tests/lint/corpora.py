"""The corpora under tests/lint/corpus, and how well lint does on them."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from imdsctl.lint.result import Report
from imdsctl.lint.run import Selection, jobs_of, run

CORPUS = Path(__file__).parent / "corpus"
_BESIDE = ("expected.toml", "README.md")


class Wanted(NamedTuple):
    rule: str
    line: int
    miss: str = ""


class Score(NamedTuple):
    """What was right and wrong in an area; places are `file:line rule`."""

    found: int
    missed: list[str]
    explained: list[str]
    false: list[str]

    @property
    def precision(self) -> float:
        return self.found / ((self.found + len(self.false)) or 1)

    @property
    def recall(self) -> float:
        return self.found / ((self.found + len(self.missed) + len(self.explained)) or 1)

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}: {self.found} found, "
            f"{len(self.explained)} missed and explained, {len(self.missed)} missed, "
            f"{len(self.false)} false"
        )

    def plus(self, other: "Score") -> "Score":
        return Score(
            self.found + other.found,
            self.missed + other.missed,
            self.explained + other.explained,
            self.false + other.false,
        )


def areas() -> list[Path]:
    return sorted(path.parent for path in CORPUS.glob("*/expected.toml"))


def expected(area: Path) -> dict[str, list[Wanted]]:
    """File by file; written as `"name" = [{ rule, line }]` or as tables with `findings`."""
    document = tomllib.loads((area / "expected.toml").read_text())
    rows = document.pop("file", None)
    if isinstance(rows, list):
        document |= {row.get("name", row.get("path")): row for row in rows}
    elif isinstance(rows, dict):
        document |= rows
    return {name: list(_wanted(value)) for name, value in document.items()}


def _wanted(value: Any) -> Iterator[Wanted]:
    for one in value if isinstance(value, list) else value.get("findings", ()):
        yield Wanted(one["rule"], one["line"], one.get("miss", ""))


def linted(area: Path) -> Report:
    """The area's files, given together; what is `miss` or wanted names files from its folder on."""
    files = [
        os.fspath(path)
        for path in sorted(area.rglob("*"))
        if path.is_file() and path.name not in _BESIDE
    ]
    return run(jobs_of(files), Selection(), processes=1)


def score(area: Path) -> Score:
    wanted = expected(area)
    report = linted(area)
    seen = {
        (os.path.relpath(one.finding.path, area), one.finding.rule, one.finding.place.line)
        for one in report.findings
    }
    must = {(name, one.rule, one.line): one.miss for name, rows in wanted.items() for one in rows}
    lost = sorted(must.keys() - seen)
    return Score(
        len(seen & must.keys()),
        [f"{name}:{line} {rule}" for name, rule, line in lost if not must[name, rule, line]],
        [f"{n}:{line} {r}: {must[n, r, line]}" for n, r, line in lost if must[n, r, line]],
        [f"{name}:{line} {rule}" for name, rule, line in sorted(seen - must.keys())],
    )
