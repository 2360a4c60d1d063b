"""Finding the readers and the rules, which are there by being there."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from imdsctl.lint import readers, rules
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Rule
from imdsctl.lint.source import Source

Reader = Callable[[Source], Iterator[Fact | Source]]
Names = Callable[[Source], dict[str, str]]


def _modules(package: Any) -> Iterator[Any]:
    """The modules of a package by name, without those that only help."""
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            yield importlib.import_module(f"{package.__name__}.{module.name}")


@cache
def every_reader() -> dict[str, tuple[Reader, ...]]:
    """The readers of each kind of text."""
    found: dict[str, tuple[Reader, ...]] = {}
    for module in _modules(readers):
        for kind in module.KINDS:
            found[kind] = (*found.get(kind, ()), module.read)
    return found


@cache
def names_given(kind: str) -> tuple[Names, ...]:
    """What tells the names that a text of this kind gives to those that source it.

    A reader's module may define `known_names(source)` beside `read`.
    """
    return tuple(
        found
        for module in _modules(readers)
        if kind in module.KINDS and (found := getattr(module, "known_names", None))
    )


@cache
def every_rule() -> dict[str, Rule]:
    """The rules by name."""
    return {
        module.name.replace("_", "-"): importlib.import_module(
            f"{rules.__name__}.{module.name}"
        ).RULE
        for module in sorted(pkgutil.iter_modules(rules.__path__), key=lambda m: m.name)
    }
